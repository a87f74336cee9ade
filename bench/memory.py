"""The memory of a process that was started in the bench's own world."""

from __future__ import annotations

from pathlib import Path

from bench.process import outer


def memory(process: int) -> dict[str, float]:
    """Rss and Pss (proportional: shared pages are divided among those who share) in MiB.

    Raises BenchError.
    """
    text = Path(f"/proc/{outer(process)}/smaps_rollup").read_text()
    fields = (line.split() for line in text.splitlines()[1:])
    return {words[0].rstrip(":"): int(words[1]) / 1024 for words in fields}
