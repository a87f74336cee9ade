"""Jumps of more than 32,767 instructions (BPF cpu v4, Linux 6.6 and newer)."""

from __future__ import annotations

import struct
from functools import cache

from hotswitch.kernel.error import KernelError
from hotswitch.kernel.programs import Program, ProgramType

_PROGRAM = b"".join(
    struct.pack("<BBhi", *each)
    for each in (
        (0xB7, 0, 0, 0),  # r0 = 0
        (0x06, 0, 0, 0),  # gotol to the next
        (0x95, 0, 0, 0),  # exit
    )
)


@cache
def has_long_jumps() -> bool:
    """Whether this kernel has them; also where programs can't be loaded at all it is False."""
    try:
        Program.load(ProgramType.SCHED_CLS, _PROGRAM).close()
    except KernelError:
        return False
    return True
