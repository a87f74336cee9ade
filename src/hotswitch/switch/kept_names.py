"""The alternative names by which links that were renamed stay known. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hotswitch.switch.bridge_layout import BridgeLayout
from hotswitch.switch.desired import DesiredPort
from hotswitch.switch.layout import Layout
from hotswitch.switch.link_table import LinkTable
from hotswitch.switch.marks import former_mark, former_names
from hotswitch.switch.steps import KeepName, Step, TakeNames


def keep_names(
    bridge: BridgeLayout, ports: Sequence[DesiredPort], links: LinkTable, owner: str
) -> Iterator[Step]:
    """A link that was renamed stays known by its configured name, where that is free.

    The mark outlasts the name, so that a person can take it away.
    """
    for port in ports:
        bound = bridge.bound[port.name]
        for member in port.members if bound.links or bound.away else ():
            link = bound.members.get(member.name) or bound.away.get(member.name)
            if link is None or link.name == member.name:
                continue
            if not (member.has_usual_name and member.follow_rename):
                continue
            mark = former_mark(owner, member.name)
            if member.name not in links.by_name and mark not in link.alternative_names:
                yield KeepName(bridge.bridge.name, port.name, link.index, member.name, mark)


def take_names(layout: Layout, before: Layout, owner: str) -> Iterator[Step]:
    """Take old names back from links that are not their ports' any more, or are called so again."""
    changed = layout.links.by_index.differing(before.links.by_index)
    for bridge, then in before.bridges.items():
        now = layout.bridges.get(bridge)
        for name in now.differing(then) if now else then.bound:
            if binding := then.bound.get(name):
                changed.update(link.index for link in (*binding.links, *binding.away.values()))
    for index in sorted(changed):
        link = layout.links.by_index.get(index)
        if link is None or index in layout.gone:
            continue
        for name in former_names(owner, link) if link.alternative_names else ():
            bridge, port = layout.owner_of(index) or ("", "")
            bound = layout.bridges[bridge].bound[port] if bridge else None
            is_its = bound and link in (bound.members.get(name), bound.away.get(name))
            follows = bridge and name in _following(layout.wanted[port])
            if not is_its or link.name == name or not follows:
                given = (name, former_mark(owner, name))
                there = tuple(each for each in given if each in link.alternative_names)
                yield TakeNames(bridge, port or name, index, there)


def _following(port: DesiredPort) -> set[str]:
    """The names of those links of a port that are kept when they are renamed."""
    return {member.name for member in port.members if member.follow_rename}
