"""Where everything is to be: each port's number and link, for what is wanted and what is there.

A layout shares with the one that it was made from whatever is the same. What a change can't touch
is not looked at, so laying out costs what has changed. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import replace

from hotswitch.base.shared import SharedMap
from hotswitch.model.port import Port, Side
from hotswitch.switch.bridge_layout import BridgeLayout, numbered, wanting
from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort, PortKind
from hotswitch.switch.facades import Facades, find_facades
from hotswitch.switch.layout import NOTHING, Layout, finder
from hotswitch.switch.making import marked, sort_out
from hotswitch.switch.marks import ports_marked
from hotswitch.switch.observed import Observed
from hotswitch.switch.rebinding import rebind


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
        bridges[name] = numbered(bridge, before.bridges.get(name), observed.ports(name))
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
    return rebind(layout, before, making, affected, observed)


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


def _facades(desired: Desired, before: Layout, observed: Observed) -> Facades:
    """The bridges' facades, which stay with their devices."""

    def each() -> Iterator[tuple[DesiredBridge, DesiredBridge | None, Port | None]]:
        for name, bridge in desired.bridges.items():
            if bridge.facade:
                then = before.bridges.get(name)
                there = observed.ports(name)
                yield bridge, then.bridge if then else None, finder(then, there)(name)

    return find_facades(each(), observed.links, observed.owner)
