"""64-byte UDP packets a second, and what a packet costs.

The generator is in the kernel, so that it is not what limits: an XDP program that a test run calls
for frame after frame (BPF_PROG_TEST_RUN with live frames) and that redirects each one out of the
first host's link. The receiver is an XDP program at the second host's link, which counts and drops.
All that the kernel does with a packet in between, it does on the generator's CPU.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench import lab, pingpong, programs
from bench.child import CPUS, Child
from bench.errors import BenchError
from bench.results import Figure
from bench.subjects.subject import Running
from hotswitch.kernel.programs import XDP_LIVE_FRAMES, Program, ProgramType

FIGURES = (
    Figure("packets", "64-byte UDP packets", "M/s", 3),
    Figure("packet_cpu", "CPU per packet, with generator and receiver", "ns", 0),
)
_BATCH = 64
_FOREVER = (1 << 31) - 1
_WARM_UP = 0.1


def measure(running: Running, seconds: float) -> Mapping[str, float]:
    """Packets received a second, and nanoseconds of CPU time for each.

    That is the CPU time of the generator (with the softirqs on its back), of the kernel's
    softirq threads and of the switch's processes, as the scheduler counted it, over the packets
    that were received: what others do at the same time is not in it. Raises BenchError.
    """
    pair = running.pair
    pingpong.round_trips(pair, 1, most=3)  # what a switch learns, it has learned then
    first, second = (
        (lab.link_of(host.namespace, host.link).address, host.address)
        for host in (pair.first, pair.second)
    )
    frame = programs.udp_frame(first, second)
    counter = programs.Counter(pair.second.namespace, pair.second.link)
    out = lab.link_of(pair.first.namespace, pair.first.link).index
    try:
        with (
            _taking_redirected(running.entry),
            programs.redirect(ProgramType.XDP, out) as program,
            Child(lambda: _generate(program, frame), pair.first.namespace, CPUS[-1]) as child,
        ):
            time.sleep(_WARM_UP)
            before = _reading(counter, child, running.processes)
            time.sleep(seconds)
            after = _reading(counter, child, running.processes)
    finally:
        counter.close()
    passed, packets, busy = (late - early for late, early in zip(after, before, strict=True))
    if not packets:
        raise BenchError("no packet came through")
    return {"packets": packets / passed / 1e6, "packet_cpu": busy * 1e9 / packets}


def _generate(program: Program, frame: bytes) -> None:
    program.test_run(frame, repeat=_FOREVER, flags=XDP_LIVE_FRAMES, batch_size=_BATCH)


def _reading(counter: programs.Counter, child: Child, processes: Sequence[int]) -> Sequence[float]:
    """Time, packets, seconds of CPU."""
    busy = child.cpu_seconds() + sum(map(_cpu_seconds, processes)) + _softirq_threads()
    return time.monotonic(), counter.packets(), busy


def _cpu_seconds(process: int) -> float:
    return time.clock_gettime((~process << 3) | 2)


def _softirq_threads() -> float:
    """CPU time of the kernel's ksoftirqd threads, in seconds."""
    total = 0
    for folder in _kernel_threads("ksoftirqd/"):
        total += int((folder / "schedstat").read_text().split()[0])
    return total / 1e9


def _kernel_threads(prefix: str) -> Iterator[Path]:
    # They have low numbers: one a CPU, made at boot.
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) < 20 * (len(CPUS) + 10):
            try:
                if (folder / "comm").read_text().startswith(prefix):
                    yield folder
            except OSError:
                continue


@contextmanager
def _taking_redirected(entry: tuple[str, str] | None) -> Iterator[None]:
    """A veth end takes redirected frames while it has an XDP program, or GRO."""
    if entry is None:
        yield
        return
    lab.offload(*entry, "gro", True)
    try:
        yield
    finally:
        lab.offload(*entry, "gro", False)
