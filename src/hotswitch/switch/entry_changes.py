"""From one layout of a bridge to the next: which entries come and go. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hotswitch.datapath.contract import Change, DeleteEntry, PutEntry
from hotswitch.model.entry import Entry, EntryKey
from hotswitch.switch.bridge_layout import BridgeLayout
from hotswitch.switch.pipeline import (
    common_entries,
    flood_entries,
    port_entries,
    trunk_entries,
)


def entry_changes(
    bridge: BridgeLayout, then: BridgeLayout | None, there: Mapping[EntryKey, Entry]
) -> Iterator[Change]:
    """What makes the entries that are there those of the bridge; deletions come first.

    then: what the bridge was when they were made; None: not known, so all are looked at.
    """
    if then is None:
        names = set(bridge.ports)
        known = there.keys()
    else:
        names = bridge.differing(then)
        known = _entries(then, bridge, names).keys()
    wanted = _entries(bridge, then, names)
    for key in known:
        if key not in wanted and key in there:
            yield DeleteEntry(key)
    for key, entry in wanted.items():
        if (now := there.get(key)) is not entry and now != entry:
            yield PutEntry(entry)


def _entries(
    bridge: BridgeLayout, other: BridgeLayout | None, names: set[str]
) -> dict[EntryKey, Entry]:
    """The entries of a bridge that the other one may not have; `names`: ports that differ."""
    found: dict[EntryKey, Entry] = {}
    for name in names:
        if name in bridge.ports:
            found |= port_entries(bridge.numbers.by_name[name], bridge.ports[name])
    if other is None or _common(other) != _common(bridge):
        found |= common_entries(*_common(bridge))
    if other is None or other.floods.everywhere != bridge.floods.everywhere:
        found |= trunk_entries(bridge.floods)
    vlans = bridge.floods.vlans if other is None else bridge.floods.differing(other.floods)
    return found | flood_entries(bridge.floods, vlans)


def _common(bridge: BridgeLayout) -> tuple[bool, bool]:
    return bridge.bridge.forward_reserved, bridge.limited > 0
