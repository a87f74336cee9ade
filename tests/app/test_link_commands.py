"""`hotswitch link`: what there is, ids both ways, and renames that take all references along."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, command, environment
from tests.support.hosts import daemon_with_hosts
from tests.support.room import Room
from tests.support.wait import until


@pytest.fixture
def lab(daemon: Daemon) -> Daemon:
    daemon.do("bridge add br0")
    for number in range(3):
        words = f"link add tap{number} type veth peer name far{number}"
        daemon.room.run("ip", *words.split())
    return daemon


def link_id(lab: Daemon, name: str) -> int:
    return int(lab.do(f"link id {name}"))


def vsctl(lab: Daemon, line: str) -> str:
    command = ["ovs-vsctl", "--timeout=20", f"--db=unix:{lab.run_dir}/db.sock", *line.split()]
    return lab.room.run(*command).stdout.strip()


def names(lab: Daemon) -> list[tuple[str, list[str]]]:
    return [(each["name"], each["alternative_names"]) for each in lab.ask("link list")]


def kill(lab: Daemon) -> None:
    assert lab.process
    lab.process.kill()
    lab.process.wait()


def test_list_and_show_tell_all_of_a_link(lab: Daemon) -> None:
    lab.room.run("ip", "link", "add", "kernel0", "type", "bridge")
    lab.room.run("ip", "link", "set", "far0", "master", "kernel0")
    lab.room.run("ip", "link", "property", "add", "dev", "tap0", "altname", "net-of-vm1")
    lab.room.run("ip", "link", "set", "tap0", "address", "02:00:00:00:00:07", "mtu", "1400", "up")
    lab.do("port add tap0 bridge br0 metadata vm-id=web")
    rows = {each["name"]: each for each in lab.ask("link list")}
    assert {"lo", "br0", "tap0", "tap1", "far0", "kernel0"} <= rows.keys()
    shown = lab.ask("link show net-of-vm1")
    assert shown == rows["tap0"] == lab.ask(f"link show {shown['id']}")
    assert shown["alternative_names"] == ["net-of-vm1"]
    assert (shown["kind"], shown["address"], shown["mtu"]) == ("veth", "02:00:00:00:00:07", 1400)
    assert (shown["bridge"], shown["port"], shown["vif"]) == ("br0", "tap0", "")
    assert (shown["up"], shown["carrier"]) == (True, False)
    assert shown["metadata"] == {"vm-id": "web"} and len(shown["incarnation"]) == 16
    assert rows["far0"]["master"] == "kernel0" and rows["far0"]["peer_namespace"] is None
    assert rows["far0"]["peer"] == "tap0" and rows["far0"]["peer_ifindex"] == shown["ifindex"]
    assert rows["kernel0"]["details"]["stp_state"] == 0 and rows["kernel0"]["peer"] == ""
    assert "kind:        bridge stp_state=0" in lab.do("link show kernel0")
    assert "tied to:     tap0\n" in lab.do("link show far0")
    lab.room.run("ip", "netns", "add", "away")
    lab.room.run("ip", "link", "add", "near1", "type", "veth", "peer", "far1", "netns", "away")
    far = lab.ask("link show near1")
    assert (far["peer"], far["peer_ifindex"] > 0, far["peer_namespace"] >= 0) == ("", True, True)
    assert f"index {far['peer_ifindex']} in namespace" in lab.do("link show near1")
    assert rows["br0"]["port"] == "br0"  # and so has its hidden end
    assert sum(each["port"] == "br0" for each in rows.values()) == 2
    assert len({each["id"] for each in rows.values()}) == len(rows)
    assert re.search(r"^ *\d+  tap0 .* br0 +tap0$", lab.do("link list"), re.MULTILINE)
    assert "net-of-vm1" in lab.do("link show tap0") and lab.do("link show") == lab.do("link list")


def test_names_do_not_steer_the_terminal(lab: Daemon) -> None:
    lab.room.run("ip", "link", "add", "\x1b[2Jodd\x85", "type", "veth", "peer", "other")
    lab.do("port add tap0 bridge br0")
    vsctl(lab, "set port tap0 external_ids:k=\x9bv\x1b[1m")
    assert "\\x1b[2Jodd\\x85  veth" in lab.do("link list")
    assert "metadata:    k=\\x9bv\\x1b[1m\n" in lab.do("port show tap0")
    assert {"\x1b[2Jodd\x85", "other"} <= {each["name"] for each in lab.ask("link list")}


def test_ids_and_names_convert_both_ways_and_last(lab: Daemon) -> None:
    number = link_id(lab, "tap1")
    assert lab.do(f"link name {number}") == "tap1\n"
    assert lab.ask(f"link name {number}") == "tap1" and lab.ask("link id tap1") == number
    lab.room.run("ip", "link", "set", "tap1", "name", "web")
    assert lab.do(f"link name {number}") == "web\n"
    kill(lab)
    lab.start()
    assert link_id(lab, "web") == number
    assert (lab.run_dir / "conf.db.link-ids").exists()
    lab.room.run("ip", "link", "del", "web")
    assert "which was called web, is not there now" in lab.refuse(f"link name {number}")
    assert "which was called web" in lab.refuse(f"link show {number}")
    lab.room.run("ip", "link", "add", "web", "type", "bridge")
    assert link_id(lab, "web") != number


def test_a_port_finds_its_device_by_id(lab: Daemon) -> None:
    lab.do(f"port add uplink bridge br0 link id={link_id(lab, 'tap1')}")
    assert lab.ask("port show uplink")["link"] == "tap1"
    kill(lab)
    lab.room.run("ip", "link", "set", "tap1", "name", "other")
    lab.room.run("ip", "link", "set", "tap2", "name", "tap1")
    lab.start()
    assert lab.ask("port show uplink")["link"] == "other"


def test_names_that_a_device_gets_while_it_is_down_are_found(lab: Daemon) -> None:
    """The kernel tells nobody of them."""
    lab.do("port add later bridge br0 link alternative-name=net1 --absent-ok")
    for device, name in (("tap0", "net0"), ("tap1", "net1")):
        lab.room.run("ip", "link", "property", "add", "dev", device, "altname", name)
        if name == "net0":
            lab.do(f"port add {name} bridge br0")
            assert lab.ask(f"port show {name}")["device"] == device
    until(lambda: vsctl(lab, "get Interface later error") == "[]", "it is found")
    assert lab.ask("port show later")["device"] == "tap1"
    lab.do("port add other bridge br0 --absent-ok")
    lab.room.run("ip", "link", "property", "add", "dev", "tap2", "altname", "net2")
    lab.do("port set other link alternative-name=net2")
    assert lab.ask("port show other")["device"] == "tap2"


def test_a_name_of_digits_comes_before_an_id(lab: Daemon) -> None:
    number = link_id(lab, "tap1")
    lab.room.run("ip", "link", "set", "tap2", "name", str(number))
    assert lab.ask(f"link show {number}")["ifindex"] != lab.ask("link show tap1")["ifindex"]
    assert lab.do(f"link name {number}") == "tap1\n"


def test_a_rename_takes_references_along(lab: Daemon) -> None:
    lab.do("port add tap0 bridge br0")
    lab.do("port add uplink bridge br0 link name=tap1 follow-rename off")
    lab.do("port add guest bridge br0 vif tap2,vif2 --absent-ok")
    for name in ("tap0", "tap1", "tap2"):
        lab.do(f"link rename {link_id(lab, name)} new-{name}")
    links = {each["name"]: each for each in lab.ask("link list")}
    for name in ("tap0", "tap1", "tap2"):
        assert name in links[f"new-{name}"]["alternative_names"]
    for row, device in (("tap0", "new-tap0"), ("uplink", "new-tap1"), ("tap2", "new-tap2")):
        said = vsctl(lab, f"get Interface {row} other_config:link")
        assert said.strip('"') == f"name={device}"
    ports = {each["name"]: each for each in lab.ask("port list")}
    assert [ports[each]["link"] for each in ("tap0", "uplink", "guest")] == [
        "new-tap0",
        "new-tap1",
        "new-tap2",
    ]
    # Also by nothing but their names: to the database the old ones mean nothing any more.
    for name in ("tap0", "tap1", "tap2"):
        lab.room.run("ip", "link", "property", "del", "dev", f"new-{name}", "altname", name)
    kill(lab)
    lab.start()
    ports = {each["name"]: each for each in lab.ask("port list")}
    assert [ports[each]["link"] for each in ("tap0", "uplink", "guest")] == [
        "new-tap0",
        "new-tap1",
        "new-tap2",
    ]


def test_a_rename_takes_rules_for_adoption_along(lab: Daemon) -> None:
    lab.hotswitch(
        "bridge", "set", "br0", "adopt", "tap0 tag=7; tap* tag=8; one+tap1 vif=address tag=9"
    )
    until(lambda: lab.ask("link show tap0")["port"] == "tap0", "it is adopted")
    lab.do("link rename tap0 web")
    lab.do("link rename tap1 db")
    rules = vsctl(lab, "get Bridge br0 other_config:adopt").strip('"')
    assert rules == "web tag=7; tap* tag=8; one+db vif=address tag=9"
    lab.do("bridge add br1")
    done = lab.hotswitch("bridge", "set", "br1", "adopt", "core tag=1")
    assert done.returncode == 0, done.stderr
    before = names(lab)
    assert "would fit rules of bridge" in lab.refuse("link rename web core")
    assert "no pattern of names" in lab.refuse("link rename web we+b")
    assert names(lab) == before
    assert vsctl(lab, "get Bridge br0 other_config:adopt").strip('"') == rules


def test_a_rename_back_takes_the_selector_back(lab: Daemon) -> None:
    lab.do("port add tap0 bridge br0")
    lab.do("link rename tap0 web")
    lab.do("link rename web tap0")
    assert lab.ask("link show tap0")["alternative_names"] == ["web"]
    assert vsctl(lab, "get Interface tap0 other_config") == "{}"
    lab.do("link rename tap0 tap0")
    assert "Traceback" not in lab.log and "ERROR" not in lab.log, lab.log


def test_what_can_not_be_renamed_is_refused(lab: Daemon) -> None:
    lab.do("port add tap0 bridge br0")
    lab.do("port add later bridge br0 --absent-ok lifecycle static")
    lab.do("port add host0 bridge br0 type internal")
    lab.room.run("ip", "link", "property", "add", "dev", "tap2", "altname", "other")
    hidden = next(each["name"] for each in lab.ask("link list") if each["name"].startswith("hs-"))
    before = names(lab), vsctl(lab, "--columns=name,other_config list Interface")
    for line, error in (
        ("tap0 tap1", "tap1 is taken: link tap1 has it"),
        ("tap0 other", "link tap2 has it, as an alternative name"),
        ("tap0 br0", "br0 is taken"),
        ("tap0 later", "port later of bridge br0 asks for it"),
        ("tap0 host0", "host0 is taken"),
        ("tap0 far/away", "is no link's name"),
        ("tap0 a-name-that-is-too-long", "too long"),
        ("tap0 lo", "lo"),
        ("lo tap9", "keeps its name"),
        ("nothing web", "there is no link nothing"),
        ("4711 web", "there is no link 4711"),
        (f"{hidden} web", "hidden end of port"),
    ):
        assert error in lab.refuse(f"link rename {line}"), line
    assert before == (names(lab), vsctl(lab, "--columns=name,other_config list Interface"))
    assert lab.hotswitch("link", "name", "tap0").returncode == 2
    assert "there is no link" in lab.refuse("link id ''")
    assert "Traceback" not in lab.log


def test_the_device_of_a_made_port_can_be_renamed(lab: Daemon) -> None:
    lab.do("port add host0 bridge br0 type internal")
    before = lab.ask("link show host0")
    lab.do("link rename host0 mine")
    after = lab.ask("link show mine")
    assert (after["incarnation"], after["port"]) == (before["incarnation"], "host0")
    lab.do("port del host0")
    assert "there is no link" in lab.refuse("link show mine")


def test_completion_offers_links(lab: Daemon) -> None:
    done = lab.hotswitch("completion", "bash")
    assert done.returncode == 0
    words = {"COMP_WORDS": "hotswitch link rename ta", "COMP_CWORD": "3"}
    offered = subprocess.run(
        lab.room.command(*command()),
        env=environment(
            HOTSWITCH_RUN_DIR=str(lab.run_dir), _HOTSWITCH_COMPLETE="bash_complete", **words
        ),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert {"plain,tap0", "plain,tap1"} <= set(offered.stdout.split())


@pytest.fixture
def real(room: Room, tmp_path: Path) -> Iterator[Daemon]:
    with daemon_with_hosts(room, tmp_path / "run") as daemon:
        daemon.do("bridge add br0")
        yield daemon


def test_a_rename_under_traffic_loses_nothing(real: Daemon) -> None:
    real.do("port add tap0 bridge br0")
    real.do("port add tap1 bridge br0 follow-rename off")
    until(
        lambda: (
            not real.room.run("ping", "-c1", "-W1", "10.0.0.2", host="anna", check=False).returncode
        ),
        "they reach each other",
    )
    line = ["ping", "-q", "-i", "0.002", "-c", "1500", "-w", "20", "10.0.0.2"]
    pings = real.room.start(*line, host="anna", stdout=subprocess.PIPE)
    for old, new in (("tap1", "web"), ("web", "db"), ("db", "tap1"), ("tap0", "anna")):
        real.do(f"link rename {old} {new}")
    assert pings.poll() is None
    said, _ = pings.communicate(timeout=30)
    assert re.search(r"\b(\d{3,}) packets transmitted, \1 received", said), said
