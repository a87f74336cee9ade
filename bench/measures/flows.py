"""Flows put into a datapath by a program, listed and deleted."""

from __future__ import annotations

from collections.abc import Mapping

from bench.child import precedence
from bench.errors import BenchError
from bench.results import Figure
from bench.subjects.datapaths import Datapaths
from bench.summary import percentile

_ALONE = 1_000
_TOGETHER = 20_000

FIGURES = (
    Figure("flow_p50", "A flow installed, request to answer: p50", "µs", 0),
    Figure("flow_p99", "A flow installed, request to answer: p99", "µs", 0),
    Figure("flow_installs", f"{_TOGETHER:,} flows installed, pipelined", "/s", 0),
    Figure("flow_dump", f"{_TOGETHER + _ALONE:,} flows listed", "s", 3),
    Figure("flow_deletes", f"{_TOGETHER:,} flows deleted with statistics, pipelined", "/s", 0),
)


def measure(datapaths: Datapaths, seconds: float) -> Mapping[str, float]:
    """Microseconds, flows a second, seconds. Raises BenchError.

    In a round of less than a second there are fewer flows.
    """
    part = min(seconds, 1.0)
    alone = range(1, 1 + max(10, round(_ALONE * part)))
    together = range(alone.stop, alone.stop + max(100, round(_TOGETHER * part)))
    with datapaths.start() as datapath, precedence():
        took = sorted(datapath.one_by_one(alone))
        installed = datapath.install(together)
        count, listed = datapath.listed()
        if count != together.stop:
            raise BenchError(f"{count} of {together.stop} flows are listed")
        deleted = datapath.delete(together)
    return {
        "flow_p50": 1e6 * percentile(took, 50),
        "flow_p99": 1e6 * percentile(took, 99),
        "flow_installs": len(together) / installed,
        "flow_dump": listed,
        "flow_deletes": len(together) / deleted,
    }
