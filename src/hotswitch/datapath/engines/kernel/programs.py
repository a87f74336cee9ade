"""Programs for shapes: compiled in the background, kept by shape, loaded with the maps in use."""

from __future__ import annotations

import errno
import logging
import os
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast

from hotswitch.compiler.compile import Dump, rewrite
from hotswitch.compiler.flow import Flow
from hotswitch.compiler.ir import Program as Intermediate
from hotswitch.compiler.shape import Shape
from hotswitch.compiler.targets.bpf import layout as memory
from hotswitch.compiler.targets.bpf.assemble import assemble
from hotswitch.compiler.targets.bpf.hook import AGAIN, SKB, XDP, Context
from hotswitch.compiler.targets.bpf.pipeline import FUNCTION, build
from hotswitch.headers.registry import Registry
from hotswitch.kernel.btf import SourceLine
from hotswitch.kernel.error import VerifierError
from hotswitch.kernel.line_table import line_table
from hotswitch.kernel.loader import Linked, link, resolve
from hotswitch.kernel.long_jumps import has_long_jumps
from hotswitch.kernel.maps import Map
from hotswitch.kernel.probe import PROBE_READ_KERNEL
from hotswitch.kernel.programs import Program, ProgramType

_log = logging.getLogger(__name__)
_LOG_ALL = 2
"""Have the verifier say what it looked at, also of a program that it accepts."""
_KEPT = 32
"""Compiled shapes that are remembered."""
_TYPES = {
    SKB.name: ProgramType.SCHED_CLS,
    AGAIN.name: ProgramType.SCHED_CLS,
    XDP.name: ProgramType.XDP,
}
CONTEXTS = {each.name: each for each in (AGAIN, SKB, XDP)}
"""In the order in which new programs take the places of old ones: where packets go on first."""


@dataclass(frozen=True)
class Compiled:
    """A shape as code for one hook, to be linked with maps.

    seconds: how long it took. text: the intermediate form, which `lines` refer to.
    """

    context: Context
    intermediate: Intermediate
    linked: Linked
    lines: Mapping[int, int]
    text: str
    seconds: float

    def load(self, maps: Mapping[str, Map], name: str) -> Program:
        """Load it with these maps. Raises VerifierError, KernelError."""
        stage = f"{self.context.name}-verifier"
        wanted = is_dumped(stage)
        try:
            program = self._load(maps, name, _LOG_ALL if wanted else 0)
        except VerifierError as error:
            dump_to(stage, error.log)
            if not wanted or error.errno != errno.ENOSPC:
                raise
            # Accepted, but the log is longer than what there is room for.
            program = self._load(maps, name, 0)
        else:
            dump_to(stage, program.log)
        return program

    def _load(self, maps: Mapping[str, Map], name: str, log_level: int) -> Program:
        return Program.load(
            _TYPES[self.context.name],
            resolve(self.linked, maps),
            name=name,
            log_level=log_level,
            functions=self._functions,
            lines=self._source,
        )

    @cached_property
    def _functions(self) -> dict[int, str]:
        return {each.start: each.name for each in self.linked.functions}

    @cached_property
    def _source(self) -> list[SourceLine]:
        text = self.text.splitlines()
        lines = [
            SourceLine(index, number, text[number - 1].strip(), "program.ir")
            for index, number in sorted({**dict.fromkeys(self._functions, 1), **self.lines}.items())
        ]
        return _changes(lines, self._functions)


def _changes(lines: list[SourceLine], functions: Mapping[int, str]) -> list[SourceLine]:
    """Only where the line changes, and at each function's start."""
    kept: list[SourceLine] = []
    for line in lines:
        if not kept or line.number != kept[-1].number or line.index in functions:
            kept.append(line)
    return kept


def is_dumped(stage: str) -> bool:
    """Whether HOTSWITCH_DUMP asks for this stage."""
    directory, _, stages = os.environ.get("HOTSWITCH_DUMP", "").partition(":")
    return bool(directory) and (
        not stages or any(stage.endswith(each) for each in stages.split(","))
    )


def dump_to(stage: str, text: str) -> None:
    """Write a stage's text where HOTSWITCH_DUMP says: DIRECTORY, or DIRECTORY:STAGE,STAGE…"""
    if is_dumped(stage):
        directory = os.environ["HOTSWITCH_DUMP"].partition(":")[0]
        Path(directory).mkdir(parents=True, exist_ok=True)
        Path(directory, f"{stage}.txt").write_text(text)


def compile_shape(shape: Shape, flow: Flow, context: Context) -> Compiled:
    """Compile for one hook. Raises CompileError."""
    started = time.monotonic()

    def dump(stage: str, text: str) -> None:
        dump_to(f"{context.name}-{stage}", text)

    intermediate = rewrite(shape, flow, dump)
    module = build(intermediate, flow, context, reads_kernel=bool(PROBE_READ_KERNEL))
    compiled = assemble(module, dump, long_jumps=has_long_jumps())
    linked = link(compiled, FUNCTION)
    result = Compiled(
        context,
        intermediate,
        linked,
        line_table(compiled, linked),
        intermediate.text(),
        time.monotonic() - started,
    )
    if os.environ.get("HOTSWITCH_DUMP"):
        dump("assembly", annotated(result))
    return result


def annotated(compiled: Compiled) -> str:
    """The instructions, with the line of the intermediate form that each came from."""
    from hotswitch.kernel.disassembler import disassemble

    text = compiled.text.splitlines()
    result = []
    before = 0
    for index, instruction in enumerate(disassemble(compiled.linked.instructions)):
        number = compiled.lines.get(index, 0)
        if number and number != before:
            result.append(f"; {number}: {text[number - 1].strip()}")
            before = number
        result.append(f"{index:6}: {instruction}")
    return "\n".join(result) + "\n"


class Compiler:
    """Compiles in one background thread; the same shape only once."""

    def __init__(self, registry: Registry) -> None:
        self._flow = Flow(registry)
        self._worker = ThreadPoolExecutor(1, "hotswitch-compiler")
        self._known: OrderedDict[tuple[Shape, str], Future[Compiled]] = OrderedDict()

    def ask(self, shape: Shape, context: Context) -> Future[Compiled]:
        """Begin to compile, or find what was compiled before."""
        key = shape, context.name
        future = self._known.get(key)
        if future is None or (future.done() and future.exception()):
            future = self._worker.submit(compile_shape, shape, self._flow, context)
            self._known[key] = future
        self._known.move_to_end(key)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return future

    def prepare(self, shape: Shape, contexts: Sequence[Context]) -> Future[object] | None:
        """Begin to compile for all these hooks; None if all is there."""
        futures = [self.ask(shape, context) for context in contexts]
        if all(future.done() for future in futures):
            return None
        # One worker, in order: with the last all are done.
        return cast(Future[object], futures[-1])

    def close(self) -> None:
        """Stop; what is being compiled is not waited for."""
        self._worker.shutdown(wait=False, cancel_futures=True)


__all__ = ["CONTEXTS", "Compiled", "Compiler", "Dump", "annotated", "dump_to", "memory"]
