"""`hs_socket`: hotswitch's own family, for what a Netlink socket does by system calls.

The transport is a Unix socket, so what bind(2), getsockname(2) and setsockopt(2) do at a Netlink
socket (netlink(7)) are requests here.
"""

from __future__ import annotations

from hotswitch.netlink.family import DO, Command, Family
from hotswitch.netlink.nested import Attribute, AttributeSet
from hotswitch.netlink.types import FLAG, U32

ID = 0x400
"""Its message type. Linux gives families none above 1,023 (GENL_MAX_ID)."""

SOCKET = Family(
    name="hs_socket",
    version=1,
    header=0,
    doc=f"What is done with a Netlink socket by system calls. Its message type always is {ID}.",
    commands=(
        Command(
            "bind",
            1,
            "",
            DO,
            "have this port id; left out or 0: the one it has; is always answered",
        ),
        Command("join", 2, "", DO, "hear a multicast group", needs=("group",)),
        Command("leave", 3, "", DO, "hear it no longer", needs=("group",)),
        Command("option", 4, "", DO, "set the options that are there, clear the others"),
        Command(
            "signal",
            5,
            "",
            DO,
            "sent with a descriptor (SCM_RIGHTS): a byte is written there for each datagram once "
            "its answers are on their way, of a listing the first part; is always answered",
        ),
    ),
    attributes=AttributeSet(
        "HS_SOCKET_ATTR",
        Attribute("port", 1, "", U32, "the socket's port id; in every answer"),
        Attribute("group", 2, "", U32, "a multicast group's number"),
        Attribute("extended", 3, "", FLAG, "NETLINK_EXT_ACK: acknowledgements say what is wrong"),
        Attribute("capped", 4, "", FLAG, "NETLINK_CAP_ACK: they have the request's header only"),
        Attribute(
            "together", 5, "", FLAG, "several answers, events or packets may come in one datagram"
        ),
        open=True,
    ),
)
