"""Actions as code, one after another; what each means is in docs/pipeline.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, NamedTuple

from hotswitch.compiler.flow import Flow
from hotswitch.compiler.ir import Program
from hotswitch.compiler.passes.uses import LABELS, kernels_own, read_by, set_by
from hotswitch.compiler.targets.bpf import code as c
from hotswitch.compiler.targets.bpf import state as cells
from hotswitch.compiler.targets.bpf.addresses import learn, lookup
from hotswitch.compiler.targets.bpf.aside import Aside
from hotswitch.compiler.targets.bpf.beside import tell_kernel
from hotswitch.compiler.targets.bpf.code import Code, Value
from hotswitch.compiler.targets.bpf.commit import Commit
from hotswitch.compiler.targets.bpf.copies import copy_to_user
from hotswitch.compiler.targets.bpf.counting import Counting, note_flags
from hotswitch.compiler.targets.bpf.fields import copy_field, if_there, set_field
from hotswitch.compiler.targets.bpf.flow_hash import flow_hash
from hotswitch.compiler.targets.bpf.hook import Packet
from hotswitch.compiler.targets.bpf.labels import pop_label, push_label
from hotswitch.compiler.targets.bpf.layout import SLOT_HEAD
from hotswitch.compiler.targets.bpf.length import longest, truncate
from hotswitch.compiler.targets.bpf.limit import limit
from hotswitch.compiler.targets.bpf.output import Outputs
from hotswitch.compiler.targets.bpf.recirculate import recirculate
from hotswitch.compiler.targets.bpf.state import State
from hotswitch.compiler.targets.bpf.tags import pop_tag, push_tag
from hotswitch.compiler.targets.bpf.tunnel import OUT_FIELDS
from hotswitch.compiler.template import Template, operand_words, own_operand_words
from hotswitch.model.action import (
    IN_PORT,
    Action,
    CheckLength,
    Clone,
    CopyField,
    CopyToUser,
    DecrementTtl,
    Drop,
    GotoTable,
    Hash,
    Learn,
    Limit,
    Lookup,
    NoteFlags,
    Output,
    OutputList,
    PopMpls,
    PopVlan,
    PushMpls,
    PushVlan,
    Recirculate,
    Sample,
    SetField,
    ToHost,
    Truncate,
    lists_in,
)

_FOR_TCX = (
    OutputList, CopyToUser, ToHost, Limit, PushMpls, PopMpls, Clone, Sample, CheckLength, Truncate,
    Recirculate, NoteFlags,
)  # fmt: skip
"""What XDP leaves to tcx."""


class _Scope:
    """A list of actions under construction.

    verdict: where what ends the list goes. final: nothing is done with the packet afterwards.
    free: where in the scratch memory there is room.
    """

    def __init__(
        self, actions: Actions, verdict: Mapping[str, Value], final: bool, free: int
    ) -> None:
        self.verdict = verdict
        self.final = final
        self.free = free
        code, packet, state = actions.code, actions.packet, actions.state
        self.commit = Commit(code, packet, state, actions.flow, actions.program, verdict["error"])
        self.outputs = Outputs(code, packet, state, actions.counting, actions.in_port, verdict)


class _Slot(NamedTuple):
    """The entry whose actions are built: its table, and where its slot is."""

    table: int
    data: Value


class _Inside(NamedTuple):
    """Where actions within an action are built.

    operand: where their operands begin in the slot. last: nothing is done with the packet after
    the action that they are in.
    """

    operand: int
    slot: _Slot
    scope: _Scope
    last: bool


class Actions:
    """Builds the actions of templates."""

    def __init__(
        self,
        code: Code,
        packet: Packet,
        state: State,
        flow: Flow,
        program: Program,
        counting: Counting,
        in_port: Value,
        tables: Mapping[int, Value],
        verdict: Mapping[str, Value],
    ) -> None:
        self.code = code
        self.packet = packet
        self.state = state
        self.flow = flow
        self.program = program
        self.counting = counting
        self.in_port = in_port
        self.tables = tables
        self.verdict = verdict
        self.whole = _Scope(self, verdict, True, state.end)
        self.outputs = self.whole.outputs

    def build(self, table: int, number: int, data: Value, line: Callable[[Any], int]) -> None:
        """Build template `number` for a table; `data` is the slot. Control ends in a verdict or
        in another table."""
        slot = _Slot(table, data)
        lines = (
            line(("action", table, number, position))
            for position in range(len(self.program.templates[number]))
        )
        self._list(self.program.templates[number], SLOT_HEAD.size, slot, self.whole, lines)

    def _list(
        self,
        actions: Template,
        operand: int,
        slot: _Slot,
        scope: _Scope,
        lines: Iterator[int] | None = None,
    ) -> None:
        """Build actions whose operands begin at `operand`; control ends in a verdict of the scope,
        or in another table. lines: of the program's text, if each action has its own."""
        for position, action in enumerate(actions):
            words = own_operand_words(self.flow, action)
            operands = [
                partial(self.code.load, slot.data, operand + 8 * index) for index in range(words)
            ]
            last = scope.final and position == len(actions) - 1
            with self.code.line(next(lines)) if lines else nullcontext():
                if not self._put_off(action, last):
                    inside = _Inside(operand + 8 * words, slot, scope, last)
                    self._action(action, operands, inside)
                    if not self.code.b.block.is_terminated:
                        names = set_by(self.flow, action)
                        tell_kernel(self.packet, self.state, names)
                        if OUT_FIELDS.intersection(names):
                            self.state.mark(cells.TUNNEL_DIRTY)
            operand += 8 * operand_words(self.flow, action)
            if self.code.b.block.is_terminated:
                return
        self.code.go(scope.verdict["finish"])

    def _put_off(self, action: Action, last: bool) -> bool:
        """On XDP, leave the packet to tcx where it can't be handled to its end here."""
        if not self.packet.context.whole_data:
            return False
        here = not isinstance(action, _FOR_TCX) and not any(lists_in(action))
        names = set_by(self.flow, action)
        here = here and not kernels_own(self.flow, (*read_by(self.flow, action), *names))
        here = here and not OUT_FIELDS.intersection(names)
        # Once written to, the frame can't be left to tcx any more.
        if isinstance(action, PushVlan | PopVlan):
            here = here and not self.whole.commit.shows_checksums
        if here and (last or not isinstance(action, Output)):
            return False
        self.code.go(self.verdict["pass_on"])
        return True

    def _action(
        self, action: Action, operands: Sequence[Callable[[], Value]], inside: _Inside
    ) -> None:
        slot, scope, last = inside.slot, inside.scope, inside.last
        code, verdict, commit = self.code, scope.verdict, scope.commit
        match action:
            case Output(port, hairpin):
                to_in_port = port == IN_PORT
                number = self.in_port if to_in_port else operands[0]()
                scope.outputs.one(number, to_in_port or hairpin, last, commit.build)
            case OutputList(_, hairpin):
                commit.build()
                scope.outputs.all(operands[0](), hairpin)
            case Drop():
                code.go(verdict["finish"])
            case ToHost():
                commit.build()
                scope.outputs.to_host()
            case SetField(name):
                set_field(self.state, name, action.mask, operands)
            case CopyField():
                copy_field(self.state, action)
            case PushVlan(ethertype):
                commit.build_if_told_apart()
                push_tag(self.state, ethertype, verdict["error"])
            case PopVlan():
                code.when(self.state.present("vlan"), lambda: self._pop_tag(commit))
            case PushMpls(ethertype):
                commit.build()
                push_label(code, self.packet, self.state, verdict["error"], ethertype)
            case PopMpls(ethertype):
                code.when(
                    self.state.present(LABELS[0]),
                    lambda: self._pop_label(commit, verdict["error"], ethertype),
                )
            case DecrementTtl(name, spent):
                if_there(self.state, name, lambda: self._decrement(name, spent, inside))
            case GotoTable(number):
                code.go(self.tables[number])
            case CopyToUser():
                commit.build()
                copy_to_user(
                    code, self.packet, self.state, self.counting, self.in_port, slot.table,
                    code.load(slot.data, 8), operands[0](), action.fields,
                )  # fmt: skip
            case Learn(vlan):
                learn(code, self.packet, self.state, self.counting, self.in_port, vlan, verdict)
            case Lookup(vlan, target):
                if_there(self.state, target, lambda: lookup(code, self.state, vlan, target))
            case Limit():
                limit(code, self.counting, operands[0](), verdict["finish"])
            case Clone(actions):
                self._clone(actions, inside)
            case Sample(_, actions):
                self._sample(operands[0](), actions, inside)
            case CheckLength():
                commit.build()
                whole = longest(self.packet, self.state, commit)
                is_longer = code.b.icmp_unsigned(">", whole, operands[0]())
                self._either(is_longer, action, inside)
            case Truncate():
                commit.build()
                truncate(self.packet, operands[0](), verdict["error"])
            case Hash():
                flow_hash(self.state, operands[0]())
            case Recirculate():
                commit.build()
                recirculate(self.packet, self.state, operands[0](), verdict)
            case NoteFlags():
                note_flags(self.state, slot.data)

    def _pop_tag(self, commit: Commit) -> None:
        commit.build_if_told_apart()
        pop_tag(self.state)

    def _pop_label(self, commit: Commit, error: Value, ethertype: int) -> None:
        commit.build()
        pop_label(self.code, self.packet, self.state, error, ethertype)

    def _clone(self, actions: Template, inside: _Inside) -> None:
        """With a copy; what comes last needs none."""
        operand, slot, scope, last = inside
        scope.commit.build_if_told_apart()
        if last:
            self._list(actions, operand, slot, scope)
            return
        code = self.code
        aside = Aside(self.packet, self.state, scope.commit, self.flow, actions, scope.free)
        done, error = code.block("copy_done"), code.block("copy_error")
        verdict = {**scope.verdict, "finish": done, "error": error}
        self._list(actions, operand, slot, _Scope(self, verdict, False, aside.end))
        code.enter(error)
        self.counting.total("errors")
        code.go(done)
        code.enter(done)
        aside.put_back()

    def _sample(self, probability: Value, actions: Template, inside: _Inside) -> None:
        code, b = self.code, self.code.b
        on = inside.scope.verdict["finish"] if inside.last else code.block("sampled")
        drawn = b.and_(code.call(c.RANDOM), code.number(0xFFFFFFFF))
        code.jump_if(b.icmp_unsigned(">", drawn, probability), on)
        self._clone(actions, inside)
        if not inside.last:
            code.go(on)
            code.enter(on)

    def _either(self, is_longer: Value, action: CheckLength, inside: _Inside) -> None:
        code = self.code
        yes, no, on = code.block("longer"), code.block("not_longer"), code.block("checked")
        code.b.cbranch(is_longer, yes, no)
        for block, actions in ((yes, action.longer), (no, action.otherwise)):
            code.enter(block)
            self._clone(actions, inside)
            if not inside.last:
                code.go(on)
            words = sum(operand_words(self.flow, each) for each in actions)
            inside = inside._replace(operand=inside.operand + 8 * words)
        code.enter(on)
        if inside.last:
            code.b.unreachable()

    def _decrement(self, name: str, spent: Template, inside: _Inside) -> None:
        b, number = self.code.b, self.code.number
        value = self.state.field(name)
        expired, alive = self.code.block("expired"), self.code.block("alive")
        b.cbranch(b.icmp_unsigned("<=", value, number(1)), expired, alive)
        self.code.enter(expired)
        self.counting.total("expired")
        self._list(spent, inside.operand, inside.slot, inside.scope)
        self.code.enter(alive)
        self.state.set_field(name, b.sub(value, number(1)))
