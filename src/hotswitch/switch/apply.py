"""Carry out the steps of a plan.

A step that fails ends the work on its port or, if it concerns a bridge as a whole, on its
bridge; the others go on. Planning again tries what is left.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar, assert_never

from hotswitch.base.errors import HotswitchError
from hotswitch.base.pieces import Pieces, aside, at_once
from hotswitch.datapath.contract import Datapath
from hotswitch.kernel.error import KernelError
from hotswitch.switch import steps
from hotswitch.switch.ageing import astray
from hotswitch.switch.forgetting import delete_datapath, delete_ports
from hotswitch.switch.steps import Step
from hotswitch.switch.together import do_together, flag_change, together
from hotswitch.switch.world import Links, World

_ONE_REQUEST = (
    steps.DeleteLink,
    steps.KeepName,
    steps.MarkLetGo,
    steps.SetAddress,
    steps.SetLinkUp,
    steps.SetMtu,
    steps.SetPromiscuous,
    steps.TakeNames,
)
"""Steps that say all that is asked of the kernel."""

_LONG = (
    steps.CreateCable,
    steps.CreateInternalLink,
    steps.CreateTap,
    steps.DeleteLink,
    steps.MoveLink,
)
"""Steps for which the kernel keeps its lock of network devices for long, and others wait."""
_LONG_IF_MANY, _MANY = (steps.SetLinkUp, steps.SetPromiscuous), 16

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Failure:
    """A step that could not be done, and why."""

    step: Step
    error: HotswitchError

    @property
    def is_lesser(self) -> bool:
        """Whether the port forwards all the same: it had come to that before."""
        return isinstance(self.step, (steps.KeepName, steps.SetAddress, steps.SetMtu))

    def __str__(self) -> str:
        says_what = isinstance(self.step, _ONE_REQUEST)
        if says_what and isinstance(self.error, KernelError):
            return f"{self.step}: {self.error.answer}"
        return f"{self.step}: {self.error}"


def apply(planned: Iterable[Step], world: World) -> list[Failure]:
    """Carry out the steps in order; what failed, in order."""
    return at_once(applying(planned, world))


def applying(planned: Iterable[Step], world: World) -> Pieces[list[Failure]]:
    """The same in pieces. Between them `world` is as if the work had been broken off."""
    failures: list[Failure] = []
    broken: set[tuple[str, str]] = set()
    for group in together(planned):
        left = [step for step in group if not _is_broken(step, broken)]
        rest = (yield from _do(left, partial(do_together, left, world))) if left else ()
        for step in rest:
            if _is_broken(step, broken):
                continue
            try:
                yield from _do([step], partial(carry_out, step, world))
            except HotswitchError as error:
                failures.append(Failure(step, error))
                broken.add((step.bridge, step.port))
            yield None
        yield None
    return failures


def _do(group: Sequence[Step], work: Callable[[], _Result]) -> Pieces[_Result]:
    """Carry out what a group needs: what takes long and concerns links only, aside."""
    kinds = (*_LONG, *_LONG_IF_MANY) if len(group) >= _MANY else _LONG
    is_long = isinstance(group[0], kinds)
    return (yield from aside(work)) if is_long else work()


def _is_broken(step: Step, broken: Container[tuple[str, str]]) -> bool:
    return (step.bridge, "") in broken or (step.bridge, step.port) in broken


def carry_out(step: Step, world: World) -> None:
    """Carry out one step. Raises HotswitchError."""
    match step:
        case steps.CreateDatapath():
            world.datapaths[step.bridge] = world.new_datapath(step.bridge, step.address_limit)
        case steps.DeleteDatapath():
            delete_datapath(step.bridge, world.datapaths)
        case steps.DeletePort():
            delete_ports(step.bridge, [step.number], world.datapaths)
        case (
            steps.CreateInternalLink()
            | steps.CreateTap()
            | steps.CreateCable()
            | steps.DeleteLink()
            | steps.SetLinkUp()
            | steps.SetPromiscuous()
            | steps.CalmElsewhere()
            | steps.SetAddress()
            | steps.SetMtu()
            | steps.MoveLink()
            | steps.KeepName()
            | steps.MarkLetGo()
            | steps.TakeNames()
        ):
            _change_link(step, world.links)
        case _:
            _change_datapath(step, world.datapaths[step.bridge])


def _change_link(
    step: steps.CreateInternalLink
    | steps.CreateTap
    | steps.CreateCable
    | steps.DeleteLink
    | steps.SetLinkUp
    | steps.SetPromiscuous
    | steps.CalmElsewhere
    | steps.SetAddress
    | steps.SetMtu
    | steps.MoveLink
    | steps.KeepName
    | steps.MarkLetGo
    | steps.TakeNames,
    links: Links,
) -> None:
    match step:
        case steps.CreateInternalLink():
            outer = links.create_veth(step.outer, step.inside, 0, step.address)
            _mark(links, outer.peer, step.mark)
        case steps.CreateTap():
            links.create_tap(step.name, step.mark)
        case steps.CreateCable():
            near = links.create_veth(*step.names, step.mtu)
            for index, mark in zip((near.index, near.peer), step.marks, strict=True):
                _mark(links, index, mark)
        case steps.DeleteLink():
            for error in filter(None, links.delete_many([step.index])):
                raise error
        case steps.SetLinkUp() | steps.SetPromiscuous():
            for error in filter(None, links.change_flags([flag_change(step)])):
                raise error
        case steps.CalmElsewhere():
            links.calm_elsewhere(step.departed)
        case steps.SetAddress():
            links.set_address(step.index, step.address)
        case steps.SetMtu():
            links.set_mtu(step.index, step.mtu)
        case steps.MoveLink():
            links.move(step.index, step.namespace, step.name)
        case steps.KeepName():
            _keep_name(links, step)
        case steps.MarkLetGo():
            links.add_alternative_names(step.index, (step.mark,))
        case steps.TakeNames():
            links.delete_alternative_names(step.index, step.names)
        case _:
            assert_never(step)


def _keep_name(links: Links, step: steps.KeepName) -> None:
    try:
        links.add_alternative_names(step.index, (step.name, step.mark))
    except KernelError as error:
        if error.errno != errno.EEXIST:  # else another link has got the name meanwhile
            raise


def _mark(links: Links, index: int, mark: str) -> None:
    """Make a link one of hotswitch's. Last comes the mark: what has one is finished."""
    links.take_no_addresses(index)
    links.add_alternative_names(index, (mark,))


def _change_datapath(
    step: steps.AddPort
    | steps.BindPort
    | steps.ChangeEntries
    | steps.PutMeter
    | steps.DeleteMeter
    | steps.SetAddressLimit
    | steps.ForgetAddresses,
    datapath: Datapath,
) -> None:
    match step:
        case steps.AddPort():
            datapath.add_port(step.port, number=step.number, hook=step.hook)
        case steps.BindPort():
            datapath.set_port(step.value)
        case steps.ChangeEntries():
            datapath.change(step.changes)
        case steps.PutMeter():
            datapath.put_meter(step.meter)
        case steps.DeleteMeter():
            datapath.delete_meter(step.number)
        case steps.SetAddressLimit():
            datapath.set_address_limit(step.limit)
        case steps.ForgetAddresses():
            datapath.delete_addresses(astray(datapath.addresses(), {step.number: step.vlans}))
        case _:
            assert_never(step)
