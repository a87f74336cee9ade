"""Flows like one that was understood before: then only the addresses and ports are read.

Many flows differ in addresses and ports alone. Once one of them has been decoded, checked and
translated, what all of them have in common is kept: the bytes of the message that must be the
same, and where in it the values stand that the match takes (`alike`).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hotswitch.model.entry import EntryKey
from hotswitch.model.match import Match
from hotswitch.netlink.actions import Translated
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.flags import ACK, ECHO
from hotswitch.netlink.message import Header
from hotswitch.netlink.server.alike import ATTRIBUTES, ByLikeness, layout

KEPT = 4096
"""Forms of messages that are kept, at most."""

_datapath = struct.Struct("=i")
_UFID_SIZE = 16


class _Free(NamedTuple):
    """A value of the match that is read from the message."""

    place: int
    shift: int
    mask: int


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """What messages that are alike have in common.

    datapath: its number. acknowledged: they want an acknowledgement. ufid: where the UFID is.
    match: of one of them; the values in `free` are read.
    """

    datapath: int
    acknowledged: bool
    ufid: int
    match: Match
    free: tuple[_Free, ...]
    translated: Translated

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
        self._forms: ByLikeness[Form] = ByLikeness(KEPT)

    def of(self, requests: Sequence[bytes], most: int) -> list[Form]:
        """The forms of the first of these requests, as many as have a known one."""
        found: list[Form] = []
        find = self._forms.find
        for data in requests[:most]:
            form = find(data)
            if form is None:
                break
            found.append(form)
        return found

    def learn(self, data: bytes, key: EntryKey, translated: Translated) -> Form | None:
        """Note the form of a message that was decoded, checked and translated to this."""
        header = Header.unpack(data)
        found = None if header.flags & ECHO else layout(data)
        if found is None:
            return None
        free = tuple(
            _Free(place, 8 * (len(data) - found.fields[term.field][1]), term.mask)
            for place, term in enumerate(key.match.terms)
            if term.field in found.fields
        )
        (datapath,) = _datapath.unpack_from(data, ATTRIBUTES - FLOW.header)
        acknowledged = bool(header.flags & ACK)
        form = Form(datapath, acknowledged, found.ufid, key.match, free, translated)
        self._forms.put(data, found.same, form)
        return form
