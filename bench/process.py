"""Programs that run beside the measurements and end with them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.errors import BenchError


@contextmanager
def started(
    command: Sequence[str], environment: Mapping[str, str] | None = None, log: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that is killed at the end; `log` takes what it says."""
    with (log or Path("/dev/null")).open("ab") as output:
        running = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def outer(process: int) -> int:
    """The id that a process of the bench's own world has in /proc, which is the machine's.

    Raises BenchError.
    """
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            status = (folder / "status").read_text()
            same = (folder / "ns/pid").stat().st_ino == Path("/proc/self/ns/pid").stat().st_ino
        except OSError:
            continue
        numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()
        if same and int(numbers[-1]) == process:
            return int(folder.name)
    raise BenchError(f"there is no process {process}")
