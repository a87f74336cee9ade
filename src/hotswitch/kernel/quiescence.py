"""Waiting until no program that runs now runs any more, without a whole RCU grace period.

BPF programs at tcx and XDP run in softirq context, which is not preempted (but on PREEMPT_RT). So
once this thread has run on a CPU, no program that was running there before still is.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path

_MEMBARRIER = 324  # x86-64
_MEMBARRIER_GLOBAL = 1


def wait_for_programs() -> None:
    """Return when every packet that was in a program at the call has left it."""
    before = os.sched_getaffinity(0)
    if _preemptible() or before != _online():
        _grace_period()
        return
    try:
        for cpu in before:
            os.sched_setaffinity(0, {cpu})
    except OSError:
        _grace_period()
    finally:
        os.sched_setaffinity(0, before)


@cache
def _preemptible() -> bool:
    return Path("/sys/kernel/realtime").exists()


def _online() -> set[int]:
    cpus: set[int] = set()
    text = Path("/sys/devices/system/cpu/online").read_text()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        cpus.update(range(int(first), int(last or first) + 1))
    return cpus


def _grace_period() -> None:
    """membarrier(2): waits for an RCU grace period on all CPUs."""
    ctypes.CDLL(None, use_errno=True).syscall(_MEMBARRIER, _MEMBARRIER_GLOBAL, 0)
