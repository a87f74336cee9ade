"""Which links the ports of a layout get that something has changed for. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import replace
from functools import cached_property

from hotswitch.kernel.links import Link
from hotswitch.model.port import Port, Side
from hotswitch.ports.members import keep, lives
from hotswitch.switch.binding import Binding, bind, lives_of
from hotswitch.switch.bridge_layout import BridgeLayout, bound
from hotswitch.switch.desired import DesiredPort, PortKind
from hotswitch.switch.layout import Layout, PortKey, finder
from hotswitch.switch.link_table import LinkTable
from hotswitch.switch.making import Making
from hotswitch.switch.observed import Observed


def rebind(
    layout: Layout, before: Layout, making: Making, affected: Set[str], observed: Observed
) -> Layout:
    """Bind the ports in `affected` anew; all else is as it was."""
    bound_before = dict(_bound_before(before, affected))
    let_go = [
        link.index
        for key, binding in bound_before.items()
        for link in binding.links
        if before.takers.get(link.index) == key
    ]
    given_up = [
        link.index
        for key, binding in bound_before.items()
        for link in binding.away.values()
        if before.claims.get(link.index) == key
    ]
    found_or_gone = [
        binding.last
        for (_, port), binding in bound_before.items()
        if before.lost.get(binding.last) == port
    ]
    takers = before.takers.having({}, let_go)
    claims = before.claims.having({}, given_up)
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
        lost=before.lost.having(lost, found_or_gone),
        troubled=(layout.troubled - affected) | in_error,
    )


def _bound_before(before: Layout, affected: Set[str]) -> Iterator[tuple[PortKey, Binding]]:
    """The affected ports that were bound before, and to what."""
    for port in affected:
        bridge = before.homes.get(port)
        binding = None if bridge is None else before.bridges[bridge].bound.get(port)
        if bridge is not None and binding is not None:
            yield (bridge, port), binding


def _in_order(bridges: Mapping[str, BridgeLayout], ports: Iterable[PortKey]) -> list[PortKey]:
    """By bridge, as they are wanted; the local port comes first, the others by name."""
    rank = {name: number for number, name in enumerate(bridges)}
    return sorted(ports, key=lambda key: (rank[key[0]], key[0] != key[1], key[1]))


def _present(
    ports: Iterable[PortKey], layout: Layout, before: Layout, observed: Observed
) -> dict[PortKey, Port]:
    """Those of the ports that their datapaths have."""
    present = {
        name: finder(before.bridges.get(name), observed.ports(name)) for name in layout.bridges
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
