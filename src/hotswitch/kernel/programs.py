"""BPF programs: load, ask about, run once for a test."""

from __future__ import annotations

import ctypes
import enum
import errno
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Self

from hotswitch.kernel import btf, syscall
from hotswitch.kernel.bpf_object import BpfObject
from hotswitch.kernel.btf import SourceLine
from hotswitch.kernel.error import KernelError, VerifierError
from hotswitch.kernel.program_structures import InfoStructure, LoadAttributes, TestAttributes
from hotswitch.kernel.syscall import Command, bpf, call


class ProgramType(enum.IntEnum):
    """`enum bpf_prog_type`, those that are used."""

    SCHED_CLS = 3
    XDP = 6


class AttachType(enum.IntEnum):
    """`enum bpf_attach_type`, those that are used."""

    NONE = 0
    XDP = 37
    TCX_INGRESS = 46
    TCX_EGRESS = 47


_LICENSE = b"Dual MIT/GPL"
"""Of all generated programs; the kernel lends some helpers only to the GPL."""

XDP_LIVE_FRAMES = 2
"""Flag of a test run: really transmit and redirect (BPF_F_TEST_XDP_LIVE_FRAMES)."""

_LOG_SIZE = 16 << 20
_LOAD_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class ProgramInfo:
    """What the kernel says about a program (`struct bpf_prog_info`).

    tag: a hash of the instructions, as hexadecimal digits.
    jited_length, translated_length: bytes of machine code and of instructions as run.
    verified_instructions: how many the verifier walked; 0 before Linux 5.16.
    run_count, run_time: runs and nanoseconds, while statistics were enabled.
    """

    id: int
    type: int
    name: str
    tag: str
    jited_length: int
    translated_length: int
    verified_instructions: int
    run_count: int
    run_time: int
    map_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TestRun:
    """What a test run gave; `duration` is nanoseconds a run, on average."""

    __test__ = False

    result: int
    data: bytes
    context: bytes
    duration: int


class Program(BpfObject):
    """A loaded program. Closing it does not unload what is attached, pinned or in an array."""

    def __init__(self, fd: int, log: str = "") -> None:
        super().__init__(fd)
        self.log = log

    @classmethod
    def load(
        cls,
        type_: ProgramType,
        instructions: bytes,
        *,
        name: str = "",
        expected_attach_type: int = AttachType.NONE,
        log_level: int = 0,
        functions: Mapping[int, str] = MappingProxyType({}),
        lines: Sequence[SourceLine] = (),
    ) -> Self:
        """Verify and load; `log_level` 1 or 2 keeps the verifier's log, 4 its statistics.

        functions: names by the index of the first instruction, the program itself at 0; needed
            where a function's address is taken.
        lines: what the verifier's log quotes; each function's first instruction needs one.
        Raises VerifierError with the log if the verifier refuses, else KernelError.
        """
        attempt = f"load the program {name or type_.name.lower()}"
        attributes = LoadAttributes(
            type=type_,
            instruction_count=len(instructions) // 8,
            instructions=instructions,
            license=_LICENSE,
            name=syscall.object_name(name),
            expected_attach_type=expected_attach_type,
        )
        if not functions:
            return cls(*_load(attributes, log_level, attempt))
        types = btf.encode(functions, lines)
        attributes.functions = types.functions
        attributes.function_record_size = btf.FUNCTION_RECORD_SIZE
        attributes.function_count = len(types.functions) // btf.FUNCTION_RECORD_SIZE
        if lines:
            attributes.lines = types.lines
            attributes.line_record_size = btf.LINE_RECORD_SIZE
            attributes.line_count = len(types.lines) // btf.LINE_RECORD_SIZE
        attributes.btf_fd = btf.load(types)
        try:
            return cls(*_load(attributes, log_level, attempt))
        finally:
            os.close(attributes.btf_fd)

    @classmethod
    def from_id(cls, identity: int) -> Self:
        """Open the program with this id. Raises KernelError."""
        attempt = f"open the program {identity}"
        return cls(syscall.open_id(Command.PROGRAM_FD_BY_ID, identity, attempt))

    @classmethod
    def from_pin(cls, path: Path) -> Self:
        """Open the program pinned at `path`. Raises KernelError."""
        return cls(syscall.open_pin(path, "bpf-prog"))

    def info(self) -> ProgramInfo:
        """Ask the kernel about it. Raises KernelError."""
        return read_info(self.fd)

    def instructions(self) -> bytes:
        """The instructions as the kernel rewrote and runs them. Raises KernelError."""
        length = self._raw_info().translated_length
        code = ctypes.create_string_buffer(max(1, length))
        info = InfoStructure(translated_length=length, translated=ctypes.addressof(code))
        syscall.read_info(self.fd, info, "read a program")
        return code.raw[: info.translated_length]

    def _raw_info(self) -> InfoStructure:
        info = InfoStructure()
        syscall.read_info(self.fd, info, "read about a program")
        return info

    def test_run(
        self,
        data: bytes,
        *,
        context: bytes | None = None,
        repeat: int = 1,
        flags: int = 0,
        batch_size: int = 0,
        room: int | None = None,
    ) -> TestRun:
        """Run it on `data` (a frame) and return what came of it (BPF_PROG_TEST_RUN).

        context: `struct __sk_buff` or `struct xdp_md` as bytes, or None.
        room: bytes for the frame that comes out; None leaves some for it to grow.
        Raises KernelError: EINVAL for a frame shorter than 14 bytes, ENOSPC for too little room.
        """
        live = bool(flags & XDP_LIVE_FRAMES)
        size = 0 if live else len(data) + 512 if room is None else room
        data_out = ctypes.create_string_buffer(max(1, size))
        context_size = 0 if context is None or live else len(context)
        context_out = ctypes.create_string_buffer(max(1, context_size))
        attributes = TestAttributes(
            self.fd, 0, len(data), size, data, ctypes.addressof(data_out) if size else 0,
            repeat, 0, 0 if context is None else len(context), context_size, context,
            ctypes.addressof(context_out) if context_size else 0, flags, 0, batch_size,
        )  # fmt: skip
        bpf(Command.TEST_RUN, attributes, f"run a program on a frame of {len(data)} bytes")
        return TestRun(
            attributes.result,
            ctypes.string_at(data_out, attributes.data_size_out) if size else b"",
            ctypes.string_at(context_out, attributes.context_size_out) if context_size else b"",
            attributes.duration,
        )


def next_program_id(identity: int) -> int | None:
    """The id of the program that was loaded next, or None: later ones have larger ids.

    Raises KernelError: EPERM without CAP_SYS_ADMIN.
    """
    return syscall.next_id(Command.PROGRAM_NEXT_ID, identity, "list the programs")


def read_info(fd: int) -> ProgramInfo:
    """Ask about the program behind a descriptor. Raises KernelError."""
    info = InfoStructure()
    syscall.read_info(fd, info, "read about a program")
    maps = (ctypes.c_uint32 * max(1, info.map_count))()
    again = InfoStructure(map_count=info.map_count, map_ids=ctypes.addressof(maps))
    syscall.read_info(fd, again, "read about a program's maps")
    return ProgramInfo(
        id=info.id,
        type=info.type,
        name=info.name.decode(errors="replace"),
        tag=bytes(info.tag).hex(),
        jited_length=info.jited_length,
        translated_length=info.translated_length,
        verified_instructions=info.verified_instructions,
        run_count=info.run_count,
        run_time=info.run_time,
        map_ids=tuple(maps)[: again.map_count],
    )


class _StatisticsAttributes(ctypes.Structure):
    _fields_ = (("type", ctypes.c_uint32),)


def enable_statistics() -> int:
    """Count all programs' runs and time while the returned descriptor is open."""
    return bpf(Command.ENABLE_STATISTICS, _StatisticsAttributes(0), "count programs' runs")


def _load(attributes: LoadAttributes, log_level: int, attempt: str) -> tuple[int, str]:
    """Return a descriptor and the verifier's log."""
    result, log = _load_once(attributes, log_level)
    if result >= 0:
        return result, log
    if result == -errno.EPERM:
        raise KernelError(attempt, -result)
    if not log_level:
        # Once more, to be told why. The first errno stands: a log that overflows gives ENOSPC.
        again, log = _load_once(attributes, 1)
        if again >= 0:
            return again, log
    raise VerifierError(attempt, -result, log)


def _load_once(attributes: LoadAttributes, log_level: int) -> tuple[int, str]:
    log = ctypes.create_string_buffer(_LOG_SIZE if log_level else 1)
    attributes.log_level = log_level
    attributes.log_size = _LOG_SIZE if log_level else 0
    attributes.log = ctypes.addressof(log) if log_level else 0
    # EAGAIN: a signal was pending during verification.
    for _ in range(_LOAD_ATTEMPTS):
        result = call(Command.PROGRAM_LOAD, attributes)
        if result != -errno.EAGAIN:
            break
    return result, log.value.decode(errors="replace")
