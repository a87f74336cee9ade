"""`hotswitch vnic`: devices that hotswitch makes for others, and only those it takes away."""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hotswitch.app.control.client import ControlClient
from tests.support import process
from tests.support.daemon import REAL, Daemon, environment
from tests.support.room import Room
from tests.support.wait import until


@pytest.fixture
def lab(daemon: Daemon) -> Daemon:
    daemon.do("bridge add br0")
    daemon.room.run("ip", "netns", "add", "web")
    return daemon


@pytest.fixture
def real(room: Room, tmp_path: Path) -> Iterator[Daemon]:
    for each in ("anna", "ben"):
        room.run("ip", "netns", "add", each)
    with Daemon(room, tmp_path / "run", kind=REAL) as daemon:
        daemon.do("bridge add br0")
        yield daemon


def links(room: Room, host: str = "") -> dict[str, dict[str, Any]]:
    """All but the loopback device and hidden ends, as `ip` shows them."""
    said = json.loads(room.run("ip", "-json", "-details", "link", host=host).stdout)
    return {each["ifname"]: each for each in said if each["ifname"] != "lo"}


def names(room: Room, host: str = "") -> set[str]:
    return {name for name in links(room, host) if not name.startswith("hs-")}


def vnics(lab: Daemon) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in lab.ask("vnic list")}


def ask(lab: Daemon, method: str, **parameters: str) -> Any:
    """As a program does that is not the command."""
    with ControlClient(lab.run_dir / "ctl.sock") as client:
        return client.call(method, **parameters)


def vsctl(lab: Daemon, line: str) -> str:
    words = ["ovs-vsctl", "--timeout=20", f"--db=unix:{lab.run_dir}/db.sock", *line.split()]
    return lab.room.run(*words).stdout.strip()


def kill(lab: Daemon) -> None:
    assert lab.process
    lab.process.kill()
    lab.process.wait()


def well(lab: Daemon) -> bool:
    return "Traceback" not in lab.log and "ERROR" not in lab.log


def set_up(room: Room, host: str, device: str, address: str) -> None:
    room.run("ip", "address", "add", address, "dev", device, host=host)
    room.run("ip", "link", "set", device, "up", host=host)


def reaches(room: Room, host: str, target: str) -> bool:
    line = ["ping", "-c", "2", "-i", "0.05", "-w", "2", target]
    return room.run(*line, host=host, check=False).returncode == 0


def test_traffic_through_vnics_in_namespaces(real: Daemon) -> None:
    room = real.room
    assert real.do("vnic add --over br0 --netns anna") == "vnic0\n"
    assert real.do("vnic add --netns ben --mac 02:00:00:00:00:0b") == "vnic1\n"
    assert real.ask("vnic add") == "vnic2"
    assert vnics(real)["vnic1"]["mac"] == "02:00:00:00:00:0b"
    set_up(room, "anna", "vnic0", "10.0.0.1/24")
    set_up(room, "ben", "vnic1", "10.0.0.2/24")
    set_up(room, "", "vnic2", "10.0.0.3/24")
    until(lambda: reaches(room, "anna", "10.0.0.2"), "anna reaches ben")
    assert reaches(room, "ben", "10.0.0.3")
    assert "vnic0" not in names(room) and names(room, "anna") == {"vnic0"}
    # A kill interrupts nothing, and a rename neither.
    pings = room.start(
        *["ping", "-q", "-i", "0.005", "-c", "400", "-w", "20", "10.0.0.2"],
        host="anna",
        stdout=subprocess.PIPE,
    )
    kill(real)
    real.start()
    real.do("vnic rename vnic1 ben0")
    real.do("vnic rename vnic2 mine")
    said, _ = pings.communicate(timeout=30)
    assert "400 received" in said, said
    assert vnics(real).keys() == {"vnic0", "ben0", "mine"}
    assert names(room, "ben") == {"ben0"} and "mine" in names(room)
    for name in ("vnic0", "ben0", "mine"):
        real.do(f"vnic del {name}")
    assert vnics(real) == {} and names(room, "anna") | names(room, "ben") == set()
    assert names(room) == {"br0"} and well(real), real.log


def test_the_database_shows_them_as_internal_and_tap_ports(lab: Daemon) -> None:
    lab.do("vnic add --netns web")
    lab.do("vnic add --type tap --name vm1")
    lab.do("vnic add --type veth --over br0")
    rows = "--bare --columns=type,other_config list Interface"
    assert vsctl(lab, f"{rows} vnic0").splitlines() == ["internal", "netns=web"]
    assert vsctl(lab, f"{rows} vm1").splitlines() == ["tap"]
    assert vsctl(lab, f"{rows} vnic1").splitlines() == ["internal"]
    assert vsctl(lab, "list-ports br0").split() == ["vm1", "vnic0", "vnic1"]
    assert links(lab.room)["vm1"]["linkinfo"]["info_kind"] == "tun"
    shown = {name: (each["type"], each["netns"]) for name, each in vnics(lab).items()}
    assert shown == {"vnic0": ("veth", "web"), "vm1": ("tap", ""), "vnic1": ("veth", "")}
    # A client of the database makes one just the same.
    vsctl(
        lab,
        "add-port br0 vnic7 -- set Interface vnic7 type=internal other_config:netns=web",
    )
    until(lambda: "vnic7" in names(lab.room, "web"), "the device is made")
    lab.do("vnic del vnic7")
    assert names(lab.room, "web") == {"vnic0"}


def test_a_vnic_goes_with_its_namespace(lab: Daemon) -> None:
    lab.room.run("ip", "link", "add", "base0", "type", "bridge")
    assert lab.do("vnic add --netns web") == "vnic0\n"
    assert lab.do("vnic add --netns web --over base0") == "vnic1\n"
    assert lab.do("vnic add --over base0") == "vnic2\n"
    lab.room.run("ip", "netns", "del", "web")
    until(lambda: "vNIC vnic1 has gone with namespace web" in lab.log, "it is noticed unasked")
    until(lambda: "vnic0" not in vnics(lab), "the port has gone with the namespace")
    until(lambda: vnics(lab).keys() == {"vnic2"}, "so has the macvlan")
    assert vsctl(lab, "list-ports br0") == ""
    # The name means another namespace from then on, also to the next daemon.
    lab.room.run("ip", "netns", "add", "web")
    assert lab.do("vnic add --netns web") == "vnic0\n"
    assert lab.do("vnic add --netns web --over base0") == "vnic1\n"
    kill(lab)
    lab.room.run("ip", "netns", "del", "web")
    until(lambda: "vnic0" not in str(links(lab.room)), "the pair has gone")
    lab.room.run("ip", "netns", "add", "web")
    lab.start()
    until(lambda: vnics(lab).keys() == {"vnic2"}, "they have gone while nobody looked")
    assert names(lab.room, "web") == set() and well(lab), lab.log


def test_names_are_free_in_all_senses(lab: Daemon) -> None:
    room = lab.room
    for words in (
        "link add vnic0 type bridge",
        "link add other0 type bridge",
        "link property add dev other0 altname vnic1",
        "-n web link add vnic2 type bridge",
        "-n web link add vnic22 type bridge",
    ):
        room.run("ip", *words.split())
    lab.do("port add vnic3 bridge br0 --absent-ok lifecycle static")
    lab.do("port add guest bridge br0 vif vnic4,vif4 --absent-ok lifecycle static")
    lab.do("bridge add vnic5")
    assert lab.do("vnic add --over br0 --netns web") == "vnic6\n"
    assert lab.do("vnic add --over br0") == "vnic2\n"
    lab.do("vnic rename vnic2 web2")
    assert "in namespace web" in lab.refuse("vnic add --over br0 --netns web --name vnic22")
    assert lab.do("vnic add --over other0") == "vnic7\n"  # the port still is called vnic2
    before = vnics(lab), names(room), names(room, "web")
    for name in ("vnic0", "vnic1", "vnic3", "vif4", "vnic5", "vnic6", "vnic7", "web2"):
        for over in ("br0", "other0"):
            assert "is taken" in lab.refuse(f"vnic add --over {over} --name {name}"), name
    assert before == (vnics(lab), names(room), names(room, "web"))
    assert well(lab), lab.log


def test_two_namespaces_have_a_vnic_of_the_same_name(lab: Daemon) -> None:
    room = lab.room
    room.run("ip", "netns", "add", "shop")
    room.run("ip", "link", "add", "base0", "type", "bridge")
    room.run("ip", "link", "add", "eth0", "type", "bridge")  # the host's own
    for namespace in ("web", "shop"):
        assert lab.do(f"vnic add --over br0 --netns {namespace} --name eth0") == "eth0\n"
        assert lab.do(f"vnic add --over base0 --netns {namespace} --name eth1") == "eth1\n"
        assert names(room, namespace) == {"eth0", "eth1"}
        for over in ("br0", "base0"):
            error = lab.refuse(f"vnic add --over {over} --netns {namespace} --name eth0")
            assert f"eth0 is taken: a link in namespace {namespace} has it" in error
    before = links(room, "web")["eth0"]["address"]
    assert {(each["name"], each["port"]) for each in lab.ask("vnic list")} == {
        ("eth0", "vnic0"),
        ("eth0", "vnic1"),
        ("eth1", ""),
    }
    assert "several vNICs are called eth0" in lab.refuse("vnic del eth0")
    kill(lab)
    lab.start()
    assert links(room, "web")["eth0"]["address"] == before
    lab.do("vnic del vnic0")
    assert names(room, "web") == {"eth1"}
    assert names(room, "shop") == {"eth0", "eth1"}
    assert well(lab), lab.log


def test_names_and_addresses_last(lab: Daemon) -> None:
    room = lab.room
    assert lab.do("vnic add --over br0") == "vnic0\n"
    assert lab.do("vnic add --over br0 --type tap") == "vnic1\n"
    lab.do("vnic rename vnic0 front")
    lab.do("link rename vnic1 back")
    addresses = {name: links(room)[name]["address"] for name in ("front", "back")}
    rows = vsctl(lab, "get Interface vnic0 other_config:device-name mac")
    assert rows == f'front\n"{addresses["front"]}"'
    lab.do("shutdown --stop-forwarding")
    assert lab.process
    lab.process.wait(timeout=20)
    assert "front" not in names(room)
    lab.start()
    assert {name: links(room)[name]["address"] for name in addresses} == addresses
    room.run("ip", "link", "del", "front")
    until(lambda: "front" in names(room), "the device")
    lab.do("vnic rename front vnic0")
    assert "device-name" not in vsctl(lab, "get Interface vnic0 other_config")
    vsctl(lab, "set Interface vnic0 other_config:device-name=a/b")
    until(lambda: "no link's name" in vsctl(lab, "get Interface vnic0 error"), "the error")
    assert well(lab), lab.log


def test_bad_input_is_refused_and_changes_nothing(lab: Daemon, tmp_path: Path) -> None:
    lab.room.run("ip", "link", "add", "base0", "type", "bridge")
    lab.room.run("ip", "link", "add", "tap0", "type", "veth", "peer", "far0")
    lab.do("port add tap0 bridge br0")
    os.mkfifo(tmp_path / "fifo")
    before = names(lab.room), names(lab.room, "web"), vsctl(lab, "--columns=name list Interface")
    for words, error in (
        ("--over br7", "there is no bridge and no link br7"),
        ("--over 4711", "no bridge and no link 4711"),
        ("--over lo", "the loopback device"),
        ("--over tap0", "tap0 is port tap0 of bridge br0 (--over br0)"),
        ("--netns nowhere", "there is no network namespace nowhere"),
        ("--netns /dev/null", "there is no network namespace /dev/null"),
        (f"--netns {tmp_path}/fifo", "there is no network namespace"),
        ("--netns ..", "no network namespace"),
        ("--mac 01:00:5e:00:00:01", "group address"),
        ("--mac 00:00:00:00:00:00", "nobody's address"),
        ("--mac 12", "'12' is no MAC address"),
        ("--name a-name-that-is-too-long", "too long"),
        ("--name a/b", "no link's name"),
        ("--name lo", "lo"),
        ("--type tap --netns web", "a tap stays where the switch is"),
        ("--type macvlan", "br0 is a bridge"),
        ("--type veth --over base0", "base0 is a link"),
    ):
        assert error in lab.refuse(f"vnic add {words}"), words
    assert lab.hotswitch("vnic", "add", "--type", "gre").returncode == 2
    rows = vsctl(lab, "--columns=name list Interface")
    assert before == (names(lab.room), names(lab.room, "web"), rows)
    for line in ("vnic del tap0", "vnic del br0", "vnic del base0", "vnic rename tap0 x"):
        assert "there is no vNIC" in lab.refuse(line)
    lab.do("bridge add br1")
    assert "there are 2 bridges (say which" in lab.refuse("vnic add")
    lab.do("bridge del br0")
    lab.do("bridge del br1")
    assert "there is no bridge (say which" in lab.refuse("vnic add")
    assert well(lab), lab.log


def test_fifty_at_once_get_fifty_names(lab: Daemon) -> None:
    lab.room.run("ip", "link", "add", "base0", "type", "bridge")
    ways = (
        {"over": "br0"},
        {"over": "br0", "netns": "web"},
        {"over": "base0"},
        {"over": "base0", "netns": "web"},
    )
    with ThreadPoolExecutor(50) as pool:
        made = set(pool.map(lambda number: ask(lab, "vnic/add", **ways[number % 4]), range(50)))
    assert made == {f"vnic{number}" for number in range(50)}
    assert len(names(lab.room, "web")) == 25 and len(vnics(lab)) == 50
    assert {each["state"] for each in vnics(lab).values()} == {"down"}
    ids = [each["id"] for each in vnics(lab).values()]
    assert len(set(ids)) == 50 and None not in ids
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(lambda each: ask(lab, "vnic/del", vnic=str(each)), ids))
    assert vnics(lab) == {} and names(lab.room, "web") == set()
    assert names(lab.room) == {"br0", "base0"} and well(lab), lab.log


def test_what_hotswitch_did_not_make_it_never_deletes(lab: Daemon) -> None:
    room = lab.room
    room.run("ip", "link", "add", "base0", "type", "bridge")
    lab.do("vnic add --over base0")
    lab.do("vnic add --over br0")
    lab.do("vnic add --over br0 --netns web")
    # All are renamed behind its back, and others get the names.
    for number, host in ((0, ""), (1, ""), (2, "web")):
        room.run("ip", "link", "set", f"vnic{number}", "name", f"was{number}", host=host)
        room.run("ip", "link", "add", f"vnic{number}", "type", "bridge", host=host)
    assert vnics(lab).keys() == {"was0", "was1", "was2"}
    kill(lab)
    lab.start()
    assert vnics(lab).keys() == {"was0", "was1", "was2"}
    for number in range(3):  # also by the names that they were made with
        lab.do(f"vnic del {'vnic' if number else 'was'}{number}")
    assert vnics(lab) == {}
    assert names(room) == {"br0", "base0", "vnic0", "vnic1"} and names(room, "web") == {"vnic2"}
    for number in range(3):
        assert "there is no vNIC" in lab.refuse(f"vnic del vnic{number}")
    foreign = lab.ask("link show vnic0")["id"]
    assert "there is no vNIC" in lab.refuse(f"vnic del {foreign}")
    assert names(room) == {"br0", "base0", "vnic0", "vnic1"} and names(room, "web") == {"vnic2"}


def test_no_bridge_adopts_vnics(lab: Daemon) -> None:
    lab.room.run("ip", "link", "add", "base0", "type", "bridge")
    for words in (
        "--over br0",
        "--over base0",
        "--over base0 --netns web",
        "--over br0 --netns web",
    ):
        lab.do(f"vnic add {words}")
    lab.hotswitch("bridge", "set", "br0", "adopt", "vnic*; kind=macvlan; kind=veth")
    for words in (
        "--over br0",
        "--over base0",
        "--over base0 --netns web",
        "--over br0 --netns web",
    ):
        lab.do(f"vnic add {words}")
    lab.room.run("ip", "link", "add", "tap0", "type", "veth", "peer", "far0")
    until(lambda: {"tap0", "far0"} <= set(vsctl(lab, "list-ports br0").split()), "others are")
    assert set(vsctl(lab, "list-ports br0").split()) == {
        *("vnic0", "vnic3", "vnic4", "vnic7", "tap0", "far0"),
    }
    assert len(vnics(lab)) == 8 and names(lab.room, "web") == {
        f"vnic{each}" for each in (2, 3, 6, 7)
    }


def test_somebody_else_takes_the_device_away(lab: Daemon) -> None:
    room = lab.room
    room.run("ip", "link", "add", "base0", "type", "bridge")
    lab.do("vnic add --over base0 --mac 02:00:00:00:00:07")
    room.run("ip", "link", "del", "base0")
    until(lambda: vnics(lab)["vnic0"]["state"] == "missing", "it went with its base")
    assert vnics(lab)["vnic0"]["error"] == "there is no link base0"
    room.run("ip", "link", "add", "vnic0", "type", "bridge")
    room.run("ip", "link", "add", "base0", "type", "bridge")
    until(lambda: "did not make" in vnics(lab)["vnic0"]["error"], "its name is taken")
    room.run("ip", "link", "del", "vnic0")
    until(lambda: vnics(lab)["vnic0"]["state"] == "down", "it is there again")
    assert vnics(lab)["vnic0"]["mac"] == "02:00:00:00:00:07"
    lab.do("vnic del vnic0")
    assert names(room) == {"br0", "base0"} and "Traceback" not in lab.log


def test_a_renamed_base_takes_its_vnics_along(lab: Daemon) -> None:
    lab.room.run("ip", "link", "add", "base0", "type", "bridge")
    lab.do("vnic add --over base0")
    lab.do("vnic rename vnic0 mine")
    lab.do("link rename base0 core")
    kill(lab)
    lab.room.run("ip", "link", "del", "core")
    lab.room.run("ip", "link", "add", "core", "type", "bridge")
    lab.start()
    until(lambda: vnics(lab)["mine"]["state"] == "down", "it is made over the new core")
    assert vnics(lab)["mine"]["over"] == "core"
    assert "mine" in names(lab.room)


def test_the_end_of_forwarding_takes_devices_away(lab: Daemon) -> None:
    lab.room.run("ip", "link", "add", "base0", "type", "bridge")
    for words in ("--over br0", "--over base0", "--over base0 --netns web"):
        lab.do(f"vnic add {words}")
    lab.do("shutdown --stop-forwarding")
    assert lab.process
    lab.process.wait(timeout=20)
    assert names(lab.room) == {"base0"} and names(lab.room, "web") == set()
    lab.start()
    assert {name: each["state"] for name, each in vnics(lab).items()} == {
        "vnic0": "down",
        "vnic1": "down",
    }
    kill(lab)
    done = subprocess.run(
        lab.command("--cleanup"), env=environment(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert names(lab.room) == {"base0"}


def is_whole(lab: Daemon, room: Room) -> None:
    """Each device is a vNIC, and each vNIC has its device; no other is left over."""
    shown = vnics(lab)
    assert all(each["state"] != "missing" for each in shown.values()), shown
    there = names(room) - {"br0", "base0"}
    assert there == {name for name, each in shown.items() if not each["netns"]}
    assert names(room, "web") == {name for name, each in shown.items() if each["netns"]}
    of_bridge = [each for each in shown.values() if each["over"] == "br0"]
    hidden = [name for name in links(room) if name.startswith("hs-")]
    assert len(hidden) == len(of_bridge) + 1
    assert set(vsctl(lab, "list-ports br0").split()) == {each["port"] for each in of_bridge}


def test_a_kill_leaves_whole_vnics_or_none(daemon: Daemon) -> None:
    lab, room = daemon, daemon.room
    lab.do("bridge add br0")
    room.run("ip", "netns", "add", "web")
    room.run("ip", "link", "add", "base0", "type", "bridge")
    chance = random.Random(7)
    control = lab.run_dir / "ctl.sock"
    promised: set[str] = set()
    for turn in range(12):
        adding = subprocess.Popen(
            room.command("python3", "-c", _MANY, str(control)),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert adding.stdout and adding.stdout.readline() == "ready\n"
        time.sleep(chance.random() * 0.06)  # not to wait for something: to kill at any point
        kill(lab)
        said, _ = adding.communicate(timeout=20)
        promised |= set(said.split())
        lab.start()
        is_whole(lab, room)
        assert promised <= vnics(lab).keys(), turn
        if turn % 4 == 3:
            for name in vnics(lab):
                ask(lab, "vnic/del", vnic=name)
            promised.clear()
            is_whole(lab, room)
    assert "Traceback" not in lab.log


_MANY = """
import json, socket, sys
print("ready", flush=True)
ways = [{"over": "br0"}, {"over": "base0", "netns": "web"}, {"over": "br0", "netns": "web"},
        {"over": "base0"}]
for number in range(12):
    try:
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(sys.argv[1])
            asked = {"id": 0, "method": "vnic/add", "params": [ways[number % 4]]}
            control.sendall(json.dumps(asked).encode())
            answer = b""
            while b"}" not in answer:
                more = control.recv(4096)
                if not more:
                    raise ConnectionResetError
                answer += more
            print(json.loads(answer)["result"], flush=True)
    except OSError:
        break
"""


def test_a_namespace_outlives_the_process_that_named_it(lab: Daemon) -> None:
    """Nothing in it is lost sight of, and what is deleted goes, also after a kill."""
    room = lab.room
    room.run("ip", "link", "add", "far", "type", "veth", "peer", "base")
    holder = room.start("sleep", "60", host="web")
    try:
        place = f"/proc/{holder.pid}/ns/net"
        web, mine = (room.run("readlink", each).stdout for each in (place, "/proc/self/ns/net"))
        assert web != mine
        for over in ("br0", "br0", "base", "base"):
            lab.do(f"vnic add --over {over} --netns {place}")
    finally:
        process.stop(holder)
    until(lambda: not Path(place).exists(), "the way there is closed")
    made = {"vnic0", "vnic1", "vnic2", "vnic3"}
    for _ in range(2):
        shown = vnics(lab)
        assert shown.keys() == made <= names(room, "web")
        assert {(each["state"], each["error"]) for each in shown.values()} == {("down", "")}
        kill(lab)
        lab.start()
    for name in ("vnic0", "vnic2"):
        lab.do(f"vnic del {name}")
    assert names(room, "web") == vnics(lab).keys() == {"vnic1", "vnic3"}
    room.run("ip", "netns", "del", "web")
    until(lambda: not vnics(lab), "they have gone with it")
    assert well(lab)


def test_a_missing_device_is_explained(lab: Daemon) -> None:
    room = lab.room
    lab.do("vnic add --netns web")
    assert vnics(lab)["vnic0"]["error"] == ""
    room.run("ip", "netns", "add", "other")
    room.run("ip", "link", "set", "vnic0", "netns", "other", host="web")
    shown = vnics(lab)["vnic0"]
    assert shown["state"] == "missing" and "not in that namespace" in shown["error"]


def test_what_another_hotswitch_has_is_left_to_it(real: Daemon, tmp_path: Path) -> None:
    """Neither a macvlan over its port, nor another name for that or for what it has made."""
    real.room.run("ip", "link", "add", "tap0", "type", "veth", "peer", "far0")
    real.room.run("ip", "link", "add", "eth0", "type", "veth", "peer", "far1")
    real.do("port add tap0 bridge br0")
    made = [real.do(f"vnic add --over {over}").strip() for over in ("br0", "eth0")]
    before = links(real.room)
    with Daemon(real.room, tmp_path / "other", kind=REAL) as other:
        for name in ("tap0", *made):
            said = other.refuse(f"link rename {name} mine")
            assert "another hotswitch" in said and "rename it there" in said
        for name in ("tap0", made[0]):
            assert "another hotswitch" in other.refuse(f"vnic add --over {name}")
        assert "another hotswitch" in other.refuse("vnic add --over tap0 --netns anna")
        # What has only a macvlan over it can have others.
        assert other.do("vnic add --over eth0 --name own").strip() == "own"
        other.do("vnic rename own mine")
        other.do("link rename far0 far")
        other.do("vnic del mine")
        other.do("link rename far far0")
        assert links(real.room).keys() == before.keys()
        # Its own it renames, also once it has them from an earlier life.
        real.do("link rename tap0 tap1")
        kill(real)
        assert "another hotswitch" in other.refuse("link rename tap1 mine")
        real.start()
        real.do("link rename tap1 tap2")
        real.do("port del tap0")
        other.do("link rename tap2 mine")
        other.do("shutdown --stop-forwarding")
    assert well(real)
