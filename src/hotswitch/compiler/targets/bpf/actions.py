"""Actions as code, one after another; what each means is in docs/pipeline.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hotswitch.compiler.flow import Flow
from hotswitch.compiler.ir import Program
from hotswitch.compiler.passes.uses import LABELS, TAGS, copied_width, kernels_own, read_by, set_by
from hotswitch.compiler.targets.bpf import state as cells
from hotswitch.compiler.targets.bpf.addresses import learn, lookup
from hotswitch.compiler.targets.bpf.beside import tell_kernel
from hotswitch.compiler.targets.bpf.code import Code, Value
from hotswitch.compiler.targets.bpf.commit import Commit
from hotswitch.compiler.targets.bpf.copies import copy_to_user
from hotswitch.compiler.targets.bpf.counting import Counting
from hotswitch.compiler.targets.bpf.hook import Packet
from hotswitch.compiler.targets.bpf.labels import pop_label, push_label
from hotswitch.compiler.targets.bpf.layout import SLOT_HEAD
from hotswitch.compiler.targets.bpf.limit import limit
from hotswitch.compiler.targets.bpf.output import Outputs
from hotswitch.compiler.targets.bpf.state import State
from hotswitch.compiler.targets.bpf.tunnel import OUT_FIELDS
from hotswitch.compiler.template import operand_words
from hotswitch.headers.registry import FieldKind
from hotswitch.model.action import (
    IN_PORT,
    Action,
    CopyField,
    CopyToUser,
    DecrementTtl,
    Drop,
    GotoTable,
    Learn,
    Limit,
    Lookup,
    Output,
    OutputList,
    PopMpls,
    PopVlan,
    PushMpls,
    PushVlan,
    SetField,
    ToHost,
)


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
        self.commit = Commit(code, packet, state, flow, program, verdict["error"])
        self.outputs = Outputs(code, packet, state, counting, in_port, verdict)

    def build(self, table: int, number: int, data: Value, line: Callable[[Any], int]) -> None:
        """Build template `number` for a table; `data` is the slot. Control ends in a verdict or
        in another table."""
        template = self.program.templates[number]
        operand = SLOT_HEAD.size
        for position, action in enumerate(template):
            words = operand_words(self.flow, action)
            operands = [
                (lambda at=operand + 8 * index: self.code.load(data, at)) for index in range(words)
            ]
            last = position == len(template) - 1
            with self.code.line(line(("action", table, number, position))):
                if not self._put_off(action, last):
                    self._action(action, operands, table, data, last)  # type: ignore[arg-type]
                    names = set_by(self.flow, action)
                    tell_kernel(self.packet, self.state, names)
                    if OUT_FIELDS.intersection(names):
                        self.state.mark(cells.TUNNEL_DIRTY)
            operand += 8 * words
            if self.code.b.block.is_terminated:
                return
        self.code.go(self.verdict["finish"])

    def _put_off(self, action: Action, last: bool) -> bool:
        """On XDP, leave the packet to tcx where it can't be handled to its end here."""
        if not self.packet.context.whole_data:
            return False
        here = not isinstance(action, OutputList | CopyToUser | ToHost | Limit | PushMpls | PopMpls)
        names = set_by(self.flow, action)
        here = here and not kernels_own(self.flow, (*read_by(self.flow, action), *names))
        here = here and not OUT_FIELDS.intersection(names)
        if here and (last or not isinstance(action, Output)):
            return False
        self.code.go(self.verdict["pass_on"])
        return True

    def _action(
        self,
        action: Action,
        operands: list[Callable[[], Value]],
        table: int,
        data: Value,
        last: bool,
    ) -> None:
        match action:
            case Output(port):
                to_in_port = port == IN_PORT
                number = self.in_port if to_in_port else operands[0]()
                self.outputs.one(number, to_in_port, last, self.commit.build)
            case OutputList():
                self.commit.build()
                self.outputs.all(operands[0]())
            case Drop():
                self.code.go(self.verdict["finish"])
            case ToHost():
                self.commit.build()
                self.outputs.to_host()
            case SetField(name):
                self._set(name, action.mask, operands)
            case CopyField():
                self._copy(action)
            case PushVlan(ethertype):
                self._push_tag(ethertype)
            case PopVlan():
                self.code.when(self.state.present("vlan"), self._pop_tag)
            case PushMpls(ethertype):
                self.commit.build()
                push_label(self.code, self.packet, self.state, self.verdict["error"], ethertype)
            case PopMpls(ethertype):
                self.commit.build()
                self.code.when(
                    self.state.present(LABELS[0]),
                    lambda: pop_label(
                        self.code, self.packet, self.state, self.verdict["error"], action.ethertype
                    ),
                )
            case DecrementTtl(name):
                self._if_present(name, lambda: self._decrement(name))
            case GotoTable(number):
                self.code.go(self.tables[number])
            case CopyToUser():
                self.commit.build()
                copy_to_user(
                    self.code, self.packet, self.state, self.counting, self.in_port, table,
                    self.code.load(data, 8), operands[0](), action.fields,
                )  # fmt: skip
            case Learn(vlan):
                learn(
                    self.code,
                    self.packet,
                    self.state,
                    self.counting,
                    self.in_port,
                    vlan,
                    self.verdict,
                )
            case Lookup(vlan, target):
                self._if_present(target, lambda: lookup(self.code, self.state, vlan, target))
            case Limit():
                limit(self.code, self.state, self.counting, operands[0](), self.verdict["finish"])

    def _if_present(self, name: str, then: Callable[[], None]) -> None:
        info = self.flow.field(name)
        if info.kind is FieldKind.HEADER:
            self.code.when(self.state.present(info.layer), then)
        else:
            then()

    def _set(self, name: str, mask: int, operands: list[Callable[[], Value]]) -> None:
        def then() -> None:
            for piece, operand in zip(self.flow.pieces(name), operands, strict=True):
                if bits := piece.place(mask):
                    self.state.merge(piece.word, bits, operand())
            if self.flow.field(name).kind is FieldKind.HEADER:
                self.state.mark_layer(self.flow.field(name).layer)

        self._if_present(name, then)

    def _copy(self, action: CopyField) -> None:
        """Copy run by run: each lies in one piece of the source and one of the target."""
        b, number = self.code.b, self.code.number
        width = copied_width(self.flow, action)

        def then() -> None:
            moved = []
            for source in self.flow.pieces(action.source):
                for target in self.flow.pieces(action.target):
                    low = max(
                        source.value_shift - action.source_bit,
                        target.value_shift - action.target_bit,
                        0,
                    )
                    high = min(
                        source.value_shift + source.width - action.source_bit,
                        target.value_shift + target.width - action.target_bit,
                        width,
                    )
                    if low >= high:
                        continue
                    mask = (1 << high - low) - 1
                    start = source.word_shift + low + action.source_bit - source.value_shift
                    end = target.word_shift + low + action.target_bit - target.value_shift
                    bits = b.and_(b.lshr(self.state.word(source.word), number(start)), number(mask))
                    moved.append((target.word, mask << end, b.shl(bits, number(end))))
            for word, mask, placed in moved:
                self.state.merge(word, mask, placed)
            if self.flow.field(action.target).kind is FieldKind.HEADER:
                self.state.mark_layer(self.flow.field(action.target).layer)

        self._if_present(action.target, then)

    def _decrement(self, name: str) -> None:
        b, number = self.code.b, self.code.number
        value = self.state.field(name)
        expired, alive = self.code.block("expired"), self.code.block("alive")
        b.cbranch(b.icmp_unsigned("<=", value, number(1)), expired, alive)
        self.code.enter(expired)
        self.counting.total("expired")
        self.code.go(self.verdict["finish"])
        self.code.enter(alive)
        self.state.set_field(name, b.sub(value, number(1)))

    def _push_tag(self, ethertype: int) -> None:
        code, state, b = self.code, self.state, self.code.b
        outer, inner = (self.flow.pieces(f"{layer}.vid")[0].word for layer in TAGS)
        code.jump_if(state.present(TAGS[1]), self.verdict["error"])
        state.set_word(inner, state.word(outer))
        state.set_presence(TAGS[1], state.presence(TAGS[0]))
        (kind,) = self.flow.pieces("ethernet.type")
        tci = b.and_(state.word(outer), code.number(0xFFFF << 48))
        state.set_word(outer, b.or_(tci, b.shl(state.piece(kind), code.number(32))))
        state.set_piece(kind, code.number(ethertype))
        state.set_presence(TAGS[0], 1)
        state.mark(cells.TAGS_DIRTY)

    def _pop_tag(self) -> None:
        code, state = self.code, self.state
        outer, inner = (self.flow.pieces(f"{layer}.vid")[0].word for layer in TAGS)
        (kind,) = self.flow.pieces("ethernet.type")
        state.set_piece(kind, code.b.lshr(state.word(outer), code.number(32)))
        state.set_word(outer, state.word(inner))
        state.set_presence(TAGS[0], state.presence(TAGS[1]))
        state.set_word(inner, code.number(0))
        state.set_presence(TAGS[1], 0)
        state.mark(cells.TAGS_DIRTY)
