"""Templates: what the code of an entry's actions depends on, and the operands that it does not.

Two entries with the same template share code; their operands (a port, a value to set) are data in
the entry's slot. An operand takes 8 bytes, or 8 for each word that a field touches.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from hotswitch.compiler.flow import Flow
from hotswitch.model.action import (
    IN_PORT,
    Action,
    Actions,
    CheckLength,
    Clone,
    CopyToUser,
    DecrementTtl,
    Hash,
    Limit,
    Output,
    OutputList,
    Recirculate,
    Sample,
    SetField,
    Truncate,
    with_lists,
)
from hotswitch.model.action import lists_in as inner_lists

Template: TypeAlias = Actions
"""Actions with every operand set to zero."""


@dataclass(frozen=True, slots=True)
class ListRun:
    """Where a port list lies in the members array."""

    start: int
    count: int


PlaceList: TypeAlias = Callable[[tuple[int, ...]], ListRun]
ReadList: TypeAlias = Callable[[ListRun], tuple[int, ...]]


_NO_OPERANDS: Mapping[type[Action], Action] = {
    Limit: Limit(0),
    Truncate: Truncate(0),
    Hash: Hash(0),
    Recirculate: Recirculate(0),
}


_WITH_ONE = (OutputList, CopyToUser, Limit, Sample, CheckLength, Truncate, Hash, Recirculate)


def template_of(actions: Actions) -> Template:
    """The actions without their operands."""
    return tuple(_template(action) for action in actions)


def _template(action: Action) -> Action:
    if isinstance(action, SetField):
        return SetField(action.field, 0, action.mask)
    if isinstance(action, Output) and action.port == IN_PORT:
        return action
    match action:
        case CopyToUser(fields=fields):
            return CopyToUser(0, 0, fields)
        case Output(hairpin=hairpin):
            return Output(0, hairpin)
        case OutputList(hairpin=hairpin):
            return OutputList((), hairpin)
        case Sample(_, inner):
            return Sample(0, template_of(inner))
        case CheckLength(_, longer, otherwise):
            return CheckLength(0, template_of(longer), template_of(otherwise))
        case Clone() | DecrementTtl():
            return with_lists(action, tuple(map(template_of, inner_lists(action))))
    return _NO_OPERANDS.get(type(action), action)


def operand_words(flow: Flow, action: Action) -> int:
    """How many 8-byte operands an action of a template has, with the actions in it."""
    inner = sum(operand_words(flow, each) for actions in inner_lists(action) for each in actions)
    return own_operand_words(flow, action) + inner


def own_operand_words(flow: Flow, action: Action) -> int:
    """How many it has itself; those of the actions in it follow."""
    match action:
        case Output(port):
            return 0 if port == IN_PORT else 1
        case SetField(name):
            return len(flow.pieces(name))
    return int(isinstance(action, _WITH_ONE))


def operands(flow: Flow, actions: Actions, place_list: PlaceList) -> bytes:
    """The operands of actions, little-endian 64-bit numbers one after another."""
    words = _operands(flow, actions, place_list)
    return struct.pack(f"<{len(words)}Q", *words)


def _operands(flow: Flow, actions: Actions, place_list: PlaceList) -> list[int]:
    words: list[int] = []
    for action in actions:
        match action:
            case Output(port) if port != IN_PORT:
                words.append(port)
            case OutputList(ports):
                run = place_list(ports)
                words.append(run.start | run.count << 32)
            case SetField(name, value):
                words.extend(piece.place(value) for piece in flow.pieces(name))
            case CopyToUser(reason, length):
                words.append(reason | length << 32)
            case (
                Limit(number)
                | Sample(number)
                | CheckLength(number)
                | Truncate(number)
                | Hash(number)
                | Recirculate(number)
            ):
                words.append(number)
        for inner in inner_lists(action):
            words += _operands(flow, inner, place_list)
    return words


def actions_of(flow: Flow, template: Template, data: bytes, read_list: ReadList) -> Actions:
    """The actions that `operands` gave these bytes for (more may follow them)."""
    words = iter(memoryview(data[: len(data) // 8 * 8]).cast("Q"))
    return _actions(flow, template, words.__next__, read_list)


def _actions(
    flow: Flow, template: Template, operand: Callable[[], int], read_list: ReadList
) -> Actions:
    found = []
    for each in template:
        action = _action(flow, each, operand, read_list)
        inner = tuple(_actions(flow, list_, operand, read_list) for list_ in inner_lists(action))
        found.append(with_lists(action, inner) if inner else action)
    return tuple(found)


def _action(flow: Flow, action: Action, operand: Callable[[], int], read_list: ReadList) -> Action:
    match action:
        case Output(port, hairpin) if port != IN_PORT:
            return Output(operand(), hairpin)
        case OutputList(hairpin=hairpin):
            run = operand()
            return OutputList(read_list(ListRun(run & 0xFFFFFFFF, run >> 32)), hairpin)
        case SetField(name):
            value = sum(piece.take(operand()) for piece in flow.pieces(name))
            return replace(action, value=value)
        case CopyToUser():
            both = operand()
            return CopyToUser(both & 0xFFFFFFFF, both >> 32, action.fields)
        case Limit():
            return Limit(operand())
        case Sample():
            return replace(action, probability=operand())
        case CheckLength():
            return replace(action, length=operand())
        case Truncate():
            return Truncate(operand())
        case Hash():
            return Hash(operand())
        case Recirculate():
            return Recirculate(operand())
    return action


def lists_in(flow: Flow, template: Template, data: bytes) -> Sequence[ListRun]:
    """The list runs that these operands refer to."""
    runs: list[ListRun] = []

    def note(run: ListRun) -> tuple[int, ...]:
        runs.append(run)
        return ()

    actions_of(flow, template, data, note)
    return runs
