"""What the demo shows, step by step; it runs as the first process of a world of its own."""

from __future__ import annotations

import json
import subprocess
import sys

from demo import devices, lab, traffic
from demo.telling import do, expect, note, say, show


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

    say(f"Kill the daemon under traffic: {traffic.RATE} numbered packets a second from anna to ben")
    _kill_under_traffic(daemon)

    say("What the bridge has learned and counted")
    show("fdb show")
    show("port list")
    program = json.loads(lab.hotswitch("--json", "program", "show"))[0]["programs"][0]
    note(f"all of it forwarded by one program of {program['instructions']} BPF instructions")

    devices.tell()

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
    with traffic.between("anna", "ben", "10.0.0.2") as flow:
        flow.wait_for(0.25)
        lab.kill(daemon)
        note(f"after {flow.passed:.1f} s: kill -9 of hotswitchd")
        flow.wait_for(0.5)
        _, seconds = lab.start_daemon()
        note(f"after {flow.passed:.1f} s: a new one has taken over, in {seconds:.2f} s")


if __name__ == "__main__":
    sys.exit(main())
