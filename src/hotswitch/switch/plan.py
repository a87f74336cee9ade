"""From what is wanted and what is there to the steps between them. Pure.

Deletions come first, over all bridges, so that a link that moves is free before it is taken. A
new port gets its link last: until its entries are in force, no packet comes in by it.

A plan may end short of the goal where it makes a link, whose index only a new look can tell;
carried out from any point, planning again leads on to the goal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import replace

from hotswitch.datapath.contract import Change, DeleteEntry, PutEntry
from hotswitch.model.entry import Entry, EntryKey
from hotswitch.model.port import Port
from hotswitch.ports.members import lives
from hotswitch.switch.binding import Binding, bindings, lives_of
from hotswitch.switch.desired import Desired, DesiredBridge, PortKind
from hotswitch.switch.making import Making, sort_out
from hotswitch.switch.marks import cable_names, former_mark, former_names, inside_name, mark
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
    KeepName,
    PutMeter,
    SetAddress,
    SetAddressLimit,
    SetLinkUp,
    SetMtu,
    SetPromiscuous,
    Step,
    TakeNames,
)
from hotswitch.switch.vlans import port_vlans

_NOTHING_THERE = ObservedDatapath()
_CABLE_MTU = 65535
"""The most that a veth takes: a cable is no bottleneck."""


def plan(desired: Desired, observed: Observed) -> list[Step]:
    """The steps from `observed` to `desired`; none if nothing differs."""
    making = sort_out(desired, observed)
    bound = bindings(desired, making)
    takers = {
        link.index: (bridge, port)
        for bridge, ports in bound.items()
        for port, binding in ports.items()
        for link in binding.links
    }
    kept = takers.keys() | making.gone
    return [
        *_delete_bridges(desired, observed, kept),
        *(
            step
            for name in desired.bridges
            for step in _release(name, bound[name], observed, kept, takers)
        ),
        *_take_names(observed, bound, takers),
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
    name: str,
    bound: Mapping[str, Binding],
    observed: Observed,
    kept: Set[int],
    takers: Mapping[int, tuple[str, str]],
) -> Iterator[Step]:
    """Delete ports, and unbind links that are wanted here no longer.

    Where a port only changes links that no other port waits for, binding it is one step, later.
    """
    for number, port in sorted(observed.datapaths.get(name, _NOTHING_THERE).ports.items()):
        binding = bound.get(port.name)
        if binding is None or binding.number != number:
            yield from _let_go(name, port, observed, kept)
            yield DeletePort(name, port.name, number)
            continue
        yield from _let_go(name, port, observed, kept)
        here = name, port.name
        indexes = (life.ifindex for life in lives_of(port))
        contested = {each for each in indexes if takers.get(each, here) != here}
        if port.ifindex and (port.ifindex in contested or not binding.link):
            yield BindPort(name, replace(port, ifindex=0, incarnation=0, standby=()))
        elif contested:
            rest = tuple(life for life in port.standby if life.ifindex not in contested)
            yield BindPort(name, replace(port, standby=rest))


def _let_go(name: str, port: Port, observed: Observed, kept: Set[int]) -> Iterator[Step]:
    """Leave links as they were found, unless they only change ports or go themselves."""
    for life in lives_of(port):
        link = observed.links.by_index.get(life.ifindex)
        if link and lives(life, link) and link.promiscuous and link.index not in kept:
            yield SetPromiscuous(name, port.name, link.index, promiscuous=False)


def _take_names(
    observed: Observed,
    bound: Mapping[str, Mapping[str, Binding]],
    takers: Mapping[int, tuple[str, str]],
) -> Iterator[Step]:
    """Take old names back from links that are not their ports' any more, or are called so again."""
    for link in observed.links.by_index.values():
        for name in former_names(observed.owner, link) if link.alternative_names else ():
            bridge, port = takers.get(link.index, ("", ""))
            members = bound[bridge][port].members if bridge else {}
            if members.get(name) != link or link.name == name:
                given = (name, former_mark(observed.owner, name))
                there = tuple(each for each in given if each in link.alternative_names)
                yield TakeNames(bridge, port or name, link.index, there)


def _keep_names(
    bridge: DesiredBridge, bound: Mapping[str, Binding], observed: Observed
) -> Iterator[Step]:
    """A link that was renamed stays known by its configured name, where that is free.

    The mark outlasts the name, so that a person can take it away.
    """
    for port in bridge.ports.values():
        links = bound[port.name].members
        for member in port.members if links else ():
            link = links.get(member.name)
            if link is None or link.name == member.name or not member.has_usual_name:
                continue
            mark = former_mark(observed.owner, member.name)
            if member.name not in observed.links.by_name and mark not in link.alternative_names:
                yield KeepName(bridge.name, port.name, link.index, member.name, mark)


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
    yield from _keep_names(bridge, bound, observed)
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
        there = ports.get(port.name)
        if there is None or there.number != binding.number:
            there = Port(binding.number, port.name, hook=port.hook)
        has = lives_of(there)
        for link in binding.links:
            if not link.promiscuous:
                yield SetPromiscuous(bridge.name, port.name, link.index, promiscuous=True)
            if not link.up and not any(lives(life, link) for life in has):
                yield SetLinkUp(bridge.name, port.name, link.index)
        wanted = binding.port(port, there)
        if wanted != there:
            yield BindPort(bridge.name, wanted)


def _address(bridge: DesiredBridge, bound: Mapping[str, Binding]) -> Iterator[Step]:
    for port in all_ports(bridge):
        device = bound[port.name].device
        if device and port.mac and device.address != port.mac:
            yield SetAddress(bridge.name, port.name, device.index, port.mac)


def _set_mtu(
    bridge: DesiredBridge, bound: Mapping[str, Binding], observed: Observed
) -> Iterator[Step]:
    """Internal ports follow the smallest of the links to elsewhere, as on other bridges."""
    ports = [(port, link) for port in all_ports(bridge) for link in bound[port.name].links]
    outward = [link.mtu for port, link in ports if port.kind in (PortKind.SYSTEM, PortKind.TAP)]
    usual = {PortKind.INTERNAL: min(outward, default=0), PortKind.PATCH: _CABLE_MTU}
    for port, link in ports:
        wanted = port.mtu or usual.get(port.kind, 0)
        for end in observed.links.ends(link) if port.kind is PortKind.INTERNAL else (link,):
            if wanted and end.mtu != wanted:
                yield SetMtu(bridge.name, port.name, end.index, wanted)
