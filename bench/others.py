"""What else the machine does meanwhile: its CPU time was not there for what is measured."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

_TICKS = os.sysconf("SC_CLK_TCK")
_DISTURBED = 0.05
"""Others' CPU time over the time that a measurement took, from which on it is made again."""

_Value = TypeVar("_Value")


def undisturbed(measure: Callable[[], _Value], again: int) -> tuple[_Value, float]:
    """Measure, again if others disturbed it, at most so many times; the least disturbed.

    Returns the value, and how many CPUs others used meanwhile.
    """
    best: tuple[_Value, float] | None = None
    for _ in range(1 + again):
        busy, began = _others(), time.monotonic()
        value = measure()
        used = (_others() - busy) / (time.monotonic() - began)
        if best is None or used < best[1]:
            best = value, used
        if used < _DISTURBED:
            break
    assert best is not None
    return best


def _others() -> float:
    """CPU seconds so far of all processes that are not in this process's PID namespace.

    Without those of the kernel's own threads, which may work for us. Those that end meanwhile are
    counted for their parent, if that is one of them.
    """
    own = Path("/proc/self/ns/pid").stat().st_ino
    total = 0
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            text = (folder / "stat").read_text()
            if (folder / "ns/pid").stat().st_ino == own:
                continue
        except OSError:
            continue
        fields = text[text.rindex(")") + 2 :].split()
        if int(fields[6]) & _KERNEL_THREAD == 0:
            total += sum(map(int, fields[11:15]))
    return total / _TICKS


_KERNEL_THREAD = 0x00200000  # PF_KTHREAD
