"""Ports added and deleted by command beside few others and beside many."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from bench import lab
from bench.results import Figure
from bench.subjects.commands import Commanders
from hotswitch.kernel import link_actions, netns

FEW, MANY, MOST = 10, 1_000, 2_000
_MORE = 5

FIGURES = (
    Figure("port_few", f"One port added beside {FEW}", "ms", 1),
    Figure("port_many", f"One port added beside {MANY:,}", "ms", 1),
    Figure("port_all", f"{MANY - FEW:,} ports added by one command", "s"),
    Figure("port_gone", f"One port deleted beside {MANY:,}", "ms", 1),
    Figure("port_all_gone", f"{MANY // 2} ports deleted by one command", "s"),
    Figure("port_most", f"{MOST:,} ports added by one command to a bridge without ports", "s"),
)

_rounds = iter(range(1_000_000))


def measure(commanders: Commanders, seconds: float) -> Mapping[str, float]:
    """Milliseconds and seconds by figure, from a command's start to its end. Raises BenchError.

    In a round of less than a second there are fewer ports.
    """
    many, most = (round(each * min(seconds, 1.0)) for each in (MANY, MOST))
    namespace = f"commands{next(_rounds)}"
    lab.add_namespace(namespace)
    try:
        with netns.inside(namespace):
            for number in range(most):
                link_actions.create_veth(f"p{number}", f"q{number}")
        names = [f"p{number}" for number in range(most)]
        with commanders.start(namespace) as commander:
            commander.add(names[:FEW])
            beside_few = [commander.add([name]) for name in names[many:][:_MORE]]
            together = commander.add(names[FEW:many])
            later = names[many + _MORE :][:_MORE]
            beside_many = [commander.add([name]) for name in later]
            gone = [commander.delete([name]) for name in later]
            all_gone = commander.delete(names[: many // 2])
        found: dict[str, float] = {}
        if most <= commanders.most:
            with commanders.start(namespace) as commander:
                found["port_most"] = commander.add(names)
    finally:
        lab.run("ip", "netns", "del", namespace)
    return {
        "port_few": 1000 * statistics.median(beside_few),
        "port_many": 1000 * statistics.median(beside_many),
        "port_all": together,
        "port_gone": 1000 * statistics.median(gone),
        "port_all_gone": all_gone,
    } | found
