"""From LLVM to an object: optimise, and emit for the BPF machine."""

from __future__ import annotations

from functools import cache
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from hotswitch.compiler.compile import Dump
from hotswitch.compiler.errors import CompileError

_SPEED_LEVEL = 2
_LARGE = 16_000
"""Lines of LLVM beyond which jumps may be too long for 16 bits: LLVM then ends the process."""


@cache
def _machine(cpu: str) -> Any:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple("bpfel")
    return target.create_target_machine(cpu=cpu, opt=_SPEED_LEVEL)


def assemble(module: ir.Module, dump: Dump, *, long_jumps: bool) -> bytes:
    """The module as an ELF object. Raises CompileError if LLVM refuses it.

    long_jumps: the kernel knows those of cpu v4, which large programs need.
    """
    # v3: 32-bit registers and atomic compare-and-exchange, Linux 5.12 and newer.
    machine = _machine("v3")
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
    optimised = str(parsed)
    dump("llvm-optimised", optimised)
    if optimised.count("\n") > _LARGE:
        if not long_jumps:
            raise CompileError(
                "the pipeline is too large for this kernel, whose programs can't jump so far",
                remedy="use fewer tables or masks, or Linux 6.6",
            )
        machine = _machine("v4")
    compiled: bytes = machine.emit_object(parsed)
    return compiled
