"""Instructions as text, much as the verifier writes them.

Covers the instruction set of cpu v4 (RFC 9669): all of v3, and what v4 adds.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from hotswitch.kernel.helper_names import HELPER_NAMES

_instruction = struct.Struct("<BBhi")

_LD, _LDX, _ST, _STX, _ALU, _JMP, _JMP32, _ALU64 = range(8)
_LOAD_IMMEDIATE = 0x18
_REGISTER = 0x08

_SIZES = {0x00: "u32", 0x08: "u16", 0x10: "u8", 0x18: "u64"}
_MODE_ABSOLUTE, _MODE_INDIRECT, _MODE_MEMORY, _MODE_SIGNED, _MODE_ATOMIC = (
    0x20, 0x40, 0x60, 0x80, 0xC0,
)  # fmt: skip

_ARITHMETIC = {
    0x00: "+=", 0x10: "-=", 0x20: "*=", 0x30: "/=", 0x40: "|=", 0x50: "&=", 0x60: "<<=",
    0x70: ">>=", 0x90: "%=", 0xA0: "^=", 0xB0: "=", 0xC0: "s>>=",
}  # fmt: skip
_NEGATE, _BYTE_ORDER, _MOVE = 0x80, 0xD0, 0xB0

_COMPARISONS = {
    0x10: "==", 0x20: ">", 0x30: ">=", 0x40: "&", 0x50: "!=", 0x60: "s>", 0x70: "s>=",
    0xA0: "<", 0xB0: "<=", 0xC0: "s<", 0xD0: "s<=",
}  # fmt: skip
_JUMP, _CALL, _EXIT = 0x00, 0x80, 0x90

_ATOMIC_OPERATORS = {0x00: "+=", 0x40: "|=", 0x50: "&=", 0xA0: "^="}
_ATOMIC_NAMES = {0x00: "add", 0x40: "or", 0x50: "and", 0xA0: "xor"}
_FETCH, _EXCHANGE, _COMPARE_EXCHANGE = 0x01, 0xE1, 0xF1

_ADDRESSES = {
    1: "map[fd:{0}]",
    2: "map[fd:{0}][0]+{1}",
    3: "variable[{0}]",
    4: "function[pc{0:+d}]",
    5: "map[index:{0}]",
    6: "map[index:{0}][0]+{1}",
}


def disassemble(instructions: bytes) -> list[str]:
    """Return a line of text an instruction, by its index.

    The second half of a 64-bit load has an empty line. What is no instruction is `(XX) unknown`
    with its opcode; bytes after the last whole instruction are left out.
    """
    lines = []
    count = len(instructions) // 8
    index = 0
    while index < count:
        opcode, registers, offset, immediate = _instruction.unpack_from(instructions, index * 8)
        destination, source = registers & 0xF, registers >> 4
        if opcode == _LOAD_IMMEDIATE and index + 1 < count:
            (high,) = struct.unpack_from("<i", instructions, index * 8 + 12)
            lines += [_load_immediate(destination, source, immediate, high), ""]
            index += 2
            continue
        write = _CLASSES[opcode & 7]
        text = write(opcode, destination, source, offset, immediate)
        lines.append(text or f"({opcode:02x}) unknown")
        index += 1
    return lines


def _load_immediate(destination: int, source: int, low: int, high: int) -> str:
    if source in _ADDRESSES:
        return f"r{destination} = {_ADDRESSES[source].format(low, high)}"
    value = (high & 0xFFFFFFFF) << 32 | low & 0xFFFFFFFF
    return f"r{destination} = {value:#x} ll"


def _place(kind: str, register: int, offset: int) -> str:
    return f"({kind} *)(r{register} {'-' if offset < 0 else '+'} {abs(offset)})"


def _packet_load(opcode: int, _: int, source: int, __: int, immediate: int) -> str:
    size = _SIZES[opcode & 0x18]
    if opcode & 0xE0 == _MODE_ABSOLUTE:
        return f"r0 = *({size} *)skb[{immediate}]"
    if opcode & 0xE0 == _MODE_INDIRECT:
        return f"r0 = *({size} *)skb[r{source} + {immediate}]"
    return ""


def _load(opcode: int, destination: int, source: int, offset: int, _: int) -> str:
    size = _SIZES[opcode & 0x18]
    if opcode & 0xE0 == _MODE_SIGNED and size != "u64":
        size = size.replace("u", "s")
    elif opcode & 0xE0 != _MODE_MEMORY:
        return ""
    return f"r{destination} = *{_place(size, source, offset)}"


def _store_immediate(opcode: int, destination: int, _: int, offset: int, immediate: int) -> str:
    if opcode & 0xE0 != _MODE_MEMORY:
        return ""
    return f"*{_place(_SIZES[opcode & 0x18], destination, offset)} = {immediate}"


def _store(opcode: int, destination: int, source: int, offset: int, immediate: int) -> str:
    size = _SIZES[opcode & 0x18]
    place = _place(size, destination, offset)
    if opcode & 0xE0 == _MODE_MEMORY:
        return f"*{place} = r{source}"
    if opcode & 0xE0 != _MODE_ATOMIC or size not in ("u32", "u64"):
        return ""
    register, suffix = ("r", "64") if size == "u64" else ("w", "")
    if immediate == _EXCHANGE:
        return f"{register}{source} = atomic{suffix}_xchg({place}, {register}{source})"
    if immediate == _COMPARE_EXCHANGE:
        return f"{register}0 = atomic{suffix}_cmpxchg({place}, {register}0, {register}{source})"
    operation = immediate & ~_FETCH
    if operation not in _ATOMIC_NAMES:
        return ""
    if immediate & _FETCH:
        name = f"atomic{suffix}_fetch_{_ATOMIC_NAMES[operation]}"
        return f"{register}{source} = {name}({place}, {register}{source})"
    return f"lock *{place} {_ATOMIC_OPERATORS[operation]} {register}{source}"


def _arithmetic(opcode: int, destination: int, source: int, offset: int, immediate: int) -> str:
    wide = opcode & 7 == _ALU64
    register = "r" if wide else "w"
    target = f"{register}{destination}"
    operation = opcode & 0xF0
    if operation == _NEGATE:
        return f"{target} = -{target}"
    if operation == _BYTE_ORDER:
        name = "bswap" if wide else "be" if opcode & _REGISTER else "le"
        return f"r{destination} = {name}{immediate} r{destination}"
    if operation not in _ARITHMETIC:
        return ""
    operator = _ARITHMETIC[operation]
    operand = f"{register}{source}" if opcode & _REGISTER else str(immediate)
    if offset and operation == _MOVE and opcode & _REGISTER:
        operand = f"(s{offset}){operand}"
    elif offset and operator in ("/=", "%="):
        operator = f"s{operator}"
    return f"{target} {operator} {operand}"


def _jump(opcode: int, destination: int, source: int, offset: int, immediate: int) -> str:
    narrow = opcode & 7 == _JMP32
    operation = opcode & 0xF0
    if operation == _JUMP:
        return f"gotol pc{immediate:+d}" if narrow else f"goto pc{offset:+d}"
    if operation == _CALL and not narrow:
        return _call(opcode, destination, source, immediate)
    if operation == _EXIT and not narrow:
        return "exit"
    if operation not in _COMPARISONS:
        return ""
    register = "w" if narrow else "r"
    operand = f"{register}{source}" if opcode & _REGISTER else str(immediate)
    return f"if {register}{destination} {_COMPARISONS[operation]} {operand} goto pc{offset:+d}"


def _call(opcode: int, destination: int, source: int, immediate: int) -> str:
    if opcode & _REGISTER:
        return f"callx r{destination}"
    if source == 1:
        return f"call pc{immediate:+d}"
    if source == 2:
        return f"call kernel-function#{immediate}"
    return f"call {HELPER_NAMES.get(immediate, 'helper')}#{immediate}"


_CLASSES: dict[int, Callable[[int, int, int, int, int], str]] = {
    _LD: _packet_load,
    _LDX: _load,
    _ST: _store_immediate,
    _STX: _store,
    _ALU: _arithmetic,
    _ALU64: _arithmetic,
    _JMP: _jump,
    _JMP32: _jump,
}
