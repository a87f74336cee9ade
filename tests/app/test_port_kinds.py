"""The real daemon and ports whose links it makes: packets over them, and what becomes of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotswitch.switch.desired import DesiredPort, PortKind
from tests.support.daemon import Daemon, environment
from tests.support.hosts import TWO_HOSTS, daemon_with_hosts
from tests.support.kept import kept
from tests.support.room import Room
from tests.support.wait import until

_PROGRAM = """
import os, sys
from tests.switch.program import open_tap
tap = open_tap("vm1")
print("open", flush=True)
sys.stdin.readline()
os.write(tap, bytes.fromhex(sys.argv[1]))
while True:
    frame = os.read(tap, 2000)
    if frame[12:14] == b"\\x88\\xb5":
        print(frame.hex(), flush=True)
"""


@pytest.fixture
def lab(room: Room, tmp_path: Path) -> Iterator[Daemon]:
    """Two hosts, each at a bridge of its own in the namespace of the switch."""
    with daemon_with_hosts(room, tmp_path / "run") as daemon:
        for number in (0, 1):
            daemon.do(f"bridge add br{number}")
            daemon.do(f"port add tap{number} bridge br{number}")
        yield daemon


def _ping(lab: Daemon, source: str, address: str, *options: str) -> bool:
    """Whether any of a few pings is answered."""
    command = ["ping", "-c", "2", "-i", "0.05", "-W", "1", "-w", "1", *options, address]
    return lab.room.run(*command, host=source, check=False).returncode == 0


def _links(lab: Daemon) -> set[str]:
    listed = json.loads(lab.room.run("ip", "-json", "link", host="switch").stdout)
    return {each["ifname"] for each in listed}


def test_a_cable_carries_packets_between_bridges(lab: Daemon) -> None:
    before = _links(lab)
    lab.do("port add up bridge br0 type patch peer down")
    waiting = lab.ask("port show up")
    assert waiting["state"] == "waiting" and waiting["error"] == "its peer down does not exist"
    assert not _ping(lab, "anna", "10.0.0.2")
    lab.do("port add down bridge br1 type patch peer up")
    assert {lab.ask(f"port show {port}")["state"] for port in ("up", "down")} == {"forwarding"}
    assert _ping(lab, "anna", "10.0.0.2")
    learned = {(row["bridge"], row["port"]) for row in lab.ask("fdb show")}
    assert {("br0", "tap0"), ("br0", "up"), ("br1", "tap1"), ("br1", "down")} == learned

    lab.do("port set up tag 10")
    assert not _ping(lab, "anna", "10.0.0.2")
    lab.do("port set tap0 tag 10")
    assert _ping(lab, "anna", "10.0.0.2")
    for host, (device, _) in TWO_HOSTS.items():
        lab.room.run("ip", "link", "set", "eth0", "mtu", "9000", host=host)
        lab.do(f"port set {device} mtu 9000")
    assert _ping(lab, "anna", "10.0.0.2", "-s", "8900", "-M", "do")

    lab.do("port del down")
    assert lab.ask("port show up")["state"] == "waiting"
    assert not _ping(lab, "anna", "10.0.0.2")
    assert _links(lab) == before


def test_a_station_whose_port_moves_along_a_cable_is_reached_at_once(
    room: Room, tmp_path: Path
) -> None:
    hosts = {**TWO_HOSTS, "carl": ("tap2", "10.0.0.3")}
    with daemon_with_hosts(room, tmp_path / "run", hosts) as lab:
        for bridge in ("br0", "br1"):
            lab.do(f"bridge add {bridge}")
        lab.do("port add up bridge br0 type patch peer down")
        lab.do("port add down bridge br1 type patch peer up")
        for port, bridge in {"tap0": "br0", "tap1": "br1", "tap2": "br0"}.items():
            lab.do(f"port add {port} bridge {bridge} tag 10")
        for host in ("anna", "ben"):
            assert _ping(lab, host, "10.0.0.3")
        carl = room.run("cat", "/sys/class/net/eth0/address", host="carl").stdout.strip()
        where = {(row["bridge"], row["port"]) for row in lab.ask("fdb show") if row["mac"] == carl}
        assert where == {("br0", "tap2"), ("br1", "down")}

        room.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", host="carl")
        lab.do("port del tap2")
        assert carl not in {row["mac"] for row in lab.ask("fdb show")}
        lab.do("port add tap2 bridge br1 tag 10")
        until(lambda: lab.ask("port show tap2")["state"] == "forwarding", "the port forwards")
        # They know its address, so it has no need to speak before their first packet reaches it.
        for host in ("anna", "ben"):
            answered = room.run("ping", "-c", "1", "-W", "1", "10.0.0.3", host=host, check=False)
            assert answered.returncode == 0, answered.stdout


def test_cables_and_what_is_on_them_outlive_the_daemon(lab: Daemon) -> None:
    lab.do("port add up bridge br0 type patch peer down")
    lab.do("port add down bridge br1 type patch peer up")
    lab.do("port add host0 bridge br0 type internal")
    lab.do("port add vm1 bridge br1 type tap")
    links = _links(lab)
    assert lab.process
    lab.process.kill()
    lab.process.wait()
    assert _ping(lab, "anna", "10.0.0.2")
    lab.start()
    assert _links(lab) == links
    assert _ping(lab, "anna", "10.0.0.2")
    lab.do("shutdown --stop-forwarding")
    assert _links(lab) == {"lo", "tap0", "tap1"}


@pytest.mark.parametrize("hook", ["tcx", "xdp"])
def test_the_host_reaches_the_bridge_by_an_internal_port(lab: Daemon, hook: str) -> None:
    lab.do(f"port add host0 bridge br0 type internal mac 02:00:00:00:00:07 mtu 1400 hook {hook}")
    shown = lab.ask("port show host0")
    assert (shown["type"], shown["mac"], shown["mtu"]) == ("internal", "02:00:00:00:00:07", 1400)
    lab.room.run("ip", "address", "add", "10.0.0.99/24", "dev", "host0", host="switch")
    lab.room.run("ip", "link", "set", "host0", "up", host="switch")
    until(lambda: lab.ask("port show host0")["state"] == "forwarding", "the link is up")
    assert _ping(lab, "anna", "10.0.0.99")
    assert "02:00:00:00:00:07" in {row["mac"] for row in lab.ask("fdb show")}
    lab.do("port set host0 tag 7")
    assert not _ping(lab, "anna", "10.0.0.99")


def test_a_program_opens_a_tap_port(lab: Daemon) -> None:
    lab.do("port add vm1 bridge br0 type tap")
    lab.do("port add vm2 bridge br0 type internal mac 02:00:00:00:00:08")
    lab.room.run("ip", "link", "set", "vm2", "up", host="switch")
    assert lab.ask("port show vm1")["state"] == "down"
    # An EtherType for experiments (IEEE 802), in which the kernel takes no interest.
    frame = bytes.fromhex("020000000008 0200000000aa 88b5".replace(" ", "")) + bytes(46)
    program = lab.room.start(
        sys.executable, "-c", _PROGRAM, frame.hex(), host="switch", env=environment(),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert program.stdin and program.stdout
        assert program.stdout.readline() == "open\n"
        until(lambda: lab.ask("port show vm1")["state"] == "forwarding", "the tap is open")
        program.stdin.write("\n")
        program.stdin.flush()
        learned = until(lambda: _port_of(lab, "02:00:00:00:00:aa"), "the program's frame came in")
        assert learned == "vm1"
        answer = bytes.fromhex("0200000000aa 020000000008 88b5".replace(" ", "")) + bytes(46)
        lab.room.run(sys.executable, "-c", _SEND, answer.hex(), host="switch")
        assert program.stdout.readline() == answer.hex() + "\n"
        lab.do("port del vm1")
        assert program.wait(10) != 0
    finally:
        program.kill()
        program.wait()
    assert "vm1" not in _links(lab)


_SEND = """
import socket, sys
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
link.bind(("vm2", 0))
link.send(bytes.fromhex(sys.argv[1]))
"""


def _port_of(lab: Daemon, mac: str) -> str:
    return {row["mac"]: row["port"] for row in lab.ask("fdb show")}.get(mac, "")


_REFUSED = {
    "port add p0 bridge br0 type patch": "without a peer",
    "port add p0 bridge br0 type patch peer p0": "its own peer",
    "port add p0 bridge br0 type patch peer tap1": "its peer tap1 is no patch port",
    "port add p0 bridge br0 peer p1": "has no peer",
    "port add host0 bridge br0 type internal mac 01:00:00:00:00:01": "is a group address",
    "port set tap1 mac 02:00:00:00:00:01": "cannot be given a MAC address",
    "port add br9 bridge br0 type internal": "a device br9 that hotswitch did not make",
    "port add br9 bridge br0 type tap": "a device br9 that hotswitch did not make",
    "port add vm1 bridge br0 type tap mtu 65535": "set the MTU",
    "port set br0 type tap": "it is always internal",
}


def test_what_can_not_be_is_refused_and_changes_nothing(daemon: Daemon) -> None:
    daemon.room.run("ip", "link", "add", "br9", "type", "bridge")
    daemon.do("bridge add br0")
    daemon.do("port add tap1 bridge br0 --absent-ok")
    before = daemon.ask("port list"), _settings(daemon)
    for line, error in _REFUSED.items():
        assert error in daemon.refuse(line)
        assert (daemon.ask("port list"), _settings(daemon)) == before


def _settings(daemon: Daemon) -> list[tuple[object, ...]]:
    """What a command could change; `ip` shows more, some of it only now and then."""
    listed = json.loads(daemon.room.run("ip", "-json", "link").stdout)
    return [tuple(map(each.get, ("ifname", "mtu", "address", "master"))) for each in listed]


def test_settings_of_links_are_kept_and_taken_back(daemon: Daemon) -> None:
    daemon.do("bridge add br0")
    daemon.do("port add i bridge br0 type internal mac 2:0:0:0:0:1 mtu 1400")
    daemon.do("port set i mac none mtu none")
    assert daemon.ask("port show i")["mac"] == "02:00:00:00:00:01"  # it stays as it is
    daemon.do("port set br0 mtu 1300")
    assert kept(daemon.run_dir).bridges["br0"].ports == {
        "i": DesiredPort("i", kind=PortKind.INTERNAL),
        "br0": DesiredPort("br0", kind=PortKind.INTERNAL, mtu=1300),
    }
    daemon.do("port set i type tap")
    assert "type:        tap" in daemon.do("port show i")
    for wrong in ("mac 1:2", "mac 020000000001", "mtu 67", "mtu 65536", "type vxlan"):
        assert daemon.hotswitch("port", "set", "i", *wrong.split()).returncode == 2
