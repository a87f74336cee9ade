"""Extended acknowledgements: which attribute was wrong, and why (include/uapi/linux/netlink.h)."""

from __future__ import annotations

from hotswitch.netlink.attributes import NONE, Attributes
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.families.controller import POLICY_ATTRIBUTE
from hotswitch.netlink.flags import ACK_ATTRIBUTES, CAPPED
from hotswitch.netlink.message import HEADER_SIZE, Acknowledgement, Header
from hotswitch.netlink.nested import Attribute, AttributeSet, Nested
from hotswitch.netlink.policy import describe
from hotswitch.netlink.types import BYTES, U32, Text

EXTENDED = AttributeSet(
    "NLMSGERR_ATTR",
    Attribute("message", 1, "NLMSGERR_ATTR_MSG", Text(4096), "what is wrong, for people"),
    Attribute("offset", 2, "NLMSGERR_ATTR_OFFS", U32, "bytes to the wrong attribute"),
    Attribute("cookie", 3, "NLMSGERR_ATTR_COOKIE", BYTES),
    Attribute(
        "policy",
        4,
        "NLMSGERR_ATTR_POLICY",
        Nested(lambda: POLICY_ATTRIBUTE),
        "what the attribute should have been",
        flagged=True,
    ),
    Attribute("missing_type", 5, "NLMSGERR_ATTR_MISS_TYPE", U32, "the attribute that is missing"),
    Attribute(
        "missing_nest", 6, "NLMSGERR_ATTR_MISS_NEST", U32, "bytes to the one it is missing in"
    ),
)
"""What an acknowledgement, or the end of a dump, can say."""


def explain(error: NetlinkError) -> Attributes:
    """What there is to say about an error."""
    found = Attributes(message=str(error).encode("utf-8", "replace").decode()[:1000])
    if error.missing is not None:
        found += Attributes(missing_type=error.missing)
        if error.offset is not None:
            found += Attributes(missing_nest=error.offset)
        return found
    if error.offset is not None:
        found += Attributes(offset=error.offset)
    if error.type is not None:
        found += Attributes(policy=describe(error.type))
    return found


def refuse(
    request: bytes,
    error: NetlinkError,
    *,
    port: int,
    extended: bool = True,
    capped: bool = False,
) -> Acknowledgement:
    """The answer to a request that was not carried out, whatever its bytes are.

    port: the port id of the one who asked. extended, capped: NETLINK_EXT_ACK, NETLINK_CAP_ACK.
    A request without a whole header is answered as if the rest of it were zero.
    """
    header = _header(request)
    whole = len(request) >= HEADER_SIZE and header.length == len(request)
    original = request if whole and not capped else header.encode()
    flags = (0 if whole and not capped else CAPPED) | (ACK_ATTRIBUTES if extended else 0)
    attributes = explain(error) if extended else NONE
    return Acknowledgement(error.errno, original, attributes, flags, header.sequence, port)


def accept(request: bytes, *, port: int) -> Acknowledgement:
    """The answer to a request with NLM_F_ACK that was carried out."""
    header = _header(request)
    return Acknowledgement(0, header.encode(), sequence=header.sequence, port=port)


def _header(request: bytes) -> Header:
    whole = request[:HEADER_SIZE].ljust(HEADER_SIZE, b"\0")
    return Header.unpack(whole)
