"""From LLVM to an object: optimise, and emit for the BPF machine."""

from __future__ import annotations

from functools import cache
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from llvmlite.binding.newpassmanagers import NewPassManager

from hotswitch.compiler.compile import Dump
from hotswitch.compiler.errors import CompileError

_SPEED_LEVEL = 1
"""LLVM's -O1: with -O2 programs are as fast, but it takes a third longer to optimise them."""
_EMIT_LEVEL = 2
_LARGE = 16_000
"""Lines of LLVM beyond which jumps may be too long for 16 bits: LLVM then ends the process."""


@cache
def _machine(cpu: str) -> Any:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple("bpfel")
    return target.create_target_machine(cpu=cpu, opt=_EMIT_LEVEL)


def assemble(module: ir.Module, dump: Dump, *, long_jumps: bool) -> bytes:
    """The module as an ELF object; nothing is left of the module then. Raises CompileError if
    LLVM refuses it.

    long_jumps: the kernel knows those of cpu v4, which large programs need.
    """
    # v3: 32-bit registers and atomic compare-and-exchange, Linux 5.12 and newer.
    machine = _machine("v3")
    text = str(module)
    _take_apart(module)
    dump("llvm", text)
    try:
        parsed = llvm.parse_assembly(text)
        parsed.verify()
    except RuntimeError as error:
        raise CompileError(f"LLVM refuses the program: {error}") from error
    _optimise(parsed, machine)
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


def _take_apart(module: ir.Module) -> None:
    """End the cycles between functions, blocks and instructions: thousands of objects would wait
    for the garbage collector, which a daemon of many ports has look at all of them but seldom."""
    for function in module.functions:
        for block in function.blocks:
            block.instructions.clear()
            block.terminator = None
        function.blocks.clear()
        function.args = ()
        function.scope = None  # thousands of names
    module.globals.clear()


def _optimise(parsed: llvm.ModuleRef, machine: Any) -> None:
    options = llvm.create_pipeline_tuning_options(speed_level=_SPEED_LEVEL)
    builder = llvm.create_pass_builder(machine, options)
    passes = builder.getModulePassManager()
    passes.run(parsed, builder)
    # llvmlite 0.50 never frees it (0.2 MB): its first base class has a _dispose that does nothing.
    NewPassManager._dispose(passes)
    passes.detach()
