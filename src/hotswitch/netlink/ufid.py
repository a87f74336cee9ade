"""Unique flow identifiers: what makes a flow that flow (OVS_FLOW_ATTR_UFID)."""

from __future__ import annotations

import re
import struct
from itertools import pairwise

from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.families.flow import OMIT_ACTIONS, OMIT_KEY, OMIT_MASK
from hotswitch.netlink.families.keys import KEY, METADATA

_TEXT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_OMITTED = (("key", OMIT_KEY), ("mask", OMIT_MASK), ("actions", OMIT_ACTIONS))
_GROUPS = (0, 8, 12, 16, 20, 32)
_numbers = struct.Struct("=4I")


def identity(attributes: Attributes) -> bytes:
    """What a flow is looked up by: its UFID, or without one its key as it was given.

    Two keys are one if they have the same attributes, in whatever order, with what is beside the
    packet or, where it is zero, without. The two kinds never are equal: a UFID has at most 16
    bytes, a key with `ethernet` more. Raises NetlinkError if there is neither.
    """
    ufid = attributes.get("ufid")
    if ufid is not None:
        return bytes(ufid)
    key = attributes.get("key")
    if key is None:
        raise NetlinkError("neither ufid nor key is there", missing=1)
    return b"key:" + bytes(16) + KEY.encode(_sorted(without_zeros(key)))


def without_zeros(key: Attributes) -> Attributes:
    """A key without what is beside the packet, where that is zero."""
    return Attributes(
        (name, value)
        for name, value in key
        if name not in METADATA or (any(value) if isinstance(value, bytes) else value)
    )


def shown(flow: Attributes, flags: int) -> Attributes:
    """An answer's attributes without those that the request's `ufid_flags` ask to leave out.

    The key of a flow without a UFID stays: it is the flow's identity.
    """
    omitted = {name for name, flag in _OMITTED if flags & flag}
    if "ufid" not in flow:
        omitted.discard("key")
    return Attributes(pair for pair in flow if pair[0] not in omitted) if omitted else flow


def show(ufid: bytes) -> str:
    """The text of a UFID of 16 bytes, as `ovs-dpctl` has it: four numbers of the machine's byte
    order, their hexadecimal digits in groups."""
    digits = "".join(f"{number:08x}" for number in _numbers.unpack(ufid))
    return "-".join(digits[start:end] for start, end in pairwise(_GROUPS))


def read(text: str) -> bytes:
    """The UFID that a text stands for. Raises NetlinkError."""
    if not _TEXT.fullmatch(text):
        raise NetlinkError(f"{text[:60]!r} is not a UFID, 32 hexadecimal digits as 8-4-4-4-12")
    return _numbers.pack(*struct.unpack(">4I", bytes.fromhex(text.replace("-", ""))))


def _sorted(key: Attributes) -> Attributes:
    pairs = sorted(key, key=lambda pair: str(pair[0]))
    return Attributes(
        (name, _sorted(value) if isinstance(value, Attributes) else value) for name, value in pairs
    )
