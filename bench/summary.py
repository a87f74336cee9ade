"""Numbers from several rounds: medians, quartiles, and ratios of what was measured together."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Summary:
    """Of at least one value. The quartiles are the spread: half of the values lie between."""

    median: float
    lower: float
    upper: float
    lowest: float
    highest: float
    count: int


def summarise(values: Sequence[float]) -> Summary:
    """Median and quartiles, interpolated between neighbours. Raises ValueError for no values."""
    if not values:
        raise ValueError("nothing was measured")
    lower, median, upper = (
        statistics.quantiles(values, n=4, method="inclusive")
        if len(values) > 1
        else (values[0],) * 3
    )
    return Summary(median, lower, upper, min(values), max(values), len(values))


def ratio(values: Sequence[float], base: Sequence[float]) -> Summary | None:
    """How many times the base, round by round, so that what changes from round to round cancels.

    None if no round has both, or the base was zero.
    """
    pairs = [value / other for value, other in zip(values, base, strict=False) if other]
    return summarise(pairs) if pairs else None


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of the sorted values do not exceed."""
    if not ordered:
        raise ValueError("nothing was measured")
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, int(rank) - 1)]
