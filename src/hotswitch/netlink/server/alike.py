"""Requests for flows that are alike: they differ in addresses and ports, and in what names them.

What was found out about one of them holds for the others. It is found by the bytes of the message
that have to be the same; nothing else is trusted: of a message that differs in any other byte
nothing is known.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Generic, TypeVar

from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.families.keys import KEY
from hotswitch.netlink.message import HEADER_SIZE
from hotswitch.netlink.nested import frames
from hotswitch.netlink.places import PLACES
from hotswitch.netlink.types import Structure

START = 4
"""Where a message is compared from: behind its length, which is known."""
ATTRIBUTES = HEADER_SIZE + 4 + FLOW.header
"""Where a flow's attributes begin."""

_ADDRESSED = slice(8 - START, HEADER_SIZE - START)  # sequence number and port id
_UFID_SIZE = 16
_FREE = {
    "ethernet": ("src", "dst"),
    "ipv4": ("src", "dst"),
    "ipv6": ("src", "dst"),
    "tcp": ("src", "dst"),
    "udp": ("src", "dst"),
    "sctp": ("src", "dst"),
}
"""Members of the key that neither decide what else there is, nor what actions mean."""
_SIMPLE = frozenset({"ufid", "key", "mask", "actions", "probe"})
"""Attributes of a flow that say nothing else about the request."""

_LAYOUTS = 16
"""Ways of messages of one length to be alike, at most: all are tried."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are in a message.

    same: its bits behind START, as one number, big-endian, that messages alike share. ufid: where
    the UFID begins. fields: where the values of free fields begin and end.
    """

    same: int
    ufid: int
    fields: dict[str, tuple[int, int]]


def layout(data: bytes, passed_over: Set[str] = frozenset()) -> Layout | None:
    """Of a request for a flow with a UFID; None if it says more than that.

    passed_over: attributes that it may have besides, and which do not matter.
    """
    same = bytearray(b"\xff" * (len(data) - START))
    same[_ADDRESSED] = bytes(HEADER_SIZE - 8)
    fields: dict[str, tuple[int, int]] = {}
    ufid = None
    for number, start, end in frames(data, ATTRIBUTES, len(data)):
        attribute = FLOW.attributes.by_number.get(number)
        name = attribute.name if attribute else None
        if name in passed_over:
            _clear(same, start, end)
        elif name not in _SIMPLE:
            return None
        elif name == "ufid":
            if end - start != _UFID_SIZE:
                return None
            ufid = start
            _clear(same, start, end)
        elif name == "key":
            fields = free_fields(data, start, end)
    if ufid is None:
        return None
    for start, end in fields.values():
        _clear(same, start, end)
    return Layout(int.from_bytes(same, "big"), ufid, fields)


def free_fields(data: bytes, start: int, end: int) -> dict[str, tuple[int, int]]:
    """Where in the payload of a key the values of free fields begin and end."""
    found = {}
    for number, payload, _ in frames(data, start, end):
        name = KEY.by_number[number].name
        kind = KEY.by_number[number].type
        if name not in _FREE or not isinstance(kind, Structure):
            continue
        position = payload
        for member, member_kind in kind.members.items():
            if member in _FREE[name]:
                (field,) = PLACES[name][member]
                found[field] = (position, position + member_kind.size)
            position += member_kind.size
    return found


def number_of(data: bytes) -> int:
    """What is compared of a message, as one number."""
    return int.from_bytes(data[START:], "big")


class ByLikeness(Generic[T]):
    """What is known of messages, by what those that are alike share: a tuple space search.

    most: how many such kinds are known, at most. Where there is no room for more, all is forgotten.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._by_size: dict[int, dict[int, dict[int, T]]] = {}

    def find(self, data: bytes) -> T | None:
        """What is known of this message."""
        found = self._by_size.get(len(data))
        if found is None:
            return None
        number = int.from_bytes(data[START:], "big")
        for same, known in found.items():
            what = known.get(number & same)
            if what is not None:
                return what
        return None

    def put(self, data: bytes, same: int, what: T) -> None:
        """Know this of all messages that are like this one in these bits."""
        layouts = self._by_size.get(len(data), {})
        if self._count == self._most or (same not in layouts and len(layouts) == _LAYOUTS):
            self._by_size.clear()
            self._count = 0
        known = self._by_size.setdefault(len(data), {}).setdefault(same, {})
        value = number_of(data) & same
        self._count += value not in known
        known[value] = what


def _clear(same: bytearray, start: int, end: int) -> None:
    same[start - START : end - START] = bytes(end - start)
