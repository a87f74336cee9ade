"""Which ports a frame to an unknown destination leaves by, VLAN by VLAN: a value that is shared.

`pipeline` makes the entries of it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hotswitch.base.shared import SharedMap
from hotswitch.switch.vlans import PortVlans

Members = tuple[int, ...]
"""Numbers of ports, sorted."""


@dataclass(frozen=True, slots=True)
class Floods:
    """everywhere: the trunks of all VLANs. zero: those to which VLAN 0 is flooded.

    tagged: by VLAN, those that list it. bare: by VLAN, those that it leaves without a tag.
    native: by VLAN, those whose untagged frames are in it; VLAN 0 is not told.
    """

    everywhere: Members = ()
    zero: Members = ()
    tagged: SharedMap[int, Members] = field(default_factory=SharedMap)
    bare: SharedMap[int, Members] = field(default_factory=SharedMap)
    native: SharedMap[int, Members] = field(default_factory=SharedMap)

    def having(self, gone: Mapping[int, PortVlans], come: Mapping[int, PortVlans]) -> Floods:
        """The successor without the ones, which are there as given, and with the others."""
        out, into = _Groups(gone), _Groups(come)
        everywhere = _changed(self.everywhere, out.everywhere, into.everywhere)
        zero = _changed(self.zero, out.zero, into.zero)
        return Floods(
            everywhere,
            everywhere if zero == everywhere else zero,  # what is one object is looked at once
            _all_changed(self.tagged, out.tagged, into.tagged),
            _all_changed(self.bare, out.bare, into.bare),
            _all_changed(self.native, out.native, into.native),
        )

    @property
    def vlans(self) -> set[int]:
        """Those that need entries of their own."""
        return {0, *self.tagged, *self.bare, *self.native}

    def differing(self, other: Floods) -> set[int]:
        """The VLANs for which the two are different, or that are told of in one only."""
        if self.everywhere != other.everywhere:
            return self.vlans | other.vlans
        found = {
            *self.tagged.differing(other.tagged),
            *self.bare.differing(other.bare),
            *self.native.differing(other.native),
        }
        return found | {0} if self.zero != other.zero else found


class _Groups:
    def __init__(self, ports: Mapping[int, PortVlans]) -> None:
        self.everywhere = [number for number, each in ports.items() if each.tagged is None]
        self.zero = [number for number, each in ports.items() if each.floods(0)]
        self.tagged: dict[int, list[int]] = {}
        self.bare: dict[int, list[int]] = {}
        self.native: dict[int, list[int]] = {}
        for number, each in ports.items():
            for vlan in each.tagged or ():
                self.tagged.setdefault(vlan, []).append(number)
            if each.bare is not None:
                self.bare.setdefault(each.bare, []).append(number)
            if each.native:
                self.native.setdefault(each.native, []).append(number)


def _all_changed(
    before: SharedMap[int, Members],
    out: Mapping[int, Iterable[int]],
    into: Mapping[int, Iterable[int]],
) -> SharedMap[int, Members]:
    changed = {
        vlan: _changed(before.get(vlan, ()), out.get(vlan, ()), into.get(vlan, ()))
        for vlan in {*out, *into}
    }
    return before.having(
        {vlan: members for vlan, members in changed.items() if members},
        [vlan for vlan, members in changed.items() if not members],
    )


def _changed(before: Members, out: Iterable[int], into: Iterable[int]) -> Members:
    gone, come = set(out), set(into)
    if gone == come:
        return before
    if len(gone) + len(come) > 8:
        return tuple(sorted((set(before) - gone) | come))
    members = list(before)
    for number in gone - come:
        del members[bisect_left(members, number)]
    for number in come - gone:
        members.insert(bisect_left(members, number), number)
    return tuple(members)
