"""From what is wanted and what is there to the steps between them. Pure.

Deletions come first, over all bridges, so that a link that moves is free before it is taken. A
new port gets its link last: until its entries are in force, no packet comes in by it.

A plan may end short of the goal where it makes a link, whose index only a new look can tell;
carried out from any point, planning again leads on to the goal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

from hotswitch.datapath.contract import Change, DeleteEntry, PutEntry
from hotswitch.model.entry import Entry, EntryKey
from hotswitch.model.port import Port
from hotswitch.switch.binding import Binding, bindings
from hotswitch.switch.desired import Desired, DesiredBridge, PortKind
from hotswitch.switch.making import Making, sort_out
from hotswitch.switch.marks import cable_names, inside_name, mark
from hotswitch.switch.observed import Observed, ObservedDatapath
from hotswitch.switch.pipeline import INGRESS, all_ports, entries, meters
from hotswitch.switch.steps import (
    AddPort,
    BindPort,
    ChangeEntries,
    CreateCable,
    CreateDatapath,
    CreateInternalLink,
    CreateTap,
    DeleteDatapath,
    DeleteLink,
    DeleteMeter,
    DeletePort,
    ForgetAddresses,
    PutMeter,
    SetAddress,
    SetAddressLimit,
    SetLinkUp,
    SetMtu,
    SetPromiscuous,
    Step,
)
from hotswitch.switch.vlans import port_vlans

_NOTHING_THERE = ObservedDatapath()
_CABLE_MTU = 65535
"""The most that a veth takes: a cable is no bottleneck."""


def plan(desired: Desired, observed: Observed) -> list[Step]:
    """The steps from `observed` to `desired`; none if nothing differs."""
    making = sort_out(desired, observed)
    bound = bindings(desired, making)
    kept = {each.ifindex for ports in bound.values() for each in ports.values()} | making.gone
    return [
        *_delete_bridges(desired, observed, kept),
        *(step for name in desired.bridges for step in _release(name, bound[name], observed, kept)),
        *_delete_links(desired, making),
        *(
            step
            for bridge in desired.bridges.values()
            for step in _build(bridge, bound[bridge.name], observed)
        ),
    ]


def _delete_bridges(desired: Desired, observed: Observed, kept: Set[int]) -> Iterator[Step]:
    for name in sorted({*observed.datapaths} - {*desired.bridges}):
        for port in observed.datapaths[name].ports.values():
            yield from _let_go(name, port, observed, kept)
        yield DeleteDatapath(name)


def _delete_links(desired: Desired, making: Making) -> Iterator[Step]:
    """Delete what was made and is wanted no longer. Its bridge is where its port is or was."""
    there = {
        port.name: name
        for name, datapath in making.observed.datapaths.items()
        for port in datapath.ports.values()
    }
    wanted = {
        port.name: name for name, bridge in desired.bridges.items() for port in all_ports(bridge)
    }
    homes = there | wanted
    for port, link in making.doomed:
        yield DeleteLink(homes.get(port, port), port, link.index)


def _release(
    name: str, bound: Mapping[str, Binding], observed: Observed, kept: Set[int]
) -> Iterator[Step]:
    """Delete ports and unbind links that are wanted here no longer."""
    for number, port in sorted(observed.datapaths.get(name, _NOTHING_THERE).ports.items()):
        binding = bound.get(port.name)
        if binding is None or binding.number != number:
            yield from _let_go(name, port, observed, kept)
            yield DeletePort(name, port.name, number)
        elif port.ifindex and port.ifindex != binding.ifindex:
            yield from _let_go(name, port, observed, kept)
            yield BindPort(name, port.name, number, 0, port.hook)


def _let_go(name: str, port: Port, observed: Observed, kept: Set[int]) -> Iterator[Step]:
    """Leave a link as it was found, unless it only changes ports or goes itself."""
    link = observed.links.by_index.get(port.ifindex)
    if link and link.promiscuous and link.index not in kept:
        yield SetPromiscuous(name, port.name, link.index, promiscuous=False)


def _build(
    bridge: DesiredBridge, bound: Mapping[str, Binding], observed: Observed
) -> Iterator[Step]:
    """Everything of one bridge that is wanted and not there."""
    there = observed.datapaths.get(bridge.name, _NOTHING_THERE)
    numbers = {name: binding.number for name, binding in bound.items()}
    if bridge.name not in observed.datapaths:
        yield CreateDatapath(bridge.name, bridge.address_limit)
    elif there.address_limit != bridge.address_limit:
        yield SetAddressLimit(bridge.name, bridge.address_limit)
    ports = {port.name: port for port in there.ports.values()}
    for port in all_ports(bridge):
        number = numbers[port.name]
        if port.name not in ports or ports[port.name].number != number:
            yield AddPort(bridge.name, port.name, number, port.hook)

    wanted_meters = meters(bridge, numbers)
    names = {number: name for name, number in numbers.items()}
    for number, meter in wanted_meters.items():
        if there.meters.get(number) != meter:
            yield PutMeter(bridge.name, names[number], meter)
    changes = _changes(entries(bridge, numbers), there.entries)
    if changes:
        yield ChangeEntries(bridge.name, changes)
    for number in there.meters.keys() - wanted_meters.keys():
        yield DeleteMeter(bridge.name, number)
    yield from _forget(bridge, numbers, there, changes)
    yield from _create_links(bridge, bound, observed.owner)
    yield from _bind(bridge, bound, ports)
    yield from _address(bridge, bound)
    yield from _set_mtu(bridge, bound, observed)


def _create_links(
    bridge: DesiredBridge, bound: Mapping[str, Binding], owner: str
) -> Iterator[Step]:
    """Make the links that hotswitch makes; a cable by that of its ports whose name sorts first."""
    for port in all_ports(bridge):
        name, kind = port.name, port.kind
        if bound[name].link or bound[name].error:
            continue
        if kind is PortKind.INTERNAL:
            inside = inside_name(owner, name)
            yield CreateInternalLink(bridge.name, name, inside, mark(owner, kind, name))
        elif kind is PortKind.TAP:
            yield CreateTap(bridge.name, name, mark(owner, kind, name))
        elif kind is PortKind.PATCH and name < port.peer:
            names = cable_names(owner, name)
            marks = (mark(owner, kind, name), mark(owner, kind, port.peer))
            yield CreateCable(bridge.name, name, port.peer, names, marks, _CABLE_MTU)


def _changes(
    wanted: Mapping[EntryKey, Entry], there: Mapping[EntryKey, Entry]
) -> tuple[Change, ...]:
    deletes = (DeleteEntry(key) for key in there if key not in wanted)
    puts = (
        PutEntry(entry)
        for key, entry in wanted.items()
        if (now := there.get(key)) is not entry and now != entry
    )
    return (*deletes, *puts)


def _forget(
    bridge: DesiredBridge,
    numbers: Mapping[str, int],
    there: ObservedDatapath,
    changes: tuple[Change, ...],
) -> Iterator[Step]:
    """For ports that were there before and take frames differently now."""
    changed = {
        term.value
        for change in changes
        for key in (change.key if isinstance(change, DeleteEntry) else change.entry.key,)
        if key.table == INGRESS
        for term in key.match
        if term.field == "in_port"
    }
    for port in all_ports(bridge):
        number = numbers[port.name]
        if number in changed and number in there.ports:
            yield ForgetAddresses(bridge.name, port.name, number, port_vlans(port))


def _bind(
    bridge: DesiredBridge, bound: Mapping[str, Binding], ports: Mapping[str, Port]
) -> Iterator[Step]:
    """Bind ports to links. A link is set up once, when it is bound: people may set it down."""
    for port in all_ports(bridge):
        binding = bound[port.name]
        link = binding.link
        there = ports.get(port.name)
        is_same_port = there is not None and there.number == binding.number
        now = there.ifindex if there and is_same_port else 0
        if link and not link.promiscuous:
            yield SetPromiscuous(bridge.name, port.name, link.index, promiscuous=True)
        if link and now != link.index and not link.up:
            yield SetLinkUp(bridge.name, port.name, link.index)
        hook = there.hook if there and is_same_port else port.hook
        if (now, hook) != (binding.ifindex, port.hook):
            yield BindPort(bridge.name, port.name, binding.number, binding.ifindex, port.hook)


def _address(bridge: DesiredBridge, bound: Mapping[str, Binding]) -> Iterator[Step]:
    for port in all_ports(bridge):
        device = bound[port.name].device
        if device and port.mac and device.address != port.mac:
            yield SetAddress(bridge.name, port.name, device.index, port.mac)


def _set_mtu(
    bridge: DesiredBridge, bound: Mapping[str, Binding], observed: Observed
) -> Iterator[Step]:
    """Internal ports follow the smallest of the links to elsewhere, as on other bridges."""
    ports = [(port, link) for port in all_ports(bridge) if (link := bound[port.name].link)]
    outward = [link.mtu for port, link in ports if port.kind in (PortKind.SYSTEM, PortKind.TAP)]
    usual = {PortKind.INTERNAL: min(outward, default=0), PortKind.PATCH: _CABLE_MTU}
    for port, link in ports:
        wanted = port.mtu or usual.get(port.kind, 0)
        for end in observed.links.ends(link) if port.kind is PortKind.INTERNAL else (link,):
            if wanted and end.mtu != wanted:
                yield SetMtu(bridge.name, port.name, end.index, wanted)
