"""What is to be measured, as a value that goes from the caller into the lab."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Options:
    """Names are those of `catalogue`.

    seconds: how long one measurement of traffic lasts. again: how often a measurement
        that others disturbed is made again. report: the descriptor that takes the
        JSON report, or -1.
    """

    subjects: tuple[str, ...]
    measures: tuple[str, ...]
    alone: tuple[str, ...]
    rounds: int = 5
    seconds: float = 2.0
    again: int = 3
    report: int = -1

    def encode(self) -> str:
        """As text for a command line."""
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str) -> Options:
        """The inverse of `encode`."""
        given = json.loads(text)
        for name in ("subjects", "measures", "alone"):
            given[name] = tuple(given[name])
        return cls(**given)
