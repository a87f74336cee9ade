"""`coverage/show`, `coverage/read-counter` and `memory/show`, over whatever there is to count."""

from __future__ import annotations

import asyncio
import zlib
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence

from hotswitch.ovsdb.unixctl import CommandError, Commands

Source = Callable[[], Mapping[str, int]]
"""Returns amounts by name. Raises HotswitchError."""

PERIOD = 5.0
"""Seconds between samples."""

_MINUTE = 12
_HOUR = 720
"""In samples."""


class Coverage:
    """Events, counted since their beginning by `sources`, and how many there were lately."""

    def __init__(self, *sources: Source) -> None:
        self._sources = sources
        self._samples: deque[Mapping[str, int]] = deque(maxlen=_HOUR)

    async def run(self) -> None:
        """Take samples, for ever."""
        while True:
            self.sample()
            await asyncio.sleep(PERIOD)

    def sample(self) -> None:
        """Note how things are; to be called every `PERIOD` seconds. Raises HotswitchError."""
        self._samples.append(_sum(self._sources))

    def show(self) -> str:
        """Return the table: a second's average over each time, and the total."""
        totals = _sum(self._sources)
        hit = sorted(name for name, total in totals.items() if total)
        identity = zlib.crc32(" ".join(hit).encode())
        lines = [
            "Event coverage, avg rate over last: "
            f"5 seconds, last minute, last hour,  hash={identity:08x}:"
        ]
        for name in hit:
            moment, minute, hour = (self._rate(name, totals, n) for n in (1, _MINUTE, _HOUR))
            lines.append(
                f"{name:<24} {moment:5.1f}/sec {minute:9.3f}/sec {hour:13.4f}/sec   "
                f"total: {totals[name]}"
            )
        lines.append(f"{len(totals) - len(hit)} events never hit")
        return "\n".join([*lines, ""])

    def read(self, name: str) -> str:
        """Return the total of one. Raises CommandError."""
        totals = _sum(self._sources)
        if name not in totals:
            raise CommandError("No such counter")
        return f"{totals[name]}\n"

    def _rate(self, name: str, totals: Mapping[str, int], samples: int) -> float:
        if not self._samples:
            return 0.0
        before = self._samples[-min(samples, len(self._samples))]
        return max(0, totals[name] - before.get(name, 0)) / (samples * PERIOD)


def register(commands: Commands, coverage: Coverage, usage: Sequence[Source]) -> None:
    """Add the commands. usage: of memory, in things."""
    commands.add("coverage/show", "", 0, 0, lambda _: coverage.show())
    commands.add("coverage/read-counter", "COUNTER", 1, 1, lambda words: coverage.read(words[0]))

    def memory(_: Sequence[str]) -> str:
        amounts = _sum(usage)
        return " ".join(f"{name}:{amounts[name]}" for name in sorted(amounts)) + "\n"

    commands.add("memory/show", "", 0, 0, memory)


def _sum(sources: Sequence[Source]) -> Counter[str]:
    amounts: Counter[str] = Counter()
    for source in sources:
        amounts.update(source())
    return amounts
