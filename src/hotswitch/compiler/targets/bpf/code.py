"""Building LLVM for BPF: constants, memory, helpers, jumps. Nothing here knows a packet's path."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

I8, I16, I32, I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
POINTER = ir.PointerType()
Value = Any
"""An LLVM value; llvmlite has no types to offer."""

# Helpers by number (include/uapi/linux/bpf.h, ___BPF_FUNC_MAPPER).
MAP_LOOKUP, MAP_UPDATE = 1, 2
SKB_STORE_BYTES, L4_CSUM_REPLACE, TAIL_CALL, CLONE_REDIRECT = 9, 11, 12, 13
SKB_VLAN_PUSH, SKB_VLAN_POP = 18, 19
SKB_GET_TUNNEL_KEY, SKB_SET_TUNNEL_KEY = 20, 21
REDIRECT, SKB_LOAD_BYTES, SKB_PULL_DATA = 23, 26, 39
RANDOM, SKB_CHANGE_TAIL = 7, 38
SKB_CHANGE_HEAD, XDP_ADJUST_HEAD = 43, 44
RINGBUF_RESERVE, RINGBUF_SUBMIT = 131, 132
REDIRECT_PEER, KTIME_COARSE = 155, 160
KTIME = 5
PROBE_READ_KERNEL = 113
LOOP = 181
XDP_LOAD_BYTES, XDP_STORE_BYTES = 189, 190


class Code:
    """One function under construction."""

    def __init__(self, module: ir.Module, function: ir.Function, scope: Any) -> None:
        self.module = module
        self.function = function
        self.scope = scope
        self.entry = function.append_basic_block("entry")
        self.body = function.append_basic_block("body")
        self.b = ir.IRBuilder(self.body)
        self._slots = ir.IRBuilder(self.entry)

    def finish(self) -> None:
        """Close the entry block, in which all stack memory is reserved."""
        self._slots.branch(self.body)

    # numbers and memory

    @staticmethod
    def number(value: int, type_: ir.IntType = I64) -> Value:
        """A constant."""
        return ir.Constant(type_, value)

    def reserve(self, size: int) -> Value:
        """Stack memory, 8-byte aligned."""
        slot = self._slots.alloca(ir.ArrayType(I64, -(-size // 8)))
        slot.align = 8
        slot.type = POINTER
        return slot

    def at(self, pointer: Value, offset: int | Value) -> Value:
        """pointer + offset bytes."""
        if isinstance(offset, int):
            offset = self.number(offset)
        return self.b.gep(pointer, [offset], source_etype=I8)

    def load(self, pointer: Value, offset: int, type_: ir.IntType = I64) -> Value:
        """The number at pointer + offset, widened to 64 bits."""
        loaded = self.b.load(self.at(pointer, offset), typ=type_, align=type_.width // 8)
        return loaded if type_ is I64 else self.b.zext(loaded, I64)

    def store(self, pointer: Value, offset: int, value: Value, type_: ir.IntType = I64) -> None:
        """Store the low bits of a 64-bit number."""
        narrow = value if value.type == type_ else self.b.trunc(value, type_)
        self.b.store(narrow, self.at(pointer, offset), align=type_.width // 8)

    def swap(self, value: Value) -> Value:
        """The number with its bytes in opposite order."""
        return self.b.bswap(value)

    def opaque(self, value: Value) -> Value:
        """The same value, about which the optimiser knows nothing: what the verifier has checked
        of one register must be used through that register."""
        kind = ir.FunctionType(value.type, [value.type])
        return self.b.asm(kind, "", "=r,0", [value], side_effect=True)

    # helpers and maps

    def call(self, helper: int, *arguments: Value, returns: Any = I64) -> Value:
        """Call a BPF helper by number."""
        kind = ir.FunctionType(returns, [each.type for each in arguments])
        return self.b.call(self.b.inttoptr(self.number(helper), kind.as_pointer()), arguments)

    def map(self, name: str) -> Value:
        """The address of a map; the loader puts it in."""
        known = self.module.globals.get(name)
        if known is None:
            known = ir.GlobalVariable(self.module, I64, name)
            known.type = POINTER
        return known

    def lookup(self, name: str, key: Value) -> Value:
        """The address of the value under the key at `key`, or null."""
        return self.call(MAP_LOOKUP, self.map(name), key, returns=POINTER)

    def element(self, name: str, index: Value, otherwise: ir.Block) -> Value:
        """The address of an array's element; jumps if the index is out of range."""
        key = self.reserve_once("index", 4)
        self.store(key, 0, index, I32)
        found = self.lookup(name, key)
        self.unless_null(found, otherwise)
        return found

    def reserve_once(self, name: str, size: int) -> Value:
        """Stack memory that all who ask for this name share; the largest size must come first."""
        known: dict[str, Value] = self.__dict__.setdefault("_shared", {})
        if name not in known:
            known[name] = self.reserve(size)
        return known[name]

    # jumps

    def block(self, name: str) -> ir.Block:
        """A new block; building goes on where it was."""
        return self.function.append_basic_block(name)

    def enter(self, block: ir.Block) -> None:
        """Build here from now on."""
        self.b.position_at_end(block)

    def go(self, block: ir.Block) -> None:
        """Jump."""
        self.b.branch(block)

    def jump_if(self, condition: Value, block: ir.Block, name: str = "on") -> None:
        """Jump on a condition; else go on."""
        rest = self.block(name)
        self.b.cbranch(condition, block, rest)
        self.enter(rest)

    def unless_null(self, pointer: Value, otherwise: ir.Block) -> None:
        """Jump if a pointer is null; else go on."""
        null = self.b.icmp_unsigned("==", pointer, ir.Constant(POINTER, None))
        self.jump_if(null, otherwise)

    def when(self, condition: Value, then: Callable[[], None], name: str = "when") -> None:
        """Build `then` to run on a condition; afterwards both ways meet."""
        yes, rest = self.block(name), self.block(f"{name}_on")
        self.b.cbranch(condition, yes, rest)
        self.enter(yes)
        then()
        if not self.b.block.is_terminated:
            self.go(rest)
        self.enter(rest)

    def is_set(self, value: Value) -> Value:
        """value != 0."""
        return self.b.icmp_unsigned("!=", value, self.number(0))

    def increment(self, pointer: Value, offset: int, by: Value | int = 1) -> None:
        """Add to a 64-bit number that only this CPU writes."""
        amount = self.number(by) if isinstance(by, int) else by
        self.store(pointer, offset, self.b.add(self.load(pointer, offset), amount))

    @contextmanager
    def line(self, number: int) -> Iterator[None]:
        """What is built inside belongs to this line of the program's text."""
        before = self.b.debug_metadata
        self.b.debug_metadata = self.module.add_debug_info(
            "DILocation", {"line": number, "column": 1, "scope": self.scope}
        )
        try:
            yield
        finally:
            self.b.debug_metadata = before
