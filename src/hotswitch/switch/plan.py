"""From what is wanted and what is there to the steps between them. Pure.

Deletions come first, over all bridges, so that a link that moves is free before it is taken. A
new port gets its link last: until its entries are in force, no packet comes in by it.

A plan may end short of the goal where it makes a link, whose index only a new look can tell;
carried out from any point, planning again leads on to the goal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace

from hotswitch.datapath.contract import Change, DeleteEntry
from hotswitch.kernel.links import Link
from hotswitch.model.port import Port, Side
from hotswitch.ports.members import lives
from hotswitch.switch.addresses import derived
from hotswitch.switch.binding import lives_of
from hotswitch.switch.bridge_layout import BridgeLayout
from hotswitch.switch.desired import Desired, DesiredPort, PortKind
from hotswitch.switch.entry_changes import entry_changes
from hotswitch.switch.kept_names import keep_names, take_names
from hotswitch.switch.laying_out import lay_out
from hotswitch.switch.layout import NOTHING, Layout, finder
from hotswitch.switch.letting_go import let_go, mark_let_go, take_marks
from hotswitch.switch.link_table import LinkTable
from hotswitch.switch.marks import (
    cable_names,
    inside_name,
    mark,
)
from hotswitch.switch.observed import Observed, ObservedDatapath
from hotswitch.switch.pipeline import INGRESS, meter_of
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
    MoveLink,
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
    return work(lay_out(desired, observed), observed)


def work(layout: Layout, observed: Observed, before: Layout = NOTHING) -> list[Step]:
    """The steps to a layout from what is there, which is as `before`, from which it was made."""
    freed = _freed(layout, before)
    focus = [
        _Focus.on(bridge, before, observed.datapaths.get(name, _NOTHING_THERE), freed)
        for name, bridge in layout.bridges.items()
    ]
    return [
        *_delete_bridges(layout, before, observed),
        *(step for each in focus for step in _release(each, layout, before, observed)),
        *take_names(layout, before, observed.owner),
        *take_marks(layout, before, observed.owner),
        *_delete_links(layout, before, observed),
        *(step for each in focus for step in _build(each, observed)),
    ]


@dataclass(frozen=True)
class _Focus:
    """What to look at of a bridge.

    then: what it was, if it was there. names: the ports to look at, gone ones too. ports: those
    that are wanted, the local one first, the others by name.
    """

    bridge: BridgeLayout
    then: BridgeLayout | None
    there: ObservedDatapath
    names: Set[str]
    ports: Sequence[DesiredPort]
    present: Callable[[str], Port | None]

    @staticmethod
    def on(
        bridge: BridgeLayout, before: Layout, there: ObservedDatapath, freed: Set[str]
    ) -> _Focus:
        """freed: ports that are to be looked at too, of whichever bridge."""
        name = bridge.bridge.name
        then = before.bridges.get(name)
        if then is None:
            names = {*bridge.ports, *(port.name for port in there.ports.values())}
        else:
            names = bridge.differing(then)
            names |= {each for each in (*before.unsettled, *freed) if each in bridge.ports}
            if bridge.mtu != then.mtu:
                names |= {each.name for each in bridge.ports.values() if _is_internal(each)}
            if bridge.address != then.address:
                names |= {name}
        ports = [bridge.ports[each] for each in names if each in bridge.ports]
        ports.sort(key=lambda port: (port.name != name, port.name))
        return _Focus(bridge, then, there, names, ports, finder(then, there.ports))

    @property
    def name(self) -> str:
        return self.bridge.bridge.name


def _freed(layout: Layout, before: Layout) -> set[str]:
    """The ports that are configured with names which others' links have just given up."""
    found = set()
    for index in layout.links.by_index.differing(before.links.by_index):
        link = before.links.by_index.get(index)
        for name in (link.name, *link.alternative_names) if link else ():
            if name not in layout.links.by_name:
                found.add(layout.members.get(name, name))
    return found


def _is_internal(port: DesiredPort) -> bool:
    return port.kind is PortKind.INTERNAL


def _delete_bridges(layout: Layout, before: Layout, observed: Observed) -> Iterator[Step]:
    for name in sorted({*observed.datapaths} - {*layout.bridges}):
        for port in observed.datapaths[name].ports.values():
            yield from let_go(name, port, layout, before)
        yield DeleteDatapath(name)


def _delete_links(layout: Layout, before: Layout, observed: Observed) -> Iterator[Step]:
    """Delete what was made and is wanted no longer. Its bridge is where its port is or was."""
    if not layout.doomed:
        return
    there = {
        port.name: name
        for name, datapath in observed.datapaths.items()
        if name not in before.bridges
        for port in datapath.ports.values()
    }
    for port, link in layout.doomed:
        home = layout.homes.get(port) or before.homes.get(port) or there.get(port, port)
        yield DeleteLink(home, port, link.index)


def _release(focus: _Focus, layout: Layout, before: Layout, observed: Observed) -> Iterator[Step]:
    """Delete ports, and unbind links that are wanted here no longer.

    Where a port only changes links that no other port waits for, binding it is one step, later.
    """
    name = focus.name
    found = [port for each in focus.names if (port := focus.present(each))]
    for port in sorted(found, key=lambda port: port.number):
        binding = focus.bridge.bound.get(port.name)
        yield from let_go(name, port, layout, before)
        if port.name not in focus.bridge.ports:
            wanted = before.wanted.get(port.name)
            yield from mark_let_go(focus.bridge, port, wanted, layout, observed)
        if binding is None or binding.number != port.number:
            yield DeletePort(name, port.name, port.number)
            continue
        here = name, port.name
        indexes = (life.ifindex for life in lives_of(port))
        contested = {each for each in indexes if layout.takers.get(each, here) != here}
        if port.ifindex and not binding.link:
            yield BindPort(name, binding.port(focus.bridge.ports[port.name], port))
        elif port.ifindex in contested:
            yield BindPort(name, replace(port, ifindex=0, incarnation=0, standby=()))
        elif contested:
            rest = tuple(life for life in port.standby if life.ifindex not in contested)
            yield BindPort(name, replace(port, standby=rest))


def _build(focus: _Focus, observed: Observed) -> Iterator[Step]:
    """Everything of one bridge that is wanted and not there."""
    bridge, there = focus.bridge, focus.there
    name, limit = focus.name, bridge.bridge.address_limit
    if name not in observed.datapaths:
        yield CreateDatapath(name, limit)
    elif there.address_limit != limit:
        yield SetAddressLimit(name, limit)
    numbers = bridge.numbers.by_name
    for port in focus.ports:
        present = focus.present(port.name)
        if present is None or present.number != numbers[port.name]:
            yield AddPort(name, port.name, numbers[port.name], port.hook)

    for port in focus.ports:
        meter = meter_of(numbers[port.name], port)
        if meter and there.meters.get(meter.number) != meter:
            yield PutMeter(name, port.name, meter)
    changes = tuple(entry_changes(bridge, focus.then, there.entries))
    if changes:
        yield ChangeEntries(name, changes)
    for number in _unlimited(focus):
        yield DeleteMeter(name, number)
    yield from _forget(focus, changes)
    yield from _create_links(focus, observed)
    yield from _bind(focus)
    yield from keep_names(bridge, focus.ports, observed.links, observed.owner)
    yield from _set_addresses(focus, observed)
    yield from _set_mtu(focus, observed.links)
    yield from _move_out(focus)


def _unlimited(focus: _Focus) -> list[int]:
    """The meters that are there and no longer wanted."""
    numbers = focus.bridge.numbers
    if focus.then is None:
        looked_at: Iterable[int] = list(focus.there.meters)
    else:
        then = focus.then.numbers.by_name
        looked_at = [then[each] for each in focus.names if each in then]
    return [
        number
        for number in sorted(looked_at)
        if number in focus.there.meters
        if (name := numbers.by_number.get(number)) is None
        or not focus.bridge.ports[name].storm_limit
    ]


def _create_links(focus: _Focus, observed: Observed) -> Iterator[Step]:
    """Make the links that hotswitch makes; a cable by that of its ports whose name sorts first."""
    bridge, owner = focus.name, observed.owner
    for port in focus.ports:
        name, kind, binding = port.name, port.kind, focus.bridge.bound[port.name]
        if binding.link or binding.error:
            continue
        if kind is PortKind.INTERNAL:
            names = port.made_as, inside_name(owner, port.made_as)
            address = _address(focus, port, observed) or derived(observed.machine, owner, name)
            yield CreateInternalLink(bridge, name, *names, mark(owner, kind, name), address)
        elif kind is PortKind.TAP:
            yield CreateTap(bridge, name, port.made_as, mark(owner, kind, name))
        elif kind is PortKind.PATCH and name < port.peer:
            names = cable_names(owner, name)
            marks = (mark(owner, kind, name), mark(owner, kind, port.peer))
            yield CreateCable(bridge, name, port.peer, names, marks, _CABLE_MTU)


def _forget(focus: _Focus, changes: tuple[Change, ...]) -> Iterator[Step]:
    """For ports that were there before and take frames differently now."""
    changed = {
        term.value
        for change in changes
        for key in (change.key if isinstance(change, DeleteEntry) else change.entry.key,)
        if key.table == INGRESS
        for term in key.match
        if term.field == "in_port"
    }
    for port in focus.ports:
        number = focus.bridge.numbers.by_name[port.name]
        if number in changed and number in focus.there.ports:
            yield ForgetAddresses(focus.name, port.name, number, port_vlans(port))


def _bind(focus: _Focus) -> Iterator[Step]:
    """Bind ports to links, and set these up once: people may set them down.

    That comes last: of a link that is up, the kernel stops the queues while something is attached,
    and most take all frames anyway. One that does not yet has not been set up either.
    """
    bridge = focus.name
    for port in focus.ports:
        binding = focus.bridge.bound[port.name]
        there = focus.present(port.name)
        if there is None or there.number != binding.number:
            there = Port(binding.number, port.name, hook=port.hook)
        wanted = binding.port(port, there)
        if wanted != there:
            yield BindPort(bridge, wanted)
        own = [link for link in binding.links if not _is_the_kernel_s(port, link)]
        for link in own:
            is_new = not any(lives(life, link) for life in there.ties)
            if not link.up and (is_new or not link.promiscuous):
                yield SetLinkUp(bridge, port.name, link.index)
            if not link.promiscuous:
                yield SetPromiscuous(bridge, port.name, link.index, promiscuous=True)


def _is_the_kernel_s(port: DesiredPort, link: Link) -> bool:
    """Whether the link is a Linux bridge or in one: then it is set up as that has it."""
    return port.side is Side.HOST or bool(link.master)


def _set_addresses(focus: _Focus, observed: Observed) -> Iterator[Step]:
    for port in focus.ports:
        device, address = focus.bridge.bound[port.name].device, _address(focus, port, observed)
        if device and address and device.address != address:
            yield SetAddress(focus.name, port.name, device.index, address)


def _address(focus: _Focus, port: DesiredPort, observed: Observed) -> int:
    """What the address of a port's device has to be, 48 bits; 0: any. A facade's is the host's."""
    if port.mac or port.name != focus.name or port.side is Side.HOST:
        return port.mac
    return focus.bridge.address or derived(observed.machine, observed.owner, port.name)


def _set_mtu(focus: _Focus, links: LinkTable) -> Iterator[Step]:
    """Internal ports follow the smallest of the links to elsewhere, as on other bridges."""
    usual = {PortKind.INTERNAL: focus.bridge.mtu, PortKind.PATCH: _CABLE_MTU}
    for port in focus.ports:
        wanted = port.mtu or usual.get(port.kind, 0)
        if not wanted:
            continue
        for link in focus.bridge.bound[port.name].links:
            for end in links.ends(link) if _is_internal(port) else (link,):
                if end.mtu != wanted:
                    yield SetMtu(focus.name, port.name, end.index, wanted)


def _move_out(focus: _Focus) -> Iterator[Step]:
    """Once it is as wanted, for it can't be reached there."""
    for port in focus.ports:
        device = focus.bridge.bound[port.name].device
        if device and port.namespace:
            name = port.device_name or port.name
            yield MoveLink(focus.name, port.name, device.index, port.namespace, name)
