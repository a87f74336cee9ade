"""Outputs to many ports: few actions of the model, however many ports there are."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from hotswitch.datapath.limits import STANDARD
from hotswitch.model.action import IN_PORT, Actions, Output, OutputList, walk
from hotswitch.netlink.attributes import Attributes, Name

_FEW = 4
"""So many outputs are as quick one by one."""
_NOTING_FLAGS = 1

Tag = Any
"""What `push_vlan` says."""


def are_too_many(actions: Actions) -> bool:
    """Whether a flow can't have so many actions."""
    return sum(1 for _ in walk(actions)) + _NOTING_FLAGS > STANDARD.actions


def merged(actions: Actions) -> Actions:
    """The actions, with lists of ports for outputs one behind another."""
    found: list[Any] = []
    for kind, run in groupby(actions, _kind):
        outputs = tuple(run)
        if kind is None or len(outputs) <= _FEW:
            found += outputs
        else:
            found += _lists(tuple(each.port for each in outputs), kind)  # type: ignore[union-attr]
    return tuple(found)


def _kind(action: object) -> bool | None:
    """What outputs that can be in one list have in common."""
    return action.hairpin if isinstance(action, Output) and action.port != IN_PORT else None


def _lists(ports: tuple[int, ...], hairpin: bool) -> Iterator[Output | OutputList]:
    """Lists of these ports, none of them twice in one."""
    there: dict[int, None] = {}
    for port in ports:
        if port in there or len(there) == STANDARD.ports:
            yield _list(tuple(there), hairpin)
            there = {}
        there[port] = None
    yield _list(tuple(there), hairpin)


def _list(ports: tuple[int, ...], hairpin: bool) -> Output | OutputList:
    return Output(ports[0], hairpin) if len(ports) == 1 else OutputList(ports, hairpin)


def grouped(attributes: Attributes) -> Attributes:
    """The actions of a message, where outputs between tags that come and go are in another order:
    those with the same tags one behind another.

    So it is with a flood to ports that want a tag and others that don't, in any order.
    """
    found: list[tuple[Name, Any]] = []
    group = _Group()
    after_trunc = False
    for name, value in attributes:
        if after_trunc or not group.take(name, value):
            found += group.end()
            group = _Group()
            if after_trunc or not group.take(name, value):
                found.append((name, value))
        after_trunc = name == "trunc"
    found += group.end()
    return Attributes(found)


class _Group:
    """Outputs, and tags put on and taken off between them."""

    def __init__(self) -> None:
        self._tags: tuple[Tag, ...] = ()
        self._outputs: dict[tuple[Tag, ...], list[int]] = {}

    def take(self, name: Name, value: Any) -> bool:
        """Whether this attribute belongs to the group."""
        if name == "push_vlan":
            self._tags = (*self._tags, value)
        elif name == "pop_vlan" and self._tags:
            self._tags = self._tags[:-1]
        elif name == "output":
            self._outputs.setdefault(self._tags, []).append(value)
        else:
            return False
        return True

    def end(self) -> Iterator[tuple[Name, Any]]:
        """The group's attributes, each tag put on but once or twice."""
        there: tuple[Tag, ...] = ()
        for tags, outputs in sorted(self._outputs.items(), key=lambda each: each[0]):
            yield from _change(there, tags)
            there = tags
            yield from (("output", port) for port in outputs)
        yield from _change(there, self._tags)


def _change(there: tuple[Tag, ...], wanted: tuple[Tag, ...]) -> Iterator[tuple[Name, Any]]:
    same = 0
    while there[same : same + 1] and there[same : same + 1] == wanted[same : same + 1]:
        same += 1
    yield from (("pop_vlan", True) for _ in there[same:])
    yield from (("push_vlan", tag) for tag in wanted[same:])
