"""Settings that the database has without effect, taken back by who names them. Pure.

A setting that is not acted on is not part of what is wanted, so `edit` finds nothing to change when
somebody sets it to what is usual; but it must not come in force some day after that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from hotswitch.config.operations import Operation, mutate
from hotswitch.config.reading import Reading
from hotswitch.config.rows import Tables, Uuid, pairs

_OF_BRIDGE: Mapping[str, tuple[str, ...]] = {
    "ageing_time": ("mac-aging", "mac-aging-time"),
    "address_limit": ("mac-table-size",),
    "forward_reserved": ("forward-bpdu",),
    "lifecycle": ("default-lifecycle",),
    "adopt": ("adopt",),
    "facade": ("facade",),
}
_OF_PORT: Mapping[str, tuple[str, ...]] = {
    "storm_limit": ("storm-limit",),
    "lifecycle": ("lifecycle",),
}
_OF_INTERFACE: Mapping[str, tuple[str, ...]] = {
    "hook": ("hook",),
    "link": ("link",),
    "follow_rename": ("follow-rename",),
}
"""By the field of a request, the keys of other_config."""


def clearing(
    tables: Tables, reading: Reading, bridge: str, port: str, fields: Collection[str]
) -> list[Operation]:
    """What deletes the keys of these fields, of a port in force or, if that is empty, a bridge."""
    found = []
    for table, row, known in _rows(reading, bridge, port):
        there = pairs(tables.get(table, {}).get(row, {}), "other_config")
        keys = [key for field in fields for key in known.get(field, ()) if key in there]
        if keys:
            found.append(mutate(table, row, ["other_config", "delete", ["set", sorted(keys)]]))
    return found


def _rows(
    reading: Reading, bridge: str, port: str
) -> Iterator[tuple[str, Uuid, Mapping[str, tuple[str, ...]]]]:
    if not port:
        for row, each in reading.bridges.items():
            if each.name == bridge:
                yield "Bridge", row, _OF_BRIDGE
        return
    interfaces = reading.rows.get((bridge, port), ())
    for row in dict.fromkeys(reading.interfaces[each].port for each in interfaces):
        yield "Port", row, _OF_PORT
    for row in interfaces:
        yield "Interface", row, _OF_INTERFACE
