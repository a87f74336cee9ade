"""Programs for tests: a tiny assembler, and LLVM IR compiled for BPF."""

from __future__ import annotations

import struct

import llvmlite.binding as llvm

llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()


def instruction(
    opcode: int, destination: int = 0, source: int = 0, offset: int = 0, immediate: int = 0
) -> bytes:
    """One instruction (Documentation/bpf/standardization/instruction-set.rst)."""
    return struct.pack("<BBhi", opcode, destination | source << 4, offset, immediate)


def set_register(register: int, value: int) -> bytes:
    """rN = value (64 bits, sign-extended)."""
    return instruction(0xB7, register, immediate=value)


EXIT = instruction(0x95)


def returning(value: int) -> bytes:
    """A program that returns `value`."""
    return set_register(0, value) + EXIT


def compile_ir(text: str, *, optimise: int = 2) -> bytes:
    """Compile textual LLVM IR to an ELF object for BPF, cpu v3."""
    machine = llvm.Target.from_triple("bpfel").create_target_machine(cpu="v3", opt=optimise)
    module = llvm.parse_assembly(f'target triple = "bpfel"\n{text}')
    module.verify()
    return machine.emit_object(module)


def counting(verdict: int) -> str:
    """LLVM IR that counts its runs in the first element of the map `counts`."""
    return f"""
@counts = external global i8
define i32 @main(ptr %context) section "tc" {{
  %key = alloca i32
  store i32 0, ptr %key
  %value = call ptr inttoptr (i64 1 to ptr)(ptr @counts, ptr %key)
  %missing = icmp eq ptr %value, null
  br i1 %missing, label %out, label %count
count:
  %old = atomicrmw add ptr %value, i64 1 monotonic
  br label %out
out:
  ret i32 {verdict}
}}
"""
