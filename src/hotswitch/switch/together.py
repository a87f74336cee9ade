"""Steps that many ports have in common, done together: for the cost of few."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from hotswitch.base.errors import HotswitchError
from hotswitch.datapath.contract import Datapath
from hotswitch.kernel.link_actions import FlagChange
from hotswitch.model.port import Port
from hotswitch.switch.ageing import astray
from hotswitch.switch.forgetting import delete_ports
from hotswitch.switch.steps import (
    AddPort,
    BindPort,
    DeleteLink,
    DeletePort,
    ForgetAddresses,
    SetLinkUp,
    SetPromiscuous,
    Step,
)
from hotswitch.switch.world import World

_LATER = 3
_KINDS: Mapping[type[Step], int] = {
    SetPromiscuous: 0,
    SetLinkUp: _LATER,
    DeletePort: 1,
    BindPort: 2,
    AddPort: 0,
    ForgetAddresses: 0,
    DeleteLink: 0,
}
"""What is done at once. Of the first four many follow each other, port by port; they may as well
follow each other kind by kind, in this order. But a link takes all frames and is set up once it is
bound."""
_AT_MOST, _LINKS_AT_MOST = 100, 256
"""Steps in a group: others wait until it is done, but for one of links (`apply`)."""
_PORT_BY_PORT = SetPromiscuous, SetLinkUp, DeletePort, BindPort


def together(planned: Iterable[Step]) -> Iterator[list[Step]]:
    """The steps, gathered into groups of one kind where their order is not changed but between
    ports. A group is of one bridge, unless it deletes links, and has no port twice, unless it
    changes flags."""
    run: list[Step] = []
    bound: set[str] = set()
    for step in planned:
        is_again = isinstance(step, BindPort) and step.port in bound
        if run and (is_again or not _go_together(run[-1], step)):
            yield from _by_kind(run)
            run, bound = [], set()
        run.append(step)
        if isinstance(step, BindPort):
            bound.add(step.port)
    yield from _by_kind(run)


def _go_together(one: Step, other: Step) -> bool:
    if isinstance(one, DeleteLink):
        return isinstance(other, DeleteLink)
    if one.bridge != other.bridge:
        return False
    if isinstance(one, _PORT_BY_PORT):
        return isinstance(other, _PORT_BY_PORT)
    return type(one) is type(other) and isinstance(one, (AddPort, ForgetAddresses))


def _by_kind(run: Sequence[Step]) -> Iterator[list[Step]]:
    if len(run) == 1:
        yield [*run]
        return
    for kind in sorted({_kind(step) for step in run}):
        group = [step for step in run if _kind(step) == kind]
        is_of_links = isinstance(group[0], (SetPromiscuous, SetLinkUp, DeleteLink))
        most = _LINKS_AT_MOST if is_of_links else _AT_MOST
        for first in range(0, len(group), most):
            yield group[first : first + most]


def _kind(step: Step) -> int:
    """Where its group is among those of a run."""
    if isinstance(step, SetPromiscuous) and step.promiscuous:
        return _LATER
    return _KINDS[type(step)]


def do_together(group: Sequence[Step], world: World) -> list[Step]:
    """Carry out steps of one group; those that are not done, to be tried one by one."""
    if len(group) == 1:
        return [*group]
    try:
        if isinstance(group[0], (SetPromiscuous, SetLinkUp)):
            return _change_flags(group, world)
        if isinstance(group[0], DeleteLink):
            return _delete_links(group, world)
        return _change_ports(group, world.datapaths)
    except HotswitchError:
        return [*group]


def _change_flags(group: Sequence[Step], world: World) -> list[Step]:
    changes: dict[int, FlagChange] = {}
    for step in group:
        if isinstance(step, (SetPromiscuous, SetLinkUp)):
            change = flag_change(step)
            before = changes.get(step.index, change)
            up = before.up if change.up is None else change.up
            promiscuous = before.promiscuous if change.promiscuous is None else change.promiscuous
            changes[step.index] = FlagChange(step.index, up, promiscuous)
    errors = world.links.change_flags(list(changes.values()))
    failed = {index for index, error in zip(changes, errors, strict=True) if error}
    return [
        step
        for step in group
        if isinstance(step, (SetPromiscuous, SetLinkUp)) and step.index in failed
    ]


def _delete_links(group: Sequence[Step], world: World) -> list[Step]:
    indexes = [step.index for step in group if isinstance(step, DeleteLink)]
    errors = world.links.delete_many(indexes)
    return [step for step, error in zip(group, errors, strict=True) if error]


def flag_change(step: SetPromiscuous | SetLinkUp) -> FlagChange:
    """What a step changes."""
    if isinstance(step, SetLinkUp):
        return FlagChange(step.index, up=True)
    return FlagChange(step.index, promiscuous=step.promiscuous)


def _change_ports(group: Sequence[Step], datapaths: Mapping[str, Datapath]) -> list[Step]:
    bridge = group[0].bridge
    datapath = datapaths[bridge]
    added = {each.number: each for each in group if isinstance(each, AddPort)}
    bound = {each.value.number: each for each in group if isinstance(each, BindPort)}
    deleted = {each.number: each for each in group if isinstance(each, DeletePort)}
    strict = {each.number: each.vlans for each in group if isinstance(each, ForgetAddresses)}
    if added:
        ports = [Port(number, each.port, hook=each.hook) for number, each in added.items()]
        return [added[number] for number in datapath.add_ports(ports)]
    if bound:
        return [
            bound[number] for number in datapath.set_ports([each.value for each in bound.values()])
        ]
    if deleted:
        delete_ports(bridge, deleted, datapaths)
    if strict:
        datapath.delete_addresses(astray(datapath.addresses(), strict))
    return []
