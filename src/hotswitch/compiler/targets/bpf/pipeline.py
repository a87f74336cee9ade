"""A whole program: from the port it came in by, through parser and tables, to where it goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llvmlite import ir

from hotswitch.compiler.flow import Flow
from hotswitch.compiler.ir import Program, TableCode, lines
from hotswitch.compiler.passes.parse import behind_pseudo_header, covering
from hotswitch.compiler.passes.uses import SEGMENTED, TAGS, changes_tags, has_action
from hotswitch.compiler.targets.bpf import code as c
from hotswitch.compiler.targets.bpf import layout as memory
from hotswitch.compiler.targets.bpf import state as cells
from hotswitch.compiler.targets.bpf.actions import Actions
from hotswitch.compiler.targets.bpf.beside import found_out, read_beside
from hotswitch.compiler.targets.bpf.code import I32, I64, POINTER, Code, Value
from hotswitch.compiler.targets.bpf.counting import Counting, counting
from hotswitch.compiler.targets.bpf.hook import Context, Packet
from hotswitch.compiler.targets.bpf.link import make_fall_back
from hotswitch.compiler.targets.bpf.lookup import KEY_SIZE, Lookup, find_best
from hotswitch.compiler.targets.bpf.parser import PARSE_LIMIT, Parser
from hotswitch.compiler.targets.bpf.recirculate import take_over
from hotswitch.compiler.targets.bpf.state import State
from hotswitch.compiler.targets.bpf.tunnel import is_read_first, read_tunnel
from hotswitch.model.action import CheckLength, Recirculate

FUNCTION = "pipeline"
"""The name of the program's function."""


def build(program: Program, flow: Flow, context: Context, *, reads_kernel: bool) -> ir.Module:
    """The program as an LLVM module for one hook. Raises CompileError.

    reads_kernel: whether it may read the kernel's memory, to fall back from links that fail.
    """
    return _Build(program, flow, context, reads_kernel).module


class _Build:
    def __init__(self, program: Program, flow: Flow, context: Context, reads_kernel: bool) -> None:
        self.program = program
        self.flow = flow
        self.context = context
        self.line_of = {key: number for number, (key, _) in enumerate(lines(program), start=1)}
        self.module = ir.Module("hotswitch")
        self.module.triple = "bpfel"
        if reads_kernel:
            make_fall_back(self.module)
        kind = ir.FunctionType(I32, [POINTER])
        function = ir.Function(self.module, kind, FUNCTION)
        function.section = context.section
        self.code = Code(self.module, function, _scope(self.module, function))
        self.packet = Packet(self.code, context, function.args[0])
        self.state = State(self.code, flow, program, tracked_layers(program, flow))
        self.verdict = {
            name: self.code.block(name) for name in ("pass_on", "finish", "malformed", "error")
        }
        self.tables = {
            each.table.number: self.code.block(f"table_{each.table.number}")
            for each in program.tables
        }
        with self.code.line(1):
            self._build()
        self.code.finish()

    def _build(self) -> None:
        code = self.code
        self._begin()
        parser = Parser(code, self.packet, self.state, self.program, self.verdict["malformed"])
        parser.build(self._pull, self._line)
        found_out(self.state)
        self._note_tags()
        code.go(self.tables[self.program.tables[0].table.number])
        size = max([KEY_SIZE // 4, *(_key_size(name) for name in self.program.maps)])
        self.lookup = Lookup(code, self.state, size)
        self.actions = Actions(
            code, self.packet, self.state, self.flow, self.program, self.counting,
            self.in_port, self.tables, self.verdict,
        )  # fmt: skip
        for table in self.program.tables:
            code.enter(self.tables[table.table.number])
            with code.line(self._line(("table", table.table.number))):
                self._table(table)
        self._end(parser)

    def _begin(self) -> None:
        """Find the port; give every cell its first value."""
        code, state = self.code, self.state
        key = code.reserve_once("index", 8)
        code.store(key, 0, code.number(0), I32)
        state.memory = code.lookup(memory.SCRATCH, key)
        code.unless_null(state.memory, self.verdict["pass_on"])
        self.in_port = self._port(key)
        counters = code.element(memory.PORT_COUNTERS, self.in_port, self.verdict["pass_on"])
        for place in self.program.places.values():
            code.store(state.memory, place, code.number(0))
        (piece,) = self.flow.pieces("in_port")
        if state.has(piece.word):
            shifted = code.b.shl(self.in_port, code.number(piece.word_shift))
            state.set_word(piece.word, shifted)
        if self.context.again:
            take_over(state)
        read_beside(self.packet, state, self.verdict["pass_on"])
        if is_read_first(self.program, self.flow) and not (
            self.context.whole_data or self.context.again
        ):
            read_tunnel(self.packet, state)
        state.set_cell(cells.STORED_LENGTH, self.packet.stored_length())
        state.set_cell(cells.FRAME_LENGTH, self.packet.frame_length())
        for cell in (cells.TAGS, cells.DIRTY, cells.ACTED)[: 2 if self.context.again else 3]:
            state.set_cell(cell, 0)
        if has_action(self.program, Recirculate) and not self.context.again:
            state.set_cell(cells.RECIRCULATIONS, 0)
        state.set_cell(cells.NOW, code.call(c.KTIME_COARSE))
        self.counting: Counting = counting(self.context, code, state, counters)
        if not self.context.again:
            self.counting.received()

    def _port(self, key: Value) -> Value:
        """The number of the port that the link is behind, from a hint if it is the link's."""
        code, b = self.code, self.code.b
        ifindex = self.packet.ifindex()
        index = b.and_(ifindex, code.number(memory.PORT_HINTS_LENGTH - 1))
        hint = code.element(memory.PORT_HINTS, index, self.verdict["pass_on"])
        number = code.load(hint, 4, I32)
        hinted, asked, known = b.block, code.block("ask"), code.block("port")
        b.cbranch(b.icmp_unsigned("==", code.load(hint, 0, I32), ifindex), known, asked)
        code.enter(asked)
        code.store(key, 0, ifindex, I32)
        port = code.lookup(memory.PORTS, key)
        code.unless_null(port, self.verdict["pass_on"])
        found, looked_up = code.load(port, 0, I32), b.block
        code.go(known)
        code.enter(known)
        result = b.phi(I64)
        result.add_incoming(number, hinted)
        result.add_incoming(found, looked_up)
        return result

    def _pull(self, truncated: Value) -> None:
        """Bytes that are there but not directly readable are fetched, and all begins anew."""
        code, b = self.code, self.code.b
        if self.context.whole_data:
            code.go(truncated)
            return
        readable = b.sub(self.packet.data_end(), self.packet.data())
        length = self.packet.stored_length()
        limit = code.number(PARSE_LIMIT)
        wanted = b.select(b.icmp_unsigned("<", length, limit), length, limit)
        code.jump_if(b.icmp_unsigned(">=", readable, wanted), truncated)
        self.packet.must(
            code.call(c.SKB_PULL_DATA, self.packet.pointer, b.trunc(wanted, I32)), truncated
        )
        if not self.context.again:
            self.counting.not_received()
        code.call(
            c.TAIL_CALL,
            self.packet.pointer,
            code.map(self.context.programs),
            code.number(0),
        )
        code.go(truncated)

    def _note_tags(self) -> None:
        """How many of the frame's tags are recorded: what push and pop start from."""
        if not changes_tags(self.program):
            return
        tags = self.code.b.add(self.state.presence("vlan"), self.state.presence("vlan2"))
        self.state.set_cell(cells.TAGS, tags)

    def _table(self, table: TableCode) -> None:
        code, b = self.code, self.code.b
        best = find_best(self.lookup, table, self._line)
        missed = code.block("missed")
        code.jump_if(b.icmp_unsigned("==", best, code.number(0)), missed)
        slot = b.and_(best, code.number(0xFFFFFFFF))
        data = code.element(memory.SLOTS, slot, missed)
        self.counting.entry(slot, missed)
        template = code.load(data, 0, I32)
        switch = b.switch(template, self.verdict["error"])
        for number in table.table.templates:
            block = code.block(f"actions_{number}")
            switch.add_case(code.number(number), block)
            code.enter(block)
            self.actions.build(table.table.number, number, data, self._line)
        code.enter(missed)
        self.counting.total("missed")
        code.go(self.verdict["finish"])

    def _end(self, parser: Parser) -> None:
        code = self.code
        code.enter(self.verdict["malformed"])
        self.counting.total("malformed")
        code.go(parser.done)
        code.enter(self.verdict["error"])
        self.counting.total("errors")
        code.go(self.verdict["finish"])
        code.enter(self.verdict["finish"])
        self.counting.finish()
        self.actions.outputs.finish()
        code.enter(self.verdict["pass_on"])
        code.b.ret(ir.Constant(I32, self.context.pass_on))

    def _line(self, key: Any) -> int:
        return self.line_of.get(key, 1)


def tracked_layers(program: Program, flow: Flow) -> tuple[str, ...]:
    """The layers whose place in the frame must be known: those that are set, and those whose
    checksums follow; in the order in which they are written back. Tags are not among them."""
    wanted = set(program.uses.written_layers) - set(TAGS)
    registry = flow.registry
    if has_action(program, CheckLength):
        wanted |= {registry.field(name).layer for name in SEGMENTED if registry.has(name)}
    for name in program.uses.written_layers:
        header = registry.layers[name].header
        followed = set(covering(registry, header))
        if header.addresses:
            followed |= set(behind_pseudo_header(registry, header))
        wanted |= {
            layer.name for layer in registry.layers.values() if layer.header.name in followed
        }
    return tuple(name for name in registry.layers if name in wanted)


def _key_size(map_name: str) -> int:
    kind, _, size = map_name.partition("_")
    return int(size) if kind in ("hash", "trie") else 4


def _scope(module: ir.Module, function: ir.Function) -> Any:
    """What debug locations need around them."""
    file = module.add_debug_info("DIFile", {"filename": "program.ir", "directory": "/"})
    kind = module.add_debug_info("DISubroutineType", {"types": module.add_metadata([None])})
    unit = module.add_debug_info(
        "DICompileUnit",
        {
            "language": ir.DIToken("DW_LANG_C99"),
            "file": file,
            "producer": "hotswitch",
            "runtimeVersion": 0,
            "isOptimized": True,
            "emissionKind": ir.DIToken("LineTablesOnly"),
        },
        is_distinct=True,
    )
    scope = module.add_debug_info(
        "DISubprogram",
        {
            "name": function.name,
            "file": file,
            "line": 1,
            "type": kind,
            "isLocal": False,
            "unit": unit,
            "spFlags": ir.DIToken("DISPFlagDefinition"),
        },
        is_distinct=True,
    )
    function.set_metadata("dbg", scope)
    version = [ir.Constant(I32, 2), "Debug Info Version", ir.Constant(I32, 3)]
    module.add_named_metadata("llvm.module.flags", version)
    module.add_named_metadata("llvm.dbg.cu", unit)
    return scope


__all__ = ["FUNCTION", "I64", "Mapping", "build", "tracked_layers"]
