"""Instructions as text: known ones, compiled ones, random ones."""

from __future__ import annotations

import re
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotswitch.kernel.disassembler import disassemble
from hotswitch.kernel.loader import link
from tests.kernel.code_for_bpf import compile_ir, instruction

KNOWN = [
    (instruction(0xB7, 1, immediate=5), "r1 = 5"),
    (instruction(0xB4, 1, immediate=-5), "w1 = -5"),
    (instruction(0xBF, 6, 1), "r6 = r1"),
    (instruction(0xBC, 6, 1), "w6 = w1"),
    (instruction(0xBF, 6, 1, 8), "r6 = (s8)r1"),
    (instruction(0xBC, 6, 1, 16), "w6 = (s16)w1"),
    (instruction(0x0F, 2, 3), "r2 += r3"),
    (instruction(0x07, 2, immediate=-8), "r2 += -8"),
    (instruction(0x1C, 2, 3), "w2 -= w3"),
    (instruction(0x27, 2, immediate=3), "r2 *= 3"),
    (instruction(0x37, 2, immediate=3), "r2 /= 3"),
    (instruction(0x3F, 2, 1, 1), "r2 s/= r1"),
    (instruction(0x97, 2, 0, 1, 3), "r2 s%= 3"),
    (instruction(0x47, 2, immediate=3), "r2 |= 3"),
    (instruction(0x54, 2, immediate=255), "w2 &= 255"),
    (instruction(0x67, 2, immediate=32), "r2 <<= 32"),
    (instruction(0x77, 2, immediate=32), "r2 >>= 32"),
    (instruction(0xC7, 2, immediate=32), "r2 s>>= 32"),
    (instruction(0xAF, 2, 3), "r2 ^= r3"),
    (instruction(0x87, 2), "r2 = -r2"),
    (instruction(0x84, 2), "w2 = -w2"),
    (instruction(0xDC, 2, immediate=16), "r2 = be16 r2"),
    (instruction(0xD4, 2, immediate=64), "r2 = le64 r2"),
    (instruction(0xD7, 2, immediate=32), "r2 = bswap32 r2"),
    (instruction(0x61, 0, 1, 4), "r0 = *(u32 *)(r1 + 4)"),
    (instruction(0x69, 0, 1, -4), "r0 = *(u16 *)(r1 - 4)"),
    (instruction(0x71, 0, 1, 0), "r0 = *(u8 *)(r1 + 0)"),
    (instruction(0x79, 0, 1, 4), "r0 = *(u64 *)(r1 + 4)"),
    (instruction(0x81, 0, 1, 4), "r0 = *(s32 *)(r1 + 4)"),
    (instruction(0x63, 10, 1, -8), "*(u32 *)(r10 - 8) = r1"),
    (instruction(0x7B, 10, 1, -8), "*(u64 *)(r10 - 8) = r1"),
    (instruction(0x72, 10, 0, -8, 9), "*(u8 *)(r10 - 8) = 9"),
    (instruction(0xDB, 1, 2, 0, 0x00), "lock *(u64 *)(r1 + 0) += r2"),
    (instruction(0xC3, 1, 2, 0, 0x40), "lock *(u32 *)(r1 + 0) |= w2"),
    (instruction(0xDB, 1, 2, 8, 0x01), "r2 = atomic64_fetch_add((u64 *)(r1 + 8), r2)"),
    (instruction(0xC3, 1, 2, 8, 0xA1), "w2 = atomic_fetch_xor((u32 *)(r1 + 8), w2)"),
    (instruction(0xDB, 1, 2, 8, 0xE1), "r2 = atomic64_xchg((u64 *)(r1 + 8), r2)"),
    (instruction(0xC3, 1, 2, 8, 0xF1), "w0 = atomic_cmpxchg((u32 *)(r1 + 8), w0, w2)"),
    (instruction(0x05, offset=-3), "goto pc-3"),
    (instruction(0x06, immediate=70000), "gotol pc+70000"),
    (instruction(0x15, 1, 0, 4, 0), "if r1 == 0 goto pc+4"),
    (instruction(0x5D, 1, 2, 4), "if r1 != r2 goto pc+4"),
    (instruction(0x66, 1, 0, 4, -1), "if w1 s> -1 goto pc+4"),
    (instruction(0xAE, 1, 2, 4), "if w1 < w2 goto pc+4"),
    (instruction(0x45, 1, 0, 4, 1), "if r1 & 1 goto pc+4"),
    (instruction(0x85, immediate=1), "call bpf_map_lookup_elem#1"),
    (instruction(0x85, immediate=9999), "call helper#9999"),
    (instruction(0x85, 0, 1, 0, 6), "call pc+6"),
    (instruction(0x85, 0, 2, 0, 6), "call kernel-function#6"),
    (instruction(0x95), "exit"),
    (instruction(0x28, immediate=12), "r0 = *(u16 *)skb[12]"),
    (instruction(0x50, 0, 3, 0, 2), "r0 = *(u8 *)skb[r3 + 2]"),
    (instruction(0xFF), "(ff) unknown"),
]
WIDE = [
    (0, 0x55667788, 0x11223344, "r1 = 0x1122334455667788 ll"),
    (0, -1, -1, "r1 = 0xffffffffffffffff ll"),
    (1, 7, 0, "r1 = map[fd:7]"),
    (2, 7, 16, "r1 = map[fd:7][0]+16"),
    (4, -9, 0, "r1 = function[pc-9]"),
]


@pytest.mark.parametrize(("code", "text"), KNOWN, ids=[text for _, text in KNOWN])
def test_known_instructions(code: bytes, text: str) -> None:
    assert disassemble(code) == [text]


@pytest.mark.parametrize(("source", "low", "high", "text"), WIDE)
def test_wide_loads_take_two_lines(source: int, low: int, high: int, text: str) -> None:
    code = instruction(0x18, 1, source, 0, low) + struct.pack("<ii", 0, high)
    assert disassemble(code + instruction(0x95)) == [text, "", "exit"]


@given(st.binary(max_size=200))
def test_any_bytes_give_a_line_an_instruction(code: bytes) -> None:
    assert len(disassemble(code)) == len(code) // 8


SOURCE = """
@map = external global i8
define i32 @main(ptr %context) section "tc" {
  %key = alloca i64
  %length = load i32, ptr %context
  %wide = zext i32 %length to i64
  %swapped = call i64 @llvm.bswap.i64(i64 %wide)
  store i64 %swapped, ptr %key
  %value = call ptr inttoptr (i64 1 to ptr)(ptr @map, ptr %key)
  %missing = icmp eq ptr %value, null
  br i1 %missing, label %out, label %go
go:
  %old = atomicrmw xchg ptr %value, i64 %wide seq_cst
  %more = icmp ugt i64 %old, %wide
  %n = select i1 %more, i32 3, i32 -7
  ret i32 %n
out:
  ret i32 0
}
declare i64 @llvm.bswap.i64(i64)
"""


def test_a_compiled_program_is_readable() -> None:
    ours = disassemble(link(compile_ir(SOURCE)).instructions)
    assert "r1 = 0x0 ll" in ours
    assert ours[-1] == "exit"
    assert any(each == "call bpf_map_lookup_elem#1" for each in ours)
    assert any(re.fullmatch(r"r\d = be64 r\d", each) for each in ours)
    assert any(
        re.fullmatch(r"r\d = atomic64_xchg\(\(u64 \*\)\(r0 \+ 0\), r\d\)", each) for each in ours
    )
    assert not any("unknown" in each for each in ours)
