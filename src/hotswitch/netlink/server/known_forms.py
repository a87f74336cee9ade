"""Flows like one that was understood before: then only the addresses and ports are read.

Many flows differ in addresses and ports alone. Once one of them has been decoded, checked and
translated, what all of them have in common is kept: the bytes of the message that must be the
same, and where in it the values stand that the match takes. Nothing else is trusted: a message
that differs in any other byte is decoded as a whole.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hotswitch.model.entry import EntryKey
from hotswitch.model.match import Match
from hotswitch.netlink.actions import Translated
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.families.keys import KEY
from hotswitch.netlink.flags import ACK, ECHO
from hotswitch.netlink.message import HEADER_SIZE, Header
from hotswitch.netlink.nested import Encoded, frames
from hotswitch.netlink.places import PLACES
from hotswitch.netlink.server.flow_table import Shown
from hotswitch.netlink.types import Structure

KEPT = 256
"""Lengths and ends of messages of which forms are kept, at most; the oldest go."""
_OF_ONE = 16
"""Forms for one length and end, at most."""
_END = 12
"""Bytes of an output: the usual last action."""

_ATTRIBUTES = HEADER_SIZE + 4 + FLOW.header
_START = 4
"""Behind the length, which is known: type, flags, and the free sequence number and port id."""
_ADDRESSED = slice(8 - _START, HEADER_SIZE - _START)
_datapath = struct.Struct("=i")
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


class _Free(NamedTuple):
    """A value of the match that is read from the message."""

    place: int
    shift: int
    mask: int


@dataclass(frozen=True, slots=True, eq=False)
class ShownForm:
    """What answers say of flows of one form: mask and actions, and the key without what differs.

    copies: the place of a value in the match, and how far from the key's low end it goes.
    """

    key: int
    size: int
    copies: tuple[tuple[int, int], ...]
    mask: Encoded
    actions: Encoded

    def of(self, match: Match) -> Shown:
        """Of the flow with this match."""
        values, key = match.values, self.key
        for place, left in self.copies:
            key |= values[place] << left
        shown = Encoded(key.to_bytes(self.size, "big"))
        return Shown(shown, shown, self.mask, self.actions)


@dataclass(slots=True, eq=False)
class Form:
    """What messages of one length have in common: type, flags and datapath among other things.

    same: the bits that must be those of `value`, both of the message behind its length as one
    number, big-endian. datapath: its number. acknowledged: they want an acknowledgement.
    ufid: where the UFID is. match: of one of them; the values in `free` are read.
    """

    same: int
    value: int
    datapath: int
    acknowledged: bool
    ufid: int
    match: Match
    free: tuple[_Free, ...]
    translated: Translated
    shown: ShownForm | None = None
    """If a flow of the form was shown before."""

    def show(self, match: Match, shown: Shown) -> None:
        """Learn what is said of the flow with this match."""
        places = _places(shown.key, 0, len(shown.key))
        fields = [match.mask[place][0] for place, _, _ in self.free]
        if not all(field in places for field in fields):
            return
        key, copies = int.from_bytes(shown.key, "big"), []
        for (place, _, mask), field in zip(self.free, fields, strict=True):
            left = 8 * (len(shown.key) - places[field][1])
            key &= ~(mask << left)
            copies.append((place, left))
        self.shown = ShownForm(key, len(shown.key), tuple(copies), shown.mask, shown.actions)

    def read(self, data: bytes, priority: int) -> tuple[bytes, EntryKey]:
        """The UFID in a message, and the key of the entry for it."""
        number = int.from_bytes(data, "big")
        values = list(self.match.values)
        for place, shift, mask in self.free:
            values[place] = number >> shift & mask
        match = Match.under(self.match.mask, tuple(values))
        return data[self.ufid : self.ufid + _UFID_SIZE], EntryKey(0, priority, match)


class KnownForms:
    """The forms of requests for new flows that were understood lately: those with a UFID that
    want no echo."""

    def __init__(self) -> None:
        self._forms: OrderedDict[tuple[int, bytes], list[Form]] = OrderedDict()

    def of(self, requests: Sequence[bytes], most: int) -> list[Form]:
        """The forms of the first of these requests, as many as have a known one."""
        found: list[Form] = []
        known = self._forms
        for data in requests[:most]:
            forms = known.get((len(data), data[-_END:]))
            if forms is None:
                break
            number = int.from_bytes(data[_START:], "big")
            for form in forms:
                if number & form.same == form.value:
                    found.append(form)
                    break
            else:
                break
        return found

    def learn(self, data: bytes, key: EntryKey, translated: Translated) -> Form | None:
        """Note the form of a message that was decoded, checked and translated to this."""
        form = _form(data, key, translated)
        if form is not None:
            forms = self._forms.setdefault((len(data), data[-_END:]), [])
            forms.insert(0, form)
            del forms[_OF_ONE:]
            if len(self._forms) > KEPT:
                self._forms.popitem(last=False)
        return form


def _form(data: bytes, key: EntryKey, translated: Translated) -> Form | None:
    header = Header.unpack(data)
    if header.flags & ECHO:
        return None
    same = bytearray(b"\xff" * (len(data) - _START))
    same[_ADDRESSED] = bytes(HEADER_SIZE - 8)
    found: dict[str, tuple[int, int]] = {}
    ufid = None
    for number, start, end in frames(data, _ATTRIBUTES, len(data)):
        attribute = FLOW.attributes.by_number.get(number)
        if attribute is None or attribute.name not in _SIMPLE:
            return None
        if attribute.name == "ufid":
            if end - start != _UFID_SIZE:
                return None
            ufid = start
            _clear(same, start, end)
        elif attribute.name == "key":
            found = _places(data, start, end)
    if ufid is None:
        return None
    free = []
    for place, term in enumerate(key.match.terms):
        where = found.get(term.field)
        if where is not None:
            free.append(_Free(place, 8 * (len(data) - where[1]), term.mask))
    for start, end in found.values():
        _clear(same, start, end)
    bits = int.from_bytes(same, "big")
    value = int.from_bytes(data[_START:], "big") & bits
    (datapath,) = _datapath.unpack_from(data, _ATTRIBUTES - FLOW.header)
    acknowledged = bool(header.flags & ACK)
    return Form(bits, value, datapath, acknowledged, ufid, key.match, tuple(free), translated)


def _places(data: bytes, start: int, end: int) -> dict[str, tuple[int, int]]:
    """Where in the message the values of free fields are."""
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


def _clear(same: bytearray, start: int, end: int) -> None:
    same[start - _START : end - _START] = bytes(end - start)
