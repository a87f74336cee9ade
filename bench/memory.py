"""The memory of a process that was started in the bench's own world."""

from __future__ import annotations

from pathlib import Path

from bench.errors import BenchError


def memory(process: int) -> dict[str, float]:
    """Rss and Pss (proportional: shared pages are divided among those who share) in MiB.

    Raises BenchError.
    """
    text = Path(f"/proc/{_outer(process)}/smaps_rollup").read_text()
    fields = (line.split() for line in text.splitlines()[1:])
    return {words[0].rstrip(":"): int(words[1]) / 1024 for words in fields}


def _outer(process: int) -> int:
    """The id that a process of this world has in /proc, which is the machine's."""
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
