"""Actions with copies of a packet, in an order in which they can be carried out.

To the kernel everything but what comes last is for a copy. Here what is done with a copy is undone
afterwards, which not everything can be: what can't comes last, with the packet itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hotswitch.model.action import (
    Actions,
    Clone,
    CopyToUser,
    Output,
    OutputList,
    Truncate,
    can_be_undone,
)
from hotswitch.netlink.errors import NetlinkError


class Step(NamedTuple):
    """Some actions, one after another. aside: they are for a copy, and can't be undone.

    name: of the attribute that asks for them, with its place.
    """

    name: str
    actions: Actions
    aside: bool = False


def in_order(steps: Sequence[Step]) -> Actions:
    """The actions of all steps. Raises NetlinkError if there is more than one that can't be undone,
    but cutting packets off: then the longest come first."""
    asides = [place for place, step in enumerate(steps) if step.aside]
    if not asides or asides[0] == len(steps) - 1:
        return _joined(steps)
    first = asides[0]
    before, step, rest = steps[:first], steps[first], steps[first + 1 :]
    following = [each for each in rest if not each.aside]
    others = _joined(following)
    if len(asides) > 1:
        cuts = [steps[place] for place in asides]
        if not all(map(_cuts_off, cuts)) or not leaves_packet(others):
            raise _refusal(steps[asides[1]], step)
        return _joined(before) + others + _joined(sorted(cuts, key=_length, reverse=True))
    if not leaves_packet(others):
        if not can_be_undone(others):
            raise _refusal(following[-1], step)
        others = (Clone(others),)
    return _joined(before) + others + step.actions


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


def _refusal(step: Step, other: Step) -> NetlinkError:
    return NetlinkError(
        f"not supported behind {other.name}: of both, one has to be the last", path=(step.name,)
    )
