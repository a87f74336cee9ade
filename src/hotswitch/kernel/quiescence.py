"""Waiting until no program that runs now runs any more, without a whole RCU grace period.

BPF programs at tcx and XDP run in softirq context, which is not preempted (but on PREEMPT_RT). So
once this thread has run on a CPU, no program that was running there before still is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from hotswitch.kernel.map_types import MapType
from hotswitch.kernel.maps import Map


def wait_for_programs() -> None:
    """Return when every packet that was in a program at the call has left it.

    Raises KernelError.
    """
    before = os.sched_getaffinity(0)
    if _preemptible() or before != _online() or not _visit(before):
        _grace_period()


def _visit(cpus: set[int]) -> bool:
    """Run on each of these CPUs, all that there are; whether that was possible."""
    with _urgently():
        try:
            for cpu in cpus:
                os.sched_setaffinity(0, {cpu})
        except OSError:
            return False
        finally:
            os.sched_setaffinity(0, cpus)
    return True


@contextmanager
def _urgently() -> Iterator[None]:
    """Let this thread run before all usual ones, if it may: on a busy machine each CPU would keep
    it waiting for milliseconds. Softirqs go on all the same: nothing preempts them."""
    policy, parameter = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        yield
        return
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameter)


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
    """Wait for an RCU grace period, as the kernel does before it lets go of a map in a map
    (kernel/bpf/syscall.c, maybe_wait_bpf_programs). Raises KernelError."""
    with (
        Map.create(MapType.ARRAY, key_size=4, value_size=4, max_entries=1) as inner,
        Map.create(
            MapType.ARRAY_OF_MAPS, key_size=4, value_size=4, max_entries=1, inner=inner
        ) as outer,
    ):
        outer.update(bytes(4), inner.fd.to_bytes(4, "little"))
