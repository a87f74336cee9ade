"""`hotswitch events` and the daemon: followed, replayed, across restarts, with real devices."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hotswitch.app.cli import events
from hotswitch.app.control.client import ControlClient
from hotswitch.app.events import differences
from hotswitch.app.events.document import reference
from hotswitch.app.events.kinds import KINDS
from hotswitch.app.events.ring import CAPACITY
from tests.support import process
from tests.support.daemon import REAL, Daemon, command, environment
from tests.support.room import Room
from tests.support.wait import until

PAGE = Path(__file__).parents[2] / "docs" / "events.md"


class Reader:
    """A running `hotswitch events`. Use it as a context manager; it listens when it is entered."""

    def __init__(self, daemon: Daemon, *words: str) -> None:
        self._line = daemon.room.command(*command("events", *words))
        self._variables = environment(HOTSWITCH_RUN_DIR=str(daemon.run_dir))
        self.begun: dict[str, Any] = {}

    def __enter__(self) -> Reader:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = process.start(self._line, env=self._variables, **pipes)
        if "--json" in self._line:
            self.begun = self.next()
        return self

    def __exit__(self, *_: object) -> None:
        process.stop(self.process)

    def line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline()

    def next(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.line())
        assert set(found) == {"number", "time", "event", *KINDS[found["event"]].fields}
        return found

    def until(self, kind: str, **fields: object) -> dict[str, Any]:
        """Read on until there is such an event."""
        while True:
            found = self.next()
            if found["event"] == kind and fields.items() <= found.items():
                return found


def test_events_come_as_they_happen_each_with_the_next_number(daemon: Daemon) -> None:
    with Reader(daemon, "--json") as reader:
        assert reader.begun["event"] == "listening"
        daemon.do("bridge add br0")
        daemon.do("port add tap0 bridge br0 --absent-ok")
        found = [reader.next() for _ in range(3)]
        assert [each["event"] for each in found] == ["bridge-added", "port-added", "port-added"]
        assert found[2].items() >= {"port": "tap0", "state": "waiting", "device": ""}.items()
        daemon.room.run("ip", "link", "add", "tap0", "type", "veth", "peer", "far")
        daemon.room.run("ip", "link", "set", "far", "up")
        reader.until("link-up", port="tap0", device="tap0")
        daemon.room.run("ip", "link", "set", "tap0", "name", "other")
        reader.until("port-renamed", port="tap0", old="tap0", new="other")
        daemon.do("port set tap0 tag 10")
        changed = reader.until("attribute-changed", port="tap0", attribute="tag")
        assert (changed["old"], changed["new"]) == (None, 10)
        daemon.room.run("ip", "link", "del", "other")
        assert len(reader.until("device-gone", device="other")["incarnation"]) == 16
        daemon.do("bridge del br0")
        last = reader.until("bridge-removed", bridge="br0")
    again = daemon.do(f"events --no-follow --json --since {reader.begun['number']}").splitlines()
    numbers = [json.loads(line)["number"] for line in again]
    assert numbers == list(range(reader.begun["number"] + 1, last["number"] + 1))


def test_a_device_is_adopted(daemon: Daemon) -> None:
    daemon.do("bridge add br0")
    assert daemon.hotswitch("bridge", "set", "br0", "adopt", "tap* tag=5").returncode == 0
    with Reader(daemon, "--json") as reader:
        daemon.room.run("ip", "link", "add", "tap7", "type", "veth", "peer", "far")
        assert reader.until("port-added", port="tap7")["device"] == "tap7"
        assert reader.until("port-adopted", port="tap7")["bridge"] == "br0"


def test_a_line_can_be_cut_by_other_programs(daemon: Daemon) -> None:
    daemon.do("bridge add br0")
    daemon.do("port add tap0 bridge br0 --absent-ok")
    daemon.do("port set tap0 metadata vm-id=web")
    lines = daemon.do("events --no-follow").splitlines()
    assert re.fullmatch(r"\d+ \d{4}-\d\d-\d\dT[\d:.]+Z started version=\S+", lines[0])
    metadata = r'.* attribute-changed bridge=br0 port=tap0 attribute=metadata old=\{\} new="\S+"'
    assert any(re.fullmatch(metadata, line) for line in lines)
    assert any(re.fullmatch(r".* port-added .* state=waiting device=-", line) for line in lines)


def test_one_bridge_can_be_followed(daemon: Daemon) -> None:
    assert "no bridge br1" in daemon.refuse("events bridge br1")
    daemon.do("bridge add br1")
    with Reader(daemon, "bridge", "br1", "--json") as reader:
        daemon.do("bridge add br0")
        daemon.do("port add tap0 bridge br0 --absent-ok")
        daemon.do("bridge set br1 ageing 60")
        assert reader.next()["attribute"] == "ageing_time"


def test_what_is_refused_and_taken_back_is_no_event(daemon: Daemon) -> None:
    daemon.do("bridge add br0")
    before = daemon.do("events --no-follow")
    daemon.refuse("port add nothing bridge br0")
    assert daemon.do("events --no-follow") == before


def test_a_number_from_before_a_restart_is_answered_so(daemon: Daemon) -> None:
    daemon.do("bridge add br0")
    old = json.loads(daemon.do("events --no-follow --json").splitlines()[-1])["number"]
    assert daemon.process
    daemon.process.kill()
    daemon.process.wait()
    daemon.start()
    lines = daemon.do(f"events --no-follow --json --since {old}").splitlines()
    lost, started = map(json.loads, lines)  # what was there already is no event
    assert (lost["event"], lost["count"], lost["why"]) == ("lost", None, "restart")
    assert started["event"] == "started" and started["number"] == lost["number"] + 1 > old
    assert (
        daemon.do(f"events --no-follow --json --since {lost['number']}").splitlines() == lines[1:]
    )


def test_who_falls_behind_is_told_once_and_goes_on(daemon: Daemon) -> None:
    daemon.do("bridge add br0")
    daemon.do("port add down bridge br0 type patch peer up")
    begun = json.loads(daemon.do("events --no-follow --json").splitlines()[0])["number"]
    two = [
        {"tag": at, "trunks": [at], "storm_limit": at, "number": at, "peer": f"up{at}"}
        | {"mode": mode, "metadata": {"turn": str(at)}, "hook": hook}
        for at, mode, hook in ((1, "trunk", "xdp"), (2, "access", "tcx"))
    ]
    with ControlClient(daemon.run_dir / "ctl.sock") as client:
        for turn in range(CAPACITY // 8 + 10):
            client.call("port/set", name="down", **two[turn % 2])
    lines = daemon.do(f"events --no-follow --json --since {begun}").splitlines()
    found = [json.loads(line) for line in lines]
    assert (found[0]["event"], found[0]["why"]) == ("lost", "overrun")
    assert found[0]["count"] == found[0]["number"] - begun
    first = found[0]["number"]
    assert [each["number"] for each in found] == list(range(first, first + CAPACITY + 1))


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_it_ends_quietly(daemon: Daemon, words: tuple[str, ...]) -> None:
    with Reader(daemon, *words) as reader:
        if not words:
            assert reader.line().split()[2] == "listening"
        reader.process.send_signal(signal.SIGINT)
        assert reader.process.wait(10) in (0, 130)
        assert reader.process.stderr and reader.process.stderr.read() == ""


def test_a_reader_of_the_output_that_leaves_ends_it_though_nothing_happens(daemon: Daemon) -> None:
    with Reader(daemon, "--json") as reader:
        assert reader.process.stdout
        reader.process.stdout.close()
        reader.process.stdout = None
        assert reader.process.wait(15) == 0
        assert reader.process.stderr and reader.process.stderr.read() == ""


def test_the_daemon_s_end_is_told(daemon: Daemon) -> None:
    with Reader(daemon, "--json") as reader:
        daemon.do("shutdown")
        assert reader.process.wait(10) == 1
        assert reader.process.stderr and "lost the daemon" in reader.process.stderr.read()


def test_wrong_parameters_are_refused(daemon: Daemon) -> None:
    for line in ("events --since -1", "events --since x", "events bridge", "events --since 1e9"):
        done = daemon.hotswitch(*line.split())
        assert done.returncode == 2 and done.stderr.count("\n") == 1
    with ControlClient(daemon.run_dir / "ctl.sock") as client:
        for wrong in ({"since": -1}, {"timeout": 1e9}, {"limit": 0}, {"since": 1 << 63}):
            with pytest.raises(Exception, match="events/wait"):
                client.call("events/wait", **wrong)


@pytest.fixture
def lab(room: Room, tmp_path: Path) -> Iterator[Daemon]:
    """Two hosts at a bridge that forwards, and a third device without."""
    room.run("ip", "netns", "add", "switch")
    for host, device, address in (("anna", "tap0", "10.0.0.1"), ("ben", "tap1", "10.0.0.2")):
        room.add_host(host, device, f"{address}/24")
        room.run("ip", "link", "set", device, "netns", "switch")
        room.run("ip", "link", "set", device, "up", host="switch")
    with Daemon(room, tmp_path / "run", "--netns", "switch", kind=REAL) as daemon:
        daemon.do("bridge add br0")
        yield daemon


def test_addresses_are_learned_move_and_are_forgotten(lab: Daemon) -> None:
    mac = lab.room.run("cat", "/sys/class/net/eth0/address", host="anna").stdout.strip()
    with Reader(lab, "--json") as reader:
        lab.do("port add tap0 bridge br0")
        lab.do("port add tap1 bridge br0")
        ping = ["ping", "-c", "3", "-i", "0.05", "-w", "3", "10.0.0.2"]
        until(lambda: not lab.room.run(*ping, host="anna", check=False).returncode, "they talk")
        learned = reader.until("address-learned", mac=mac)
        assert learned["port"] == "tap0" and learned["vlan"] == 0
        ben = lab.room.run("cat", "/sys/class/net/eth0/address", host="ben").stdout.strip()
        for host, address in (("anna", ben), ("ben", mac)):
            lab.room.run("ip", "link", "set", "eth0", "address", address, host=host)
        lab.room.run("ping", "-c", "1", "-w", "1", "10.0.0.1", host="ben", check=False)
        moved = reader.until("address-moved", mac=mac)
        assert (moved["old"], moved["port"]) == ("tap0", "tap1")
        for host in ("anna", "ben"):
            lab.room.run("ip", "link", "set", "eth0", "down", host=host)
        lab.do("fdb flush")
        reader.until("address-forgotten", mac=mac)


def test_the_page_lists_every_event() -> None:
    _, begun, rest = PAGE.read_text().partition("<!-- python -m hotswitch.app.events -->\n")
    table, ended, _ = rest.partition("<!-- end -->")
    assert begun and ended
    assert table == reference(), "run python -m hotswitch.app.events and paste it in"


def test_every_event_is_made_somewhere() -> None:
    sources = "".join(
        path.read_text()
        for folder in (Path(differences.__file__).parent, Path(events.__file__).parent)
        for path in folder.glob("*.py")
        if path.name != "kinds.py"
    )
    assert [name for name in KINDS if f'"{name}"' not in sources] == []
