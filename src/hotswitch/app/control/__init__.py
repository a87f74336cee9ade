"""The control socket as hotswitch's own commands use it.

Its protocol, server and commands in text, as `ovs-appctl` has them, are those of `ovsdb.unixctl`.
Here is what has structure: `method` checks parameters that come as one object and answers in JSON,

    {"id": 0, "method": "bridge/add", "params": [{"name": "br0"}]}
    {"id": 0, "result": {}, "error": null}

and `client` asks so.
"""
