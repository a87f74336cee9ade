"""Where everything is to be: each port's number and link, for what is wanted and what is there.

A layout is a value, and shares with the one that it was made from whatever is the same. What a
change can't touch is not looked at, so laying out costs what has changed. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import TypeAlias

from hotswitch.base.shared import SharedMap
from hotswitch.kernel.links import Link
from hotswitch.model.port import Port, Side
from hotswitch.ports.members import keep, lives
from hotswitch.switch.binding import Binding, bind, lives_of
from hotswitch.switch.bridge_layout import BridgeLayout, bound, numbered, wanting
from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort, PortKind
from hotswitch.switch.facades import Facades, find_facades
from hotswitch.switch.link_table import LinkTable
from hotswitch.switch.making import Made, Making, marked, sort_out
from hotswitch.switch.marks import ports_marked
from hotswitch.switch.observed import Observed, ObservedDatapath

PortKey: TypeAlias = tuple[str, str]
"""A bridge's name and a port's."""

_NO_DATAPATH = ObservedDatapath()


@dataclass(frozen=True)
class Layout:
    """All of it.

    links: what it was made for. wanted, homes: all ports by name, and the bridges that they are in.
    made, doomed: the links that hotswitch has made, and those of them that have to go.
    takers: by link, the port that has it. claims: likewise, the port that it stays with although it
        can't be used just now. lost: by incarnation, the port without a device that had that life
        of a link last. troubled: ports whose binding is in error.
    members: by a link's configured name, the VIF that it is for. selective: ports that find their
        links by other things than names.
    facades: of all bridges. cables: all patch ports. unsettled: ports of which something could not
        be done.
    """

    links: LinkTable = field(default_factory=LinkTable)
    bridges: Mapping[str, BridgeLayout] = field(default_factory=lambda: MappingProxyType({}))
    wanted: SharedMap[str, DesiredPort] = field(default_factory=SharedMap)
    homes: SharedMap[str, str] = field(default_factory=SharedMap)
    made: Made = field(default_factory=SharedMap)
    doomed: tuple[tuple[str, Link], ...] = ()
    gone: frozenset[int] = frozenset()
    takers: SharedMap[int, PortKey] = field(default_factory=SharedMap)
    claims: SharedMap[int, PortKey] = field(default_factory=SharedMap)
    lost: SharedMap[int, str] = field(default_factory=SharedMap)
    members: SharedMap[str, str] = field(default_factory=SharedMap)
    selective: frozenset[str] = frozenset()
    troubled: frozenset[str] = frozenset()
    facades: Facades = field(default_factory=Facades)
    cables: frozenset[str] = frozenset()
    unsettled: frozenset[str] = frozenset()

    def owner_of(self, index: int) -> PortKey | None:
        """The port that a link is tied to, used or not."""
        return self.takers.get(index) or self.claims.get(index)


NOTHING = Layout()


def lay_out(desired: Desired, observed: Observed, before: Layout = NOTHING) -> Layout:
    """The layout for what is wanted and what is there.

    before: one that has been carried out, but for the ports that it calls unsettled, and since
    then nobody has changed the datapaths. The steps that follow from the outcome are the same
    without it.
    """
    bridges = {
        name: wanting(each, before.bridges.get(name)) for name, each in desired.bridges.items()
    }
    homes = _moved(bridges, before)
    there = [name for name, bridge in homes.items() if bridge]
    away = homes.keys() - there
    for name, bridge in bridges.items():
        ports = observed.datapaths.get(name, _NO_DATAPATH).ports
        bridges[name] = numbered(bridge, before.bridges.get(name), ports)
    links = observed.links
    changed = links.by_index.differing(before.links.by_index)
    layout = replace(
        before,
        links=links,
        bridges=bridges,
        wanted=before.wanted.having(
            {name: bridges[homes[name]].ports[name] for name in there}, away
        ),
        homes=before.homes.having({name: homes[name] for name in there}, away),
        made=marked(observed.owner, before.made, before.links, links, changed),
        facades=_facades(desired, before, observed),
        unsettled=frozenset(),
    )
    affected = {*homes, *before.troubled, *before.unsettled}
    for name, bridge in bridges.items():
        if name in before.bridges:
            affected |= bridge.numbers.by_name.differing(before.bridges[name].numbers.by_name)
    for name in layout.facades.differing(before.facades):
        affected.update(bridges[name].ports if name in bridges else ())
    layout = _with_members(layout, before, homes)
    affected |= _of_links(changed, observed.owner, before, layout)
    layout = _with_cables(layout, affected)
    if not affected.isdisjoint(
        {*before.cables, *layout.cables, *(layout.wanted[each].peer for each in layout.cables)}
    ):
        affected |= layout.cables
    making = replace(
        sort_out(observed.owner, links, layout.wanted, layout.made, affected, changed),
        facades=layout.facades,
    )
    return _bind(layout, before, making, affected, observed)


def _moved(bridges: Mapping[str, BridgeLayout], before: Layout) -> dict[str, str]:
    """The ports that are wanted differently now, and the bridge that each is in, or nothing."""
    found: dict[str, str] = {}
    for name, old in before.bridges.items():
        now = bridges[name].ports if name in bridges else SharedMap()
        if now is not old.ports:
            found.update(dict.fromkeys(old.ports.differing(now), ""))
    for name, bridge in bridges.items():
        then = before.bridges.get(name)
        for port in bridge.ports.differing(then.ports if then else SharedMap()):
            if port in bridge.ports:
                found[port] = name
    return found


def _of_links(changed: Set[int], owner: str, before: Layout, after: Layout) -> set[str]:
    """The ports that links concern: by name, by who has them, by what they were made for."""
    found: set[str] = set(after.selective) if changed else set()
    for index in changed:
        for table in (before.links, after.links):
            link = table.by_index.get(index)
            for end in table.ends(link) if link else ():
                names = (end.name, *end.alternative_names)
                found.update(names)
                found.update(after.members[name] for name in names if name in after.members)
                found.update(port for _, port in ports_marked(owner, end))
                if key := before.owner_of(end.index):
                    found.add(key[1])
                if port := before.lost.get(end.incarnation):
                    found.add(port)
    return found


def _with_members(layout: Layout, before: Layout, moved: Iterable[str]) -> Layout:
    """Note by what ports that are wanted differently find their links."""
    moved = list(moved)
    selective = layout.selective.difference(moved)
    stale: list[str] = []
    news: dict[str, str] = {}
    for name in moved:
        if (old := before.wanted.get(name)) and _has_other_names(old):
            stale += [each.name for each in old.members if before.members.get(each.name) == name]
        port = layout.wanted.get(name)
        if port is None or port.kind is not PortKind.SYSTEM:
            continue
        if _has_other_names(port):
            news.update((each.name, name) for each in port.members)
        if not all(each.has_usual_name for each in port.members):
            selective |= {name}
    gone = [name for name in stale if name not in news]
    return replace(layout, members=layout.members.having(news, gone), selective=selective)


def _has_other_names(port: DesiredPort) -> bool:
    """Whether its links may be called otherwise than it."""
    return port.is_vif or port.side is Side.HOST


def _with_cables(layout: Layout, affected: Set[str]) -> Layout:
    now = {
        name
        for name in affected
        if name in layout.wanted and layout.wanted[name].kind is PortKind.PATCH
    }
    return replace(layout, cables=(layout.cables - affected) | now)


def _bind(
    layout: Layout, before: Layout, making: Making, affected: Set[str], observed: Observed
) -> Layout:
    """Bind what is affected anew; all else is as it was."""
    takers = before.takers.having({}, _let_go(before, affected))
    claims = before.claims.having({}, _given_up(before, affected))
    homes = ((layout.homes.get(port), port) for port in affected)
    ports = _in_order(layout.bridges, [(name, port) for name, port in homes if name is not None])
    there = _present(ports, layout, before, observed)
    held = _held(ports, there, layout, before, making)
    mine = {link.index: key for key, links in held.items() for link in links.values()}

    def others(key: PortKey) -> Callable[[Link], PortKey | None]:
        def taker(link: Link) -> PortKey | None:
            found = takers.get(link.index) or claims.get(link.index)
            found = found or mine.setdefault(link.index, key)
            return None if found == key else found

        return taker

    news: dict[str, dict[str, Binding]] = {name: {} for name in layout.bridges}
    for key in ports:
        bridge, name = key
        number = layout.bridges[bridge].numbers.by_name[name]
        mine_before, present = held.get(key, {}), there.get(key)
        news[bridge][name] = bind(
            bridge, number, layout.wanted[name], mine_before, present, making, others(key)
        )
    bindings = [((b, p), each) for b, of in news.items() for p, each in of.items()]
    own = {link.index: key for key, each in bindings for link in each.links}
    away = {link.index: key for key, each in bindings for link in each.away.values()}
    lost = {each.last: port for (_, port), each in bindings if each.last and not each.away}
    in_error = {port for of in news.values() for port, each in of.items() if each.error}
    return replace(
        layout,
        bridges={
            name: bound(each, before.bridges.get(name), news[name])
            for name, each in layout.bridges.items()
        },
        doomed=making.doomed,
        gone=making.gone,
        takers=takers.having(own),
        claims=claims.having(away),
        lost=before.lost.having(lost, _found_or_gone(before, affected)),
        troubled=(layout.troubled - affected) | in_error,
    )


def _let_go(before: Layout, affected: Set[str]) -> list[int]:
    """The links that affected ports had."""
    return [
        link.index
        for port in affected
        if (bridge := before.homes.get(port)) is not None
        if (binding := before.bridges[bridge].bound.get(port))
        for link in binding.links
        if before.takers.get(link.index) == (bridge, port)
    ]


def _given_up(before: Layout, affected: Set[str]) -> list[int]:
    """The links that affected ports had claims to."""
    return [
        link.index
        for port in affected
        if (bridge := before.homes.get(port)) is not None
        if (binding := before.bridges[bridge].bound.get(port))
        for link in binding.away.values()
        if before.claims.get(link.index) == (bridge, port)
    ]


def _found_or_gone(before: Layout, affected: Set[str]) -> list[int]:
    """The lives of links that affected ports had last and were without."""
    return [
        binding.last
        for port in affected
        if (bridge := before.homes.get(port)) is not None
        if (binding := before.bridges[bridge].bound.get(port))
        if before.lost.get(binding.last) == port
    ]


def _in_order(bridges: Mapping[str, BridgeLayout], ports: Iterable[PortKey]) -> list[PortKey]:
    """By bridge, as they are wanted; the local port comes first, the others by name."""
    rank = {name: number for number, name in enumerate(bridges)}
    return sorted(ports, key=lambda key: (rank[key[0]], key[0] != key[1], key[1]))


def _present(
    ports: Iterable[PortKey], layout: Layout, before: Layout, observed: Observed
) -> dict[PortKey, Port]:
    """Those of the ports that their datapaths have."""
    present = {
        name: finder(before.bridges.get(name), observed.datapaths.get(name, _NO_DATAPATH).ports)
        for name in layout.bridges
    }
    found = ((key, present[key[0]](key[1])) for key in ports)
    return {key: port for key, port in found if port}


def _held(
    ports: Iterable[PortKey],
    there: Mapping[PortKey, Port],
    layout: Layout,
    before: Layout,
    making: Making,
) -> dict[PortKey, Mapping[str, Link]]:
    """The links that were found, whose lives go on, and that are kept, by member."""
    found: dict[PortKey, Mapping[str, Link]] = {}
    returned = _Returned(layout.links)
    for key in ports:
        wanted = layout.wanted[key[1]]
        if wanted.kind is not PortKind.SYSTEM or key not in there:
            continue
        is_sought_anew = _is_sought_anew(wanted, before)
        lives_on = lives_of(there[key]) if is_sought_anew else there[key].ties
        alive = [
            link
            for life in lives_on
            if (link := layout.links.by_index.get(life.ifindex))
            if lives(life, link) and link.index not in making.gone
            if wanted.side is Side.WIRE or link is layout.facades.by_bridge[key[0]].link
        ]
        if not alive and (link := returned.to(wanted, there[key])):
            alive = [link] if link.index not in making.gone else []
        if alive:
            then = before.bridges.get(key[0])
            binding = None if is_sought_anew or then is None else then.bound.get(key[1])
            found[key] = keep(wanted.members, alive, binding.members if binding else {})
    return found


class _Returned:
    """Finds devices that have been away, in another network namespace, and lost their names there.

    A port that is to find its device otherwise than by its usual name has been told how.
    """

    def __init__(self, links: LinkTable) -> None:
        self._links = links

    def to(self, wanted: DesiredPort, there: Port) -> Link | None:
        """The device that a port had last, if it has none and no other is called as it is."""
        if there.ties or not there.incarnation or wanted.side is not Side.WIRE:
            return None
        by_name = self._links.by_name
        if any(not each.has_usual_name or each.name in by_name for each in wanted.members):
            return None
        return self._lives.get(there.incarnation)

    @cached_property
    def _lives(self) -> Mapping[int, Link]:
        return {link.incarnation: link for link in self._links.by_index.values()}


def _is_sought_anew(wanted: DesiredPort, before: Layout) -> bool:
    """Whether a person has said otherwise where the port's devices are to be found."""
    then = before.wanted.get(wanted.name)
    if then is None or then.members == wanted.members:
        return False
    return {each.finds_by for each in then.members} != {each.finds_by for each in wanted.members}


def _facades(desired: Desired, before: Layout, observed: Observed) -> Facades:
    """The bridges' facades, which stay with their devices."""

    def each() -> Iterator[tuple[DesiredBridge, DesiredBridge | None, Port | None]]:
        for name, bridge in desired.bridges.items():
            if bridge.facade:
                then = before.bridges.get(name)
                there = observed.datapaths.get(name, _NO_DATAPATH).ports
                yield bridge, then.bridge if then else None, finder(then, there)(name)

    return find_facades(each(), observed.links, observed.owner)


def finder(before: BridgeLayout | None, there: Mapping[int, Port]) -> Callable[[str], Port | None]:
    """Finds a port of a datapath by name."""
    if before is None:
        return {port.name: port for port in there.values()}.get
    numbers = before.numbers.by_name

    def find(name: str) -> Port | None:
        port = there.get(numbers.get(name, 0))
        return port if port and port.name == name else None

    return find
