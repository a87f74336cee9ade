"""The real daemon: what is configured is what packets meet, whatever becomes of the daemon."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.test_appctl import needs_ovs_appctl
from tests.app.test_database import vsctl
from tests.support.daemon import REAL, Daemon, environment
from tests.support.hosts import TWO_HOSTS, daemon_with_hosts
from tests.support.room import Room
from tests.support.wait import until

_HOSTS = {**TWO_HOSTS, "carla": ("tap2", "10.0.0.3")}


@pytest.fixture
def lab(room: Room, tmp_path: Path) -> Iterator[Daemon]:
    """Three hosts at a switch in a namespace of its own, and nothing configured."""
    with daemon_with_hosts(room, tmp_path / "run", _HOSTS) as daemon:
        yield daemon


def _ping(lab: Daemon, source: str, target: str, count: int = 2) -> bool:
    """Whether any of a few pings is answered."""
    seconds = "1" if count == 1 else "3"
    # What an earlier ping still waits for would end this one with an error.
    lab.room.run("ip", "neigh", "flush", "all", "nud", "all", host=source, check=False)
    command = ["ping", "-c", str(count), "-i", "0.05", "-w", seconds, _HOSTS[target][1]]
    return lab.room.run(*command, host=source, check=False).returncode == 0


def _connect(lab: Daemon) -> None:
    lab.do("bridge add br0")
    lab.do("port add tap0 bridge br0 tag 10")
    lab.do("port add tap1 bridge br0 tag 10")
    lab.do("port add tap2 bridge br0 tag 20")


def test_vlans_are_kept_apart_and_changes_are_in_force_at_once(lab: Daemon) -> None:
    assert not _ping(lab, "anna", "ben", 1)
    _connect(lab)
    assert _ping(lab, "anna", "ben")
    assert not _ping(lab, "anna", "carla")
    lab.do("port set tap2 tag 10")
    assert _ping(lab, "anna", "carla")
    lab.do("port del tap1")
    assert not _ping(lab, "anna", "ben", 1)
    learned = {(row["vlan"], row["port"]) for row in lab.ask("fdb show")}
    assert {(10, "tap0"), (10, "tap2")} <= learned
    assert "tap1" not in {port for _, port in learned}


@needs_ovs_appctl
def test_open_vswitchs_own_client_shows_what_is_learned(lab: Daemon) -> None:
    _connect(lab)
    assert _ping(lab, "anna", "ben")
    rows = lab.texts("fdb/show br0").splitlines()[1:]
    assert {line[:12] for line in rows} >= {"    1    10 ", "    2    10 "}
    assert all(
        re.fullmatch(r".{12} (?:[0-9a-f]{2}:){5}[0-9a-f]{2}  [ \d]{2}\d", row) for row in rows
    )
    entries = re.search(r"table: (\d+)/8192", lab.texts("fdb/stats-show br0"))
    assert entries and int(entries[1]) >= 2
    assert re.search(r"system@br0: hit:[1-9]\d* missed:\d+$", lab.texts("dpif/show"), re.M)
    flow = r"in_port\(tap0\),.*packets:[1-9]\d*, bytes:[1-9]\d*, used:\d+\.\d{3}s, priority:\d"
    assert re.search(flow, lab.texts("dpctl/dump-flows --names"))

    def forgotten() -> bool:  # hosts may speak up at any time
        lab.texts("fdb/flush br0")
        return "    10  " not in lab.texts("fdb/show br0")

    until(forgotten, "the table is flushed")


def test_what_is_counted_is_shown(lab: Daemon) -> None:
    _connect(lab)
    assert _ping(lab, "anna", "ben")
    port = lab.ask("port show tap0")
    assert port["statistics"]["rx_packets"] > 0 and port["statistics"]["tx_packets"] > 0
    entries = lab.ask("table show bridge br0")
    used = [each for each in entries if each["packets"]]
    assert used and all(each["bytes"] and each["idle"] is not None for each in used)
    (bridge,) = lab.ask("program show")
    assert bridge["engine"] == "kernel" and bridge["programs"][0]["instructions"] > 0
    assert "bpf_map_lookup_elem" in lab.do("program show asm")
    assert lab.do("program show ir bridge br0").count("\n") > 20
    rates = lab.room.start(
        "ping", "-c", "100", "-i", "0.02", _HOSTS["ben"][1], host="anna", stdout=subprocess.DEVNULL
    )
    (look,) = map(json.loads, lab.do("top -n 1 -i 0.5 --json").splitlines())
    rates.kill()
    rates.wait()
    assert {each["port"]: each["rx_packets"] for each in look}["tap0"] > 10


def test_a_trace_says_where_the_packets_really_go(lab: Daemon) -> None:
    _connect(lab)
    assert _ping(lab, "anna", "ben")
    rows = {row["port"]: row["mac"] for row in lab.ask("fdb show")}
    traced = lab.ask(f"trace in tap0 ethernet.dst={rows['tap1']} ethernet.src={rows['tap0']} tcp")
    assert [each["port"] for each in traced["outputs"]] == ["tap1"]


@pytest.mark.parametrize("end", ["kill", "shutdown"])
def test_forwarding_outlives_the_daemon_and_a_new_one_takes_over(lab: Daemon, end: str) -> None:
    _connect(lab)
    assert _ping(lab, "anna", "ben")
    before = lab.ask("port show tap0")["statistics"]["rx_packets"]
    addresses = {(row["vlan"], row["mac"], row["port"]) for row in lab.ask("fdb show")}
    assert lab.process
    if end == "kill":
        lab.process.kill()
        lab.process.wait()
    else:
        lab.do("shutdown")
    assert _ping(lab, "anna", "ben")
    assert not _ping(lab, "anna", "carla", 1)
    assert "takes over" not in lab.log
    lab.start()
    assert "takes over what an earlier life left forwarding bridges=br0" in lab.log
    assert lab.ask("port show tap0")["statistics"]["rx_packets"] > before
    assert addresses <= {(row["vlan"], row["mac"], row["port"]) for row in lab.ask("fdb show")}
    lab.do("port set tap2 tag 10")
    assert _ping(lab, "anna", "carla")
    lab.do("shutdown --stop-forwarding")
    assert not _ping(lab, "anna", "ben", 1)
    assert lab.room.run("find", "/sys/fs/bpf/hotswitch", "-mindepth", "1").stdout == ""


def test_a_port_follows_its_device_through_a_rename_and_loses_it(lab: Daemon) -> None:
    _connect(lab)
    assert _ping(lab, "anna", "ben")
    lab.room.run("ip", "link", "set", "tap1", "name", "renamed", host="switch")
    until(lambda: lab.ask("port show tap1")["link"] == "renamed", "the rename is seen")
    assert _ping(lab, "anna", "ben")
    lab.room.run("ip", "link", "del", "renamed", host="switch")
    until(lambda: lab.ask("port show tap1")["state"] == "waiting", "the device has gone")
    assert not lab.log.count("ERROR"), lab.log


def test_the_host_reaches_the_bridge_by_its_local_link(lab: Daemon) -> None:
    lab.do("bridge add br0")
    lab.do("port add tap0 bridge br0")
    lab.room.run("ip", "address", "add", "10.0.0.99/24", "dev", "br0", host="switch")
    lab.room.run("ip", "link", "set", "br0", "up", host="switch")
    until(lambda: lab.ask("port show br0")["state"] == "forwarding", "the local link is up")
    command = ["ping", "-c", "2", "-i", "0.05", "-W", "1", "10.0.0.99"]
    assert lab.room.run(*command, host="anna").returncode == 0
    lab.do("port set br0 tag 7")
    assert lab.room.run(*command, host="anna", check=False).returncode == 1


def test_a_full_address_table_learns_nothing_new_and_says_so(lab: Daemon) -> None:
    lab.do("bridge add br0 address-limit 1")
    for device in ("tap0", "tap1"):
        lab.do(f"port add {device} bridge br0")
    assert _ping(lab, "anna", "ben")
    assert len(lab.ask("fdb show")) == 1
    assert lab.ask("stats")["bridges"][0]["counters"]["not_learned"] > 0
    lab.do("bridge set br0 address-limit 50")
    assert _ping(lab, "anna", "ben")
    assert len(lab.ask("fdb show")) == 2


@needs_ovs_appctl
def test_what_becomes_of_addresses_is_counted(lab: Daemon) -> None:
    _connect(lab)
    assert _ping(lab, "anna", "ben")
    before = _totals(lab)
    assert before["learned"] >= 2 and before["expired"] == 0
    # Ben's address is seen at Anna's port.
    address = lab.room.run("cat", "/sys/class/net/eth0/address", host="ben").stdout.strip()
    ethernet = "02:00:00:00:00:99," + address
    lab.room.run(sys.executable, "-c", _SEND, ethernet, host="anna")
    until(lambda: _totals(lab)["port moved"] > before["port moved"], "the address has moved")
    lab.do("bridge set br0 ageing 1")
    until(lambda: _totals(lab)["expired"] >= 2, "addresses expire")
    lab.texts("fdb/stats-clear br0")
    assert _totals(lab)["port moved"] == 0


_SEND = """
import socket, sys
target, source = (bytes.fromhex(each.replace(":", "")) for each in sys.argv[1].split(","))
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
    wire.bind(("eth0", 0))
    wire.send(target + source + bytes(46))
"""


def _totals(lab: Daemon) -> dict[str, int]:
    text = lab.texts("fdb/stats-show br0")
    found = re.findall(r"number of (.+?) MAC entries +: (\d+)", text)
    return {name: int(count) for name, count in found}


def test_xdp_is_a_choice_of_a_port(lab: Daemon) -> None:
    lab.do("bridge add br0")
    lab.do("port add tap0 bridge br0 hook xdp")
    lab.do("port add tap1 bridge br0 hook tcx")
    assert _ping(lab, "anna", "ben")
    assert {each["hook"] for each in lab.ask("program show")[0]["programs"]} == {"tcx", "xdp"}


def test_an_mtu_that_no_device_has_is_no_outage(lab: Daemon) -> None:
    _connect(lab)
    assert _ping(lab, "anna", "ben")
    line = "set Interface tap0 mtu_request=99999 -- set Interface tap1 mtu_request=60"
    done = vsctl(lab.room, lab.run_dir / "db.sock", line)
    assert (done.returncode, done.stderr) == (0, "")
    assert _ping(lab, "anna", "ben")
    assert lab.ask("port show tap0")["state"] == "forwarding"


def test_a_device_has_one_daemon(lab: Daemon, tmp_path: Path) -> None:
    _connect(lab)
    words = ("--netns", "switch")
    with Daemon(lab.room, tmp_path / "other", *words, kind=REAL) as other:
        other.do("bridge add br1")
        assert "another hotswitch" in other.refuse("port add tap0 bridge br1")
        assert _ping(lab, "anna", "ben")
        lab.do("port del tap0")
        other.do("port add tap0 bridge br1")


def test_what_forwards_in_another_namespace_is_not_forgotten(lab: Daemon) -> None:
    _connect(lab)
    # Only a link, which takes a moment, tells a daemon elsewhere that something forwards.
    filters = ("tc", "filter", "show", "dev", "tap2", "ingress")
    until(lambda: not lab.room.run(*filters, host="switch").stdout, "a link at the last port")
    lab.do("shutdown")
    elsewhere = _run(lab.command("--netns", "anna"))
    assert elsewhere.returncode == 1 and "another network namespace" in elsewhere.stderr
    assert _ping(lab, "anna", "ben")
    assert _run(lab.command("--netns", "anna", "--cleanup")).returncode == 0
    assert not _ping(lab, "anna", "ben", 1)


def _run(line: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(line, env=environment(), capture_output=True, text=True, timeout=60)
