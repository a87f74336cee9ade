"""One row of Port with its interfaces: the port that it asks for, or why there is none. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from hotswitch.config.notes import Note
from hotswitch.config.read_bridge import BridgeReading
from hotswitch.config.read_single import read_single
from hotswitch.config.read_vif import read_vif
from hotswitch.config.rows import Row, Table, Uuid, members, number, pairs, text
from hotswitch.config.settings import Remarker, boolean
from hotswitch.switch.desired import DesiredPort


@dataclass(frozen=True, slots=True)
class PortReading:
    """What a row of Port says.

    port: None if it can't be had, for which there is a note.
    name: what it is called, or would be.
    interfaces: its rows of Interface that are there, and their names.
    had: the number that the database says the port has had.
    """

    uuid: Uuid
    name: str
    port: DesiredPort | None
    interfaces: tuple[tuple[Uuid, str], ...]
    notes: tuple[Note, ...]
    had: int = 0

    def place(self, interface: str) -> str:
        """The name of the switch's port that the interface of this name is of."""
        return self.port.name if self.port else interface

    def keys(self, bridge: str) -> list[tuple[str, str]]:
        """The bridge's name with those of the switch's ports that its interfaces are of."""
        return sorted({(bridge, self.place(name)) for _, name in self.interfaces})

    def rows(self, name: str) -> tuple[Uuid, ...]:
        """The interfaces of the switch's port of this name."""
        return tuple(uuid for uuid, interface in self.interfaces if self.place(interface) == name)


def read_port(of: BridgeReading, uuid: Uuid, row: Row, interfaces: Table) -> PortReading:
    """Read one row of Port of a bridge."""
    bridge = of.name
    remarks = Remarker("Port", uuid, text(row, "name"))
    remarks.look_through(row)
    found = [(each, interfaces[each]) for each in members(row, "interfaces") if each in interfaces]
    found.sort(key=lambda item: text(item[1], "name"))
    names = tuple((each, text(interface, "name")) for each, interface in found)
    is_vif = remarks.setting(pairs(row, "other_config"), "vif", boolean, False)
    if is_vif and bridge in (remarks.name, *(name for _, name in names)):
        remarks.ignore("other_config:vif (it is the bridge's local port)")
        is_vif = False
    if not found or (len(found) > 1 and not is_vif):
        why = f"port {remarks.name} has {len(found)} interfaces; bonds are not supported yet"
        if not found:
            why = f"port {remarks.name} has no interface"
        remarks.refuse(why)
        refused = [Note("Interface", each, name, why, refused=True) for each, name in names]
        return PortReading(uuid, remarks.name, None, names, (*remarks.notes, *refused))
    of_interfaces = [Remarker("Interface", each, name) for each, name in names]
    for each, (_, interface) in zip(of_interfaces, found, strict=True):
        each.look_through(interface)
    rows = [interface for _, interface in found]
    if is_vif:
        port = read_vif(bridge, row, rows, remarks, of_interfaces)
    else:
        port = read_single(of, row, rows[0], remarks, of_interfaces[0])
    had = next((given for each in rows if (given := number(each, "ofport") or 0) > 0), 0)
    notes = (*remarks.notes, *(note for each in of_interfaces for note in each.notes))
    name = remarks.name if is_vif else of_interfaces[0].name
    return PortReading(uuid, name, port, names, notes, had)
