"""The real daemon, real devices and packets: ports live as long as they should, and no longer."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import REAL, Daemon
from tests.support.room import Room
from tests.support.wait import until

ANNA, BEN = "10.0.0.1", "10.0.0.2"


@pytest.fixture
def lab(room: Room, tmp_path: Path) -> Iterator[Daemon]:
    """Two hosts at a bridge; the devices are tap0 and tap1."""
    room.run("ip", "netns", "add", "switch")
    add_host(room, "anna", "tap0", ANNA)
    add_host(room, "ben", "tap1", BEN)
    with Daemon(room, tmp_path / "run", "--netns", "switch", kind=REAL) as daemon:
        daemon.do("bridge add br0")
        yield daemon


def add_host(room: Room, name: str, device: str, address: str) -> None:
    room.add_host(name, device, f"{address}/24")
    room.run("ip", "link", "set", device, "netns", "switch")
    room.run("ip", "link", "set", device, "up", host="switch")


def link(lab: Daemon, *words: str) -> None:
    lab.room.run("ip", "link", *words, host="switch")


def reaches(lab: Daemon, target: str) -> bool:
    # A host that came anew has another address.
    lab.room.run("ip", "neigh", "flush", "all", "nud", "all", host="anna", check=False)
    line = ["ping", "-c", "3", "-i", "0.05", "-w", "3", target]
    return lab.room.run(*line, host="anna", check=False).returncode == 0


def vsctl(lab: Daemon, line: str) -> str:
    command = ["ovs-vsctl", "--timeout=20", f"--db=unix:{lab.run_dir}/db.sock", *line.split()]
    return lab.room.run(*command).stdout


def port_names(lab: Daemon) -> set[str]:
    return {port["name"] for port in lab.ask("port list")} - {"br0"}


def test_a_tap_comes_and_goes_and_its_name_is_used_again(lab: Daemon) -> None:
    lab.do("port add tap0 bridge br0 tag 10")
    lab.do("port add tap1 bridge br0 tag 10 lifecycle ephemeral metadata vm-id=old")
    assert reaches(lab, BEN)
    shown = lab.ask("port show tap1")
    assert shown["lifecycle"] == "ephemeral" and shown["metadata"] == {"vm-id": "old"}
    old = shown["incarnation"]
    assert len(old) == 16

    lab.room.run("ip", "netns", "del", "ben")
    until(lambda: port_names(lab) == {"tap0"}, "the port has gone with its device")
    assert vsctl(lab, "list-ports br0") == "tap0\n"

    add_host(lab.room, "ben", "tap1", BEN)
    lab.do("port add tap1 bridge br0 tag 10 lifecycle ephemeral")
    assert reaches(lab, BEN)
    error = lab.refuse(f"port del tap1 --incarnation {old}")
    new = lab.ask("port show tap1")["incarnation"]
    assert f"the device of port tap1 is not {old} any more, but {new}" in error
    assert reaches(lab, BEN)
    assert vsctl(lab, "get Interface tap1 status:incarnation").strip().strip('"') == new
    late = f"wait-until Interface tap1 status:incarnation={old} -- del-port tap1"
    options = ["--timeout=1", f"--db=unix:{lab.run_dir}/db.sock"]
    assert lab.room.run("ovs-vsctl", *options, *late.split(), check=False).returncode
    assert "tap1" in port_names(lab)
    lab.do(f"port del tap1 --incarnation {new}")
    assert port_names(lab) == {"tap0"}
    assert "ERROR" not in lab.log and "Traceback" not in lab.log, lab.log


def test_a_rename_under_traffic_loses_nothing(lab: Daemon) -> None:
    lab.do("port add tap0 bridge br0")
    lab.do("port add tap1 bridge br0")
    assert reaches(lab, BEN)
    line = ["ping", "-q", "-i", "0.002", "-c", "500", "-w", "10", BEN]
    pings = lab.room.start(*line, host="anna", stdout=subprocess.PIPE)
    for name in ("web", "db", "cache"):
        link(lab, "set", "tap1", "name", name)
        until(lambda name=name: lab.ask("port show tap1")["link"] == name, "the rename is seen")
    said, _ = pings.communicate(timeout=30)
    assert re.search(r"\b(\d{2,}) packets transmitted, \1 received", said), said
    # The old name is the link's still, and the switch shows both.
    link(lab, "show", "tap1")
    assert lab.ask("port list")[2]["name"] == "tap1"
    status = vsctl(lab, "get Interface tap1 status:device_name error ofport")
    assert status.split() == ['"cache"' if '"' in status.split()[0] else "cache", "[]", "2"]


def test_as_in_open_vswitch_a_port_can_wait_for_its_name(lab: Daemon) -> None:
    lab.do("port add tap0 bridge br0")
    lab.do("port add tap1 bridge br0 follow-rename off lifecycle static")
    assert reaches(lab, BEN)
    link(lab, "set", "tap1", "name", "web")
    until(lambda: lab.ask("port show tap1")["state"] == "waiting", "the name has gone")
    assert vsctl(lab, "get Interface tap1 error ofport").split() == ["[]", "2"]
    link(lab, "set", "web", "name", "tap1")
    until(lambda: lab.ask("port show tap1")["state"] == "forwarding", "the name is back")
    assert reaches(lab, BEN)


def test_a_new_daemon_knows_the_device_by_its_life(lab: Daemon) -> None:
    lab.do("port add tap0 bridge br0")
    lab.do("port add tap1 bridge br0 lifecycle ephemeral")
    before = lab.ask("port show tap0")["incarnation"]
    assert lab.process
    lab.process.kill()
    lab.process.wait()
    link(lab, "set", "tap0", "name", "web")
    lab.room.run("ip", "netns", "del", "ben")
    until(lambda: "tap1" not in lab.room.run("ip", "link", host="switch").stdout, "tap1 is gone")
    add_host(lab.room, "bill", "tap1", BEN)  # another one's, by the same name
    lab.start()
    until(lambda: port_names(lab) == {"tap0"}, "the port has gone with its device")
    shown = lab.ask("port show tap0")
    assert (shown["link"], shown["incarnation"]) == ("web", before)


@pytest.mark.parametrize("lifecycle", ["ephemeral", "static"])
def test_a_device_in_another_bridge_comes_back_whatever_it_is_called(
    lab: Daemon, lifecycle: str
) -> None:
    lab.do("port add tap0 bridge br0 tag 30")
    lab.do(f"port add tap1 bridge br0 tag 30 lifecycle {lifecycle}")
    before = lab.ask("port show tap1")
    link(lab, "set", "tap1", "name", "web")
    until(lambda: lab.ask("port show tap1")["link"] == "web", "the rename is seen")
    link(lab, "add", "plain", "type", "bridge")
    link(lab, "set", "web", "master", "plain")
    until(lambda: "web belongs to plain" in lab.ask("port show tap1")["error"], "it is said")
    assert lab.ask("port show tap1")["lost_incarnations"] == [before["incarnation"]]
    link(lab, "set", "web", "name", "db")
    assert lab.process
    lab.process.kill()
    lab.process.wait()
    link(lab, "set", "db", "name", "cache")
    lab.start()
    until(lambda: "cache belongs to plain" in lab.ask("port show tap1")["error"], "it is known")
    link(lab, "set", "cache", "nomaster")
    until(lambda: lab.ask("port show tap1")["state"] == "forwarding", "it is back")
    after = lab.ask("port show tap1")
    assert (after["incarnation"], after["number"]) == (before["incarnation"], before["number"])
    assert reaches(lab, BEN)


def test_cleaning_up_late_needs_no_device(lab: Daemon) -> None:
    for name in ("tap0", "tap1"):
        lab.do(f"port add {name} bridge br0 lifecycle static")
    anna, ben = (lab.ask(f"port show {name}")["incarnation"] for name in ("tap0", "tap1"))
    for host in ("anna", "ben"):
        lab.room.run("ip", "netns", "del", host)
    for name in ("tap0", "tap1"):
        until(lambda name=name: not lab.ask(f"port show {name}")["link"], "the device has gone")
    assert lab.process
    lab.process.kill()
    lab.process.wait()
    lab.start()
    error = lab.refuse(f"port del tap0 --incarnation {ben}")
    assert f"is not {ben} any more, but none, and was {anna}" in error
    lab.do(f"port del tap0 --incarnation {anna}")
    add_host(lab.room, "bill", "tap1", BEN)
    until(lambda: lab.ask("port show tap1")["link"] == "tap1", "the next guest's device is there")
    assert "any more, but" in lab.refuse(f"port del tap1 --incarnation {ben}")
    assert port_names(lab) == {"tap1"}


def test_what_goes_when_a_daemon_starts_is_said(lab: Daemon) -> None:
    lab.do("port add tap7 bridge br0 lifecycle ephemeral --absent-ok")
    assert lab.process
    lab.process.kill()
    lab.process.wait()
    lab.start()
    assert port_names(lab) == set()
    assert re.search(r"port removed.*port=tap7.*not there when the daemon starts", lab.log), lab.log
    events = [json.loads(each) for each in lab.do("--json events --no-follow").splitlines()]
    assert ["port-removed", "tap7"] in [[each["event"], each.get("port")] for each in events]


def test_a_device_that_is_adopted_and_then_enslaved_is_let_go(lab: Daemon) -> None:
    lab.do("bridge set br0 adopt dk1,kind=veth")
    link(lab, "add", "plain", "type", "bridge")
    link(lab, "add", "dk1", "type", "veth", "peer", "dk2")
    until(lambda: port_names(lab) == {"dk1"}, "it is adopted")
    link(lab, "set", "dk1", "master", "plain")
    until(lambda: port_names(lab) == set(), "it is let go")
    assert vsctl(lab, "list-ports br0") == ""
    link(lab, "set", "dk1", "nomaster")
    until(lambda: port_names(lab) == {"dk1"}, "it is adopted again")


def test_grace_passes(lab: Daemon) -> None:
    lab.do("port add tap1 bridge br0 lifecycle grace=2")
    lab.room.run("ip", "netns", "del", "ben")
    until(lambda: lab.ask("port list")[-1]["state"] == "waiting", "the device has gone")
    until(lambda: port_names(lab) == set(), "the time has passed")


def test_a_port_says_how_long_it_will_be_there(lab: Daemon) -> None:
    lab.do("port add tap1 bridge br0 lifecycle grace=600")
    assert [port["time_left"] for port in lab.ask("port list")] == [None, None]
    lab.room.run("ip", "netns", "del", "ben")
    until(lambda: lab.ask("port show tap1")["state"] == "waiting", "the device has gone")
    first = lab.ask("port show tap1")["time_left"]
    assert 500 < first < 600
    until(lambda: lab.ask("port show tap1")["time_left"] < first - 1, "time passes")
    assert re.search(r"tap1 .* waiting \(9m[0-5][0-9]s left\) ", lab.do("port list"))
    assert re.search(r"lifecycle: +grace=600, goes in 9m[0-5][0-9]s\n", lab.do("port show tap1"))
    for policy in ("static", "ephemeral"):
        lab.do(f"port set tap1 lifecycle {policy}")
        assert [port["time_left"] for port in lab.ask("port list")] == [None] * 2


def test_an_old_name_that_another_link_gets_unseen_is_no_error(lab: Daemon) -> None:
    link(lab, "add", "spare", "type", "veth", "peer", "other")
    for name in ("tap0", "tap1"):
        lab.do(f"port add {name} bridge br0")
    assert lab.process
    lab.process.send_signal(signal.SIGSTOP)
    link(lab, "set", "tap1", "name", "web")
    link(lab, "property", "add", "dev", "spare", "altname", "tap1")  # it is down: nobody tells
    lab.process.send_signal(signal.SIGCONT)
    until(lambda: lab.ask("port show tap1")["device"] == "web", "the rename is seen")
    assert reaches(lab, BEN)
    port = lab.ask("port show tap1")
    assert (port["state"], port["error"]) == ("forwarding", "")
    assert "ERROR" not in lab.log


@pytest.mark.parametrize("lifecycle", ["grace=2", "ephemeral"])
def test_a_port_goes_though_another_port_s_device_has_its_name(lab: Daemon, lifecycle: str) -> None:
    for tag, name in enumerate(("tap0", "tap1"), 1):
        lab.do(f"port add {name} bridge br0 tag {tag} lifecycle {lifecycle}")
    lab.room.run("ip", "netns", "del", "ben")
    link(lab, "set", "tap0", "down")
    until(lambda: "tap1" not in lab.room.run("ip", "-o", "link", host="switch").stdout, "it goes")
    link(lab, "set", "tap0", "name", "tap1")
    until(lambda: port_names(lab) == {"tap0"}, "the time has passed")
    assert vsctl(lab, "list-ports br0").split() == ["tap0"]
    (port,) = (each for each in lab.ask("port list") if each["name"] == "tap0")
    assert (port["device"], port["error"]) == ("tap1", ""), port


def test_bad_lives_are_refused(lab: Daemon) -> None:
    policy = lab.hotswitch(*["port", "add", "tap0", "bridge", "br0", "lifecycle", "forever"])
    assert policy.returncode == 2 and "grace=SECONDS is expected" in policy.stderr
    assert "WHAT=VALUE" in lab.refuse("port add tap0 bridge br0 link tap0")
    assert "is made for it" in lab.refuse("port add t9 bridge br0 type tap lifecycle ephemeral")
    assert "a link twice" in lab.refuse("port add vif1 bridge br0 vif tap0,tap0")
    lab.do("port add tap0 bridge br0")
    assert "hexadecimal" in lab.refuse("port del tap0 --incarnation x")
    nothing = lab.hotswitch("port", "del", "tap0", "--incarnation", "")
    assert nothing.returncode == 1 and "hexadecimal" in nothing.stderr
    assert port_names(lab) == {"tap0"}


def test_a_device_that_comes_back_before_anybody_looks_forwards_again(lab: Daemon) -> None:
    """On its way through another namespace it has lost the filter that a new port begins with."""
    lab.room.run("ip", "netns", "add", "elsewhere")
    lab.do("port add tap0 bridge br0 lifecycle static")
    lab.do("port add tap1 bridge br0 lifecycle static")
    assert lab.process
    os.kill(lab.process.pid, signal.SIGSTOP)
    link(lab, "set", "tap1", "netns", "elsewhere")
    lab.room.run("ip", "link", "set", "tap1", "netns", "switch", host="elsewhere")
    link(lab, "set", "tap1", "up")
    os.kill(lab.process.pid, signal.SIGCONT)
    until(lambda: reaches(lab, BEN), "the port forwards again", 20)


@pytest.mark.parametrize("way", ["port del tap1", "port list"])
def test_a_device_that_has_left_is_promiscuous_no_more(lab: Daemon, way: str) -> None:
    """Neither where it is now, nor when it comes back and is no port by then."""
    lab.room.run("ip", "netns", "add", "elsewhere")
    lab.do("port add tap1 bridge br0 lifecycle static")

    def is_promiscuous(host: str) -> bool:
        shown = lab.room.run("ip", "-j", "-d", "link", "show", "tap1", host=host).stdout
        return bool(json.loads(shown)[0]["promiscuity"])

    assert is_promiscuous("switch")
    link(lab, "set", "tap1", "netns", "elsewhere")
    until(lambda: not is_promiscuous("elsewhere"), "it is promiscuous no more")
    lab.do(way)
    lab.room.run("ip", "link", "set", "tap1", "netns", "switch", host="elsewhere")
    until(lambda: is_promiscuous("switch") == (way == "port list"), "as ports are")
    assert "WARNING" not in lab.log and "ERROR" not in lab.log


def test_metadata_of_the_port_and_of_its_link_are_told_apart(lab: Daemon) -> None:
    lab.room.run("ip", "tuntap", "add", "tap0", "mode", "tap")
    lab.do("port add tap0 bridge br0 metadata vm-id=5")
    vsctl(lab, "set Interface tap0 external_ids:iface-id=77")
    until(lambda: "of its link: iface-id=77\n" in lab.do("port show tap0"), "the link has its own")
    assert "metadata:    vm-id=5\n" in lab.do("port show tap0")
    lab.do("port set tap0 metadata none")
    shown = lab.do("port show tap0")
    assert "metadata" not in shown and "of its link: iface-id=77\n" in shown


def test_what_devices_a_vif_lacks_is_said_by_their_names(lab: Daemon) -> None:
    said = lab.refuse("port add g1 bridge br0 vif tap3.0,vif3.0")
    assert "there is no device tap3.0, vif3.0" in said
