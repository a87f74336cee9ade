"""Actions with copies of a packet, in an order in which they can be carried out.

To the kernel everything but what comes last is for a copy. Here what is done with a copy is undone
afterwards, which not everything can be: what can't comes last, with the packet itself. Where there
are several such, user space gets copies and does it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeAlias

from hotswitch.model.action import (
    Actions,
    Clone,
    CopyToUser,
    Output,
    OutputList,
    Truncate,
    can_be_undone,
)
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.known import Known


class ByDaemon(NamedTuple):
    """What user space does with a copy that it is handed, as the program can't.

    actions: a message's. known: what is known of the packet then.
    """

    actions: Attributes
    known: Known


class Step(NamedTuple):
    """Some actions, one after another. aside: they are for a copy, and can't be undone; as a
    message has them."""

    actions: Actions
    aside: ByDaemon | None = None


Hand: TypeAlias = Callable[[ByDaemon], Actions]
"""Gives the actions that hand a copy to user space."""


def in_order(steps: Sequence[Step], hand: Hand) -> Actions:
    """The actions of all steps.

    One that can't be undone comes last, and so do all that cut packets off, the longest first. What
    else can't be undone is handed to user space.
    """
    asides = [place for place, step in enumerate(steps) if step.aside]
    if not asides or asides == [len(steps) - 1]:
        return _joined(steps)
    first = asides[0]
    following = _joined(each for each in steps[first + 1 :] if not each.aside)
    cuts = [steps[place] for place in asides]
    if leaves_packet(following) and all(map(_cuts_off, cuts)):
        last = sorted(cuts, key=_length, reverse=True)
        return _joined(steps[:first]) + following + _joined(last)
    if len(asides) == 1 and can_be_undone(following):
        if not leaves_packet(following):
            following = (Clone(following),)
        return _joined(steps[:first]) + following + steps[first].actions
    handed = Step(hand(steps[first].aside))  # type: ignore[arg-type]
    return in_order((*steps[:first], handed, *steps[first + 1 :]), hand)


def leaves_packet(actions: Actions) -> bool:
    """Whether the packet is the same afterwards, and goes on."""
    return all(isinstance(action, Output | OutputList | CopyToUser) for action in actions)


def _joined(steps: Iterable[Step]) -> Actions:
    return tuple(action for step in steps for action in step.actions)


def _cuts_off(step: Step) -> bool:
    return isinstance(step.actions[0], Truncate)


def _length(step: Step) -> int:
    first = step.actions[0]
    assert isinstance(first, Truncate)
    return first.length
