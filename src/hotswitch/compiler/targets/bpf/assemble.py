"""From LLVM to an object: optimise, and emit for the BPF machine."""

from __future__ import annotations

from functools import cache
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from hotswitch.compiler.compile import Dump
from hotswitch.compiler.errors import CompileError

_SPEED_LEVEL = 2


@cache
def _machine() -> Any:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple("bpfel")
    # v3: 32-bit registers and atomic compare-and-exchange, Linux 5.12 and newer.
    return target.create_target_machine(cpu="v3", opt=_SPEED_LEVEL)


def assemble(module: ir.Module, dump: Dump = lambda stage, text: None) -> bytes:
    """The module as an ELF object. Raises CompileError if LLVM refuses it."""
    machine = _machine()
    text = str(module)
    dump("llvm", text)
    try:
        parsed = llvm.parse_assembly(text)
        parsed.verify()
    except RuntimeError as error:
        raise CompileError(f"LLVM refuses the program: {error}") from error
    options = llvm.create_pipeline_tuning_options(speed_level=_SPEED_LEVEL)
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(parsed, builder)
    dump("llvm-optimised", str(parsed))
    compiled: bytes = machine.emit_object(parsed)
    return compiled
