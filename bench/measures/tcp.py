"""One TCP stream (iperf3), from the first host to the second."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Mapping

from bench.child import CPUS, FIRST
from bench.errors import BenchError
from bench.results import Figure
from bench.subjects.subject import Running

FIGURES = (
    Figure("tcp", "TCP, one stream", "Gbit/s"),
    Figure("tcp_cpu", "CPU of both ends with the switch in between", "ns/KiB", 1),
)


def measure(running: Running, seconds: float) -> Mapping[str, float]:
    """Received Gbit/s, and the CPU time of both iperf3 processes a KiB: forwarding in the kernel
    runs on their backs. iperf3 counts in whole seconds. Raises BenchError."""
    pair = running.pair
    server = ["iperf3", "--server", "--one-off", "--forceflush"]
    client = ["iperf3", "--client", pair.second.address, "--json", "--affinity"]
    client += [f"{CPUS[-1]},{CPUS[0]}", "--time", str(max(1, math.ceil(seconds)))]
    listening = _start(pair.second.namespace, server)
    try:
        assert listening.stdout
        while "listening" not in (line := listening.stdout.readline()):
            if not line:
                raise BenchError("the iperf3 server did not start")
        sending = _start(pair.first.namespace, client)
        try:
            told, _ = sending.communicate(timeout=seconds + 30)
        except subprocess.TimeoutExpired:
            raise BenchError("iperf3 does not end: no traffic gets through") from None
        finally:
            sending.kill()
            sending.wait()
    finally:
        listening.kill()
        listening.communicate()
    return _read(json.loads(told or "{}"))


def _start(namespace: str, command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["ip", "netns", "exec", namespace, *FIRST, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        text=True,
    )


def _read(report: Mapping[str, dict[str, dict[str, float]]]) -> dict[str, float]:
    if "error" in report or "end" not in report:
        raise BenchError(f"iperf3: {report.get('error', 'no report')}")
    total, cpu = report["end"]["sum_received"], report["end"]["cpu_utilization_percent"]
    busy = (cpu["host_total"] + cpu["remote_total"]) / 100 * total["seconds"]
    return {
        "tcp": total["bits_per_second"] / 1e9,
        "tcp_cpu": busy * 1e9 / max(1.0, total["bytes"] / 1024),
    }
