"""The control protocol: JSON-RPC as `ovs-appctl` speaks it, over a Unix stream socket.

Requests and replies are JSON objects one after another with nothing needed in between:

    {"id": 0, "method": "bridge/add", "params": [{"name": "br0"}]}
    {"id": 0, "result": null, "error": null}

`codec` turns bytes into requests and back and does no I/O; `server` and `client` do it.
The framing is that of RFC 7047 section 4, without notifications.
"""
