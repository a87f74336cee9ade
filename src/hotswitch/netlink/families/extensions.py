"""hotswitch's own attributes, beside those of the OVS families, which do not know them."""

from __future__ import annotations

from hotswitch.netlink.nested import Attribute
from hotswitch.netlink.types import U32, Binary

EXTENSIONS = (
    Attribute(
        "transaction",
        0x3E00,
        "",
        Binary(1, 32),
        "in a request: its identity; the same one again gets the stored answer again",
    ),
    Attribute(
        "cursor",
        0x3E01,
        "",
        Binary(0, 256),
        "in a GET that lists a part: where to go on, empty at the start; in the answer: where the "
        "next part begins, left out at the end",
    ),
    Attribute(
        "limit",
        0x3E02,
        "",
        U32,
        "in a GET that lists a part: bytes that the sender can take at a time",
    ),
)
