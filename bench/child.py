"""A function in a forked process, in a namespace and on a CPU of its own if wanted."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any, Self

from bench.errors import BenchError
from hotswitch.kernel import netns

CPUS = sorted(os.sched_getaffinity(0))
"""The CPUs that may be used: what sends is on the last one, what receives on the first."""

FIRST = ("nice", "-n", "-20")
"""Before a command: it takes precedence over what else the machine does."""


@contextlib.contextmanager
def precedence(*others: int) -> Iterator[None]:
    """This process has the highest priority until the end, and these others from now on."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    for process in (0, *others):
        os.setpriority(os.PRIO_PROCESS, process, -20)
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, before)


class Child:
    """Runs `work` there; a fork starts in a millisecond and finds everything compiled already.

    It has the highest priority (`FIRST`), as all have that are measured: what else runs on the
    machine gets what is left.
    """

    def __init__(
        self, work: Callable[[], Any], namespace: str | None = None, cpu: int | None = None
    ) -> None:
        read_end, write_end = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if not self.pid:
            os.close(read_end)
            _child(work, namespace, cpu, write_end)
        os.close(write_end)
        self._result = read_end
        self._ended = False

    def cpu_seconds(self) -> float:
        """CPU time so far, with the interrupts' work that was done on its back."""
        # clock_getcpuclockid(3): the clock of a process, as the kernel's scheduler counts it.
        return time.clock_gettime((~self.pid << 3) | 2)

    def result(self, seconds: float) -> Any:
        """What `work` returned. Raises BenchError if it failed or takes longer than that."""
        ready, _, _ = select.select([self._result], [], [], seconds)
        if not ready:
            raise BenchError(f"no result after {seconds:g} s")
        with os.fdopen(os.dup(self._result), "rb") as stream:
            answer = json.loads(stream.read() or b'{"error": "it ended without a result"}')
        if "error" in answer:
            raise BenchError(answer["error"])
        return answer["result"]

    def stop(self) -> None:
        """Kill it and wait."""
        if self._ended:
            return
        self._ended = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._result)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _child(work: Callable[[], Any], namespace: str | None, cpu: int | None, write_end: int) -> None:
    try:
        if namespace is not None:
            netns.enter(namespace)
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})
        os.setpriority(os.PRIO_PROCESS, 0, -20)
        answer = {"result": work()}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
        if not isinstance(error, (OSError, BenchError)):
            traceback.print_exc()
    with contextlib.suppress(OSError):
        os.write(write_end, json.dumps(answer).encode())
    os._exit(0)
