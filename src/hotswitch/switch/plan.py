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
from hotswitch.switch.desired import Desired, DesiredBridge
from hotswitch.switch.observed import Observed, ObservedDatapath, inside_name, local_mark
from hotswitch.switch.pipeline import INGRESS, all_ports, entries, meters
from hotswitch.switch.steps import (
    AddPort,
    BindPort,
    ChangeEntries,
    CreateDatapath,
    CreateLocalLink,
    DeleteDatapath,
    DeleteLocalLink,
    DeleteMeter,
    DeletePort,
    ForgetAddresses,
    MarkLocalLink,
    PutMeter,
    SetLinkUp,
    SetMtu,
    SetPromiscuous,
    Step,
)
from hotswitch.switch.vlans import port_vlans

_NOTHING_THERE = ObservedDatapath()


def plan(desired: Desired, observed: Observed) -> list[Step]:
    """The steps from `observed` to `desired`; none if nothing differs."""
    bound = bindings(desired, observed)
    kept = {each.ifindex for ports in bound.values() for each in ports.values()}
    return [
        *_delete_bridges(desired, observed, kept),
        *(step for name in desired.bridges for step in _release(name, bound[name], observed, kept)),
        *(
            step
            for bridge in desired.bridges.values()
            for step in _build(bridge, bound[bridge.name], observed)
        ),
    ]


def _delete_bridges(desired: Desired, observed: Observed, kept: Set[int]) -> Iterator[Step]:
    for name in sorted({*observed.datapaths, *observed.insides} - {*desired.bridges}):
        datapath = observed.datapaths.get(name, _NOTHING_THERE)
        inside = observed.insides.get(name)
        for port in datapath.ports.values():
            if not inside or port.ifindex != inside.index:
                yield from _let_go(name, port, observed, kept)
        if inside:
            yield DeleteLocalLink(name, inside.index, port=name)
        if name in observed.datapaths:
            yield DeleteDatapath(name)


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
    """Leave a link as it was found, unless it only changes ports."""
    link = observed.by_index.get(port.ifindex)
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
    yield from _local_link(bridge.name, bound[bridge.name], observed)
    yield from _bind(bridge, bound, ports)
    yield from _local_mtu(bridge.name, bound, observed)


def _local_link(name: str, local: Binding, observed: Observed) -> Iterator[Step]:
    mark = local_mark(observed.owner, name)
    if local.link and mark not in local.link.alternative_names:
        yield MarkLocalLink(name, local.link.index, mark, port=name)
    elif not local.link and not local.error:
        yield CreateLocalLink(name, inside_name(observed.owner, name), mark, port=name)


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


def _local_mtu(name: str, bound: Mapping[str, Binding], observed: Observed) -> Iterator[Step]:
    """The local link's MTU is the smallest of the other ports', as on other bridges."""
    inside = bound[name].link
    others = [each.link.mtu for port, each in bound.items() if each.link and port != name]
    if not inside or not others:
        return
    for end in (inside, observed.other_end(inside)):
        if end and end.mtu != min(others):
            yield SetMtu(name, name, end.index, min(others))
