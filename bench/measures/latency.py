"""Request and response over TCP, one byte each way."""

from __future__ import annotations

from collections.abc import Mapping

from bench import pingpong
from bench.results import Figure
from bench.subjects.subject import Running
from bench.summary import percentile

FIGURES = (
    Figure("p50", "TCP request and response, p50", "µs"),
    Figure("p99", "TCP request and response, p99", "µs", 1),
)


def measure(running: Running, seconds: float) -> Mapping[str, float]:
    """Of all round trips in these seconds. Raises BenchError."""
    times = pingpong.round_trips(running.pair, seconds)
    return {"p50": percentile(times, 50) / 1000, "p99": percentile(times, 99) / 1000}
