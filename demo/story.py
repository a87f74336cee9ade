"""What the demo shows, step by step; it runs as the first process of a world of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from demo import lab

_PACE = str(Path(__file__).with_name("pace.py"))
_RATE = 2000
_SECONDS = 4.0


def main() -> int:
    """The exit code."""
    try:
        lab.prepare()
        _tell()
    except (RuntimeError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    return 0


def _tell() -> None:
    say("Three hosts, a daemon, a bridge; anna and ben in VLAN 10, carla in VLAN 20")
    lab.add_host("anna", "tap0", "10.0.0.1/24")
    lab.add_host("ben", "tap1", "10.0.0.2/24")
    lab.add_host("carla", "tap2", "10.0.0.3/24")
    daemon, seconds = lab.start_daemon()
    note(f"hotswitchd is ready after {seconds:.2f} s")
    do("bridge add br0")
    do("port add tap0 bridge br0 tag 10")
    do("port add tap1 bridge br0 tag 10")
    do("port add tap2 bridge br0 tag 20")

    say("Within a VLAN they reach each other, across they don't")
    expect(_ping("anna", "10.0.0.2"), "anna pings ben", "he answers")
    expect(not _ping("anna", "10.0.0.3"), "anna pings carla", "no answer, as it should be")

    say("Throughput, one TCP stream from anna to ben")
    note(f"{_throughput():.1f} Gbit/s")

    say(f"Kill the daemon under traffic: {_RATE} numbered packets a second from anna to ben")
    _kill_under_traffic(daemon)

    say("What the bridge has learned and counted")
    show("fdb show")
    show("port list")
    program = json.loads(lab.hotswitch("--json", "program", "show"))[0]["programs"][0]
    note(f"all of it forwarded by one program of {program['instructions']} BPF instructions")

    lab.hotswitch("shutdown", "--stop-forwarding")
    say("Done; nothing is left behind")


def _ping(host: str, address: str) -> bool:
    # The first packet to a new neighbour may wait for ARP, so three tries.
    command = ["ping", "-c", "3", "-i", "0.2", "-W", "1", "-w", "2", address]
    return lab.at(host, *command, check=False).returncode == 0


def _throughput() -> float:
    """In Gbit/s; the ports' rates are shown meanwhile."""
    server = lab.start_at("ben", "iperf3", "--server", "--one-off", "--forceflush")
    assert server.stdout
    while "listening" not in (line := server.stdout.readline()):
        if not line:
            raise RuntimeError("iperf3 did not start")
    client = lab.start_at("anna", "iperf3", "--client", "10.0.0.2", "--time", "2", "--json")
    show("top -n 1")
    report = json.loads(client.communicate()[0])
    server.communicate()
    if "error" in report:
        raise RuntimeError(f"iperf3: {report['error']}")
    return float(report["end"]["sum_received"]["bits_per_second"]) / 1e9


def _kill_under_traffic(daemon: subprocess.Popen[bytes]) -> None:
    receiver = lab.start_at("ben", sys.executable, _PACE, "receive")
    assert receiver.stdout
    receiver.stdout.readline()
    sender = lab.start_at(
        "anna", sys.executable, _PACE, "send", "10.0.0.2", str(_RATE), str(_SECONDS)
    )
    began = time.monotonic()
    time.sleep(_SECONDS / 4)
    lab.kill(daemon)
    note(f"after {time.monotonic() - began:.1f} s: kill -9 of hotswitchd")
    time.sleep(_SECONDS / 4)
    _, seconds = lab.start_daemon()
    note(f"after {time.monotonic() - began:.1f} s: a new one has taken over, in {seconds:.2f} s")
    sent = int(sender.communicate()[0])
    received, twice, gap = receiver.communicate()[0].split()
    expect(
        int(received) == sent and twice == "0",
        f"sent {sent}, received {received}, twice {twice}",
        f"no packet lost, the longest gap {gap} ms",
    )


def say(text: str) -> None:
    """A heading."""
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    print(f"\n{bold}{text}{plain}", flush=True)


def note(text: str) -> None:
    """A line under a heading."""
    print(f"  {text}", flush=True)


def do(line: str) -> None:
    """A command, as one would type it."""
    print(f"  $ hotswitch {line}", flush=True)
    lab.hotswitch(*line.split())


def show(line: str) -> None:
    """A command and what it prints."""
    print(f"  $ hotswitch {line}", flush=True)
    for each in lab.hotswitch(*line.split()).splitlines():
        print(f"  {each}", flush=True)


def expect(holds: bool, what: str, good: str) -> None:
    """A line that says what was tried and what came of it; the demo ends if it is not so."""
    note(f"{what}: {good if holds else 'NOT AS EXPECTED'}")
    if not holds:
        raise RuntimeError(f"{what}: not as expected")


if __name__ == "__main__":
    sys.exit(main())
