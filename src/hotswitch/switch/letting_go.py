"""How links are left that a port has no longer, and marked so as not to be adopted again. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from hotswitch.model.port import Port, Side
from hotswitch.ports.adoption import fit
from hotswitch.ports.members import lives
from hotswitch.switch.adopting import has_moved
from hotswitch.switch.binding import lives_of
from hotswitch.switch.bridge_layout import BridgeLayout
from hotswitch.switch.desired import DesiredPort
from hotswitch.switch.facades import master_of
from hotswitch.switch.layout import NOTHING, Layout
from hotswitch.switch.making import is_own
from hotswitch.switch.marks import let_go_mark
from hotswitch.switch.observed import Observed
from hotswitch.switch.steps import CalmElsewhere, MarkLetGo, SetPromiscuous, Step, TakeNames


def let_go(name: str, port: Port, layout: Layout, before: Layout) -> Iterator[Step]:
    """Leave links as they were found, unless they only change ports or go themselves.

    A Linux bridge and what is in one have not been made promiscuous, but by others.
    """
    wanted = before.wanted.get(port.name)
    for life in lives_of(port):
        link = layout.links.by_index.get(life.ifindex)
        departed = layout.links.departed.get(life.incarnation)
        was = departed.link if departed else link
        is_others = wanted.master if wanted else was and was.master
        if port.side is Side.HOST or is_others:
            continue
        if departed and departed.link.promiscuous and not (link and lives(life, link)):
            yield CalmElsewhere(name, port.name, departed)
            continue
        taker = layout.takers.get(life.ifindex)
        is_taken = taker is not None and not layout.wanted[taker[1]].master
        is_kept = is_taken or life.ifindex in layout.gone
        if link and lives(life, link) and link.promiscuous and not is_kept:
            yield SetPromiscuous(name, port.name, link.index, promiscuous=False)


def mark_let_go(
    bridge: BridgeLayout, port: Port, wanted: DesiredPort | None, layout: Layout, observed: Observed
) -> Iterator[Step]:
    """Mark links that the bridge would take at once again. wanted: what the port was."""
    rules = bridge.bridge.adopt
    for life in lives_of(port) if rules else ():
        link = layout.links.by_index.get(life.ifindex)
        if link is None or not lives(life, link) or is_own(observed.owner, layout.links, link):
            continue
        mark = let_go_mark(observed.owner, link.index)
        is_free = link.index not in layout.takers and link.index not in layout.gone
        is_new = is_free and mark not in link.alternative_names
        if not is_new or has_moved(wanted, link, layout):
            continue
        if fit(rules, link, master_of(link, layout.links, layout.facades)):
            yield MarkLetGo(bridge.bridge.name, port.name, link.index, mark)


def take_marks(layout: Layout, before: Layout, owner: str) -> Iterator[Step]:
    """Forget that links were let go which no bridge would take any more."""
    was = [each.bridge.adopt for each in before.bridges.values()]
    rules = [each.bridge.adopt for each in layout.bridges.values()]
    if before is not NOTHING and was == rules:
        return
    for index, link in sorted(layout.links.by_index.items()):
        mark = let_go_mark(owner, index)
        if mark in link.alternative_names and index not in layout.gone:
            master = master_of(link, layout.links)
            if not any(fit(each, link, master) for each in rules):
                yield TakeNames("", link.name, index, (mark,))
