"""`hotswitch events` and the daemon: followed, replayed, across restarts, with real devices."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from hotswitch.app.cli import events
from hotswitch.app.control.client import ControlClient
from hotswitch.app.events import differences
from hotswitch.app.events.document import reference
from hotswitch.app.events.feed import Feed
from hotswitch.app.events.kinds import KINDS
from hotswitch.app.methods.events import Wait, methods
from hotswitch.app.service import Service
from hotswitch.app.store import Whereabouts
from hotswitch.base.clock import ManualClock
from hotswitch.config.unheeded import Refused, Unheeded
from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import BUILT_IN
from hotswitch.switch.desired import Desired
from hotswitch.switch.switch import Switch
from tests.support import process
from tests.support.daemon import REAL, Daemon, command, environment
from tests.support.hosts import daemon_with_hosts
from tests.support.room import Room
from tests.support.wait import until
from tests.switch.fakes import FakeWorld
from tests.switch.wishes import bridge, desired

PAGE = Path(__file__).parents[2] / "docs" / "events.md"


class _NoStore:
    """Keeps nothing, and refuses nothing."""

    def whereabouts(self) -> Whereabouts:
        return Whereabouts("")

    def check(self) -> None:
        pass

    def unheeded(self) -> Unheeded:
        return Unheeded()

    def watch(self, changed: Callable[[], None]) -> None:
        pass

    async def discard(self, refused: Refused) -> None:
        pass

    async def clear(self, bridge: str, port: str, fields: Collection[str]) -> None:
        pass

    async def save(self, desired: Desired) -> None:
        pass


async def _never(_: bool) -> None:
    """Nobody ends it."""


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


def test_a_device_replaced_between_two_lives_is_told_as_gone_and_there(
    room: Room, tmp_path: Path
) -> None:
    """Only the real forwarding outlives its daemon, and tells which device a port had."""
    with Daemon(room, tmp_path / "run", kind=REAL) as daemon:
        daemon.do("bridge add br0")
        assert daemon.hotswitch("bridge", "set", "br0", "adopt", "zz* tag=5").returncode == 0
        for name in ("zz0", "zz1", "zz2"):
            room.run("ip", "tuntap", "add", name, "mode", "tap")
        database = daemon.run_dir / "conf.db"
        names = [f'"zz{number}"' for number in range(3)]
        until(lambda: all(each in database.read_text() for each in names), "they have rows")
        assert daemon.process
        daemon.process.kill()
        daemon.process.wait()
        for name in ("zz1", "zz2"):
            room.run("ip", "link", "del", name)
        for name in ("zz1", "zz3"):
            room.run("ip", "tuntap", "add", name, "mode", "tap")
        daemon.start()
        lines = daemon.do("events --no-follow --json").splitlines()
    found = [(each["event"], each.get("port")) for each in map(json.loads, lines)]
    assert found == [  # zz0 and zz3 were found so
        ("started", None),
        ("port-removed", "zz1"),
        ("port-removed", "zz2"),
        ("port-added", "zz1"),
        ("port-adopted", "zz1"),
    ]


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


def test_who_falls_behind_is_told_once_and_goes_on() -> None:
    async def work() -> None:
        switch = Switch(FakeWorld(Registry(BUILT_IN)), ManualClock())
        feed = Feed(switch, lambda: 1.0, capacity=8)
        begun = feed.last
        for turn in range(20):
            switch.set_desired(desired(bridge("br0", ageing_time=turn + 1)))
            feed.look()
        lost, *found = (await feed.wait(begun, "", 100, 0)).events
        assert (lost.what.kind, lost.what.fields["why"]) == ("lost", "overrun")
        assert lost.what.fields["count"] == lost.number - begun == feed.last - begun - 8
        assert [each.number for each in found] == list(range(lost.number + 1, feed.last + 1))
        again = await feed.wait(lost.number, "", 100, 0)
        assert list(again.events) == found
        assert (await feed.wait(again.next, "", 100, 0)).events == ()

    asyncio.run(work())


def test_readers_of_many_events_leave_turns_to_others() -> None:
    """However many ask at once, in between others are served."""
    readers, turns = 20, 0

    async def work() -> None:
        nonlocal turns
        switch = Switch(FakeWorld(Registry(BUILT_IN)), ManualClock())
        service = Service(switch, _NoStore(), Registry(BUILT_IN), ManualClock(), _never)
        for turn in range(200):
            switch.set_desired(desired(bridge("br0", ageing_time=turn + 1)))
            service.events.look()
        [method] = methods(service)

        async def read() -> int:
            asked = Wait(since=service.events.oldest)
            return len((await method.handler(asked))["events"])

        reading = asyncio.gather(*(read() for _ in range(readers)))
        while not reading.done():
            turns += 1
            await asyncio.sleep(0)
        assert min(reading.result()) > 200

    asyncio.run(work())
    assert turns >= readers


def test_a_loss_of_the_kernel_s_messages_is_told(daemon: Daemon, tmp_path: Path) -> None:
    daemon.room.run("ip", "link", "add", "tap0", "type", "veth", "peer", "far")
    daemon.room.run("ip", "link", "set", "far", "up")
    daemon.do("bridge add br0")
    daemon.do("port add tap0 bridge br0")
    many = tmp_path / "many"
    many.write_text("".join(f"link set far alias {number}\n" for number in range(8000)))
    with Reader(daemon, "--json") as reader:
        assert daemon.process
        daemon.process.send_signal(signal.SIGSTOP)
        try:
            daemon.room.run("ip", "-batch", str(many))
            daemon.room.run("ip", "link", "set", "tap0", "name", "eth7")
        finally:
            daemon.process.send_signal(signal.SIGCONT)
        found = [reader.next(), reader.next()]
        assert sorted(each["event"] for each in found) == ["overflow", "port-renamed"]
        assert [each["what"] for each in found if "what" in each] == ["links"]


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


def test_the_daemon_s_next_life_is_waited_for(daemon: Daemon) -> None:
    daemon.do("bridge add br0")
    with Reader(daemon, "--json") as reader:
        daemon.do("bridge set br0 ageing 60")
        last = reader.until("attribute-changed")["number"]
        for end in (signal.SIGKILL, signal.SIGTERM):
            assert daemon.process and reader.process.stderr
            daemon.process.send_signal(end)
            daemon.process.wait()
            said = reader.process.stderr.readline()
            assert said.startswith("hotswitch: lost the daemon at ")
            assert said.endswith(f"; waiting for it (at {last})\n")
            daemon.start()
            lost, started = reader.next(), reader.next()
            assert (lost["event"], lost["why"], lost["count"]) == ("lost", "restart", None)
            assert started["event"] == "started" and started["number"] > last
            last = started["number"]
        daemon.do("bridge set br0 ageing 70")
        assert reader.next()["new"] == 70
        daemon.do("shutdown")
        assert "waiting" in reader.process.stderr.readline()
        reader.process.send_signal(signal.SIGINT)
        assert reader.process.wait(10) in (0, 130)
        assert reader.process.stderr.read() == ""


def test_without_a_daemon_there_is_nothing_to_wait_for(daemon: Daemon) -> None:
    daemon.do("shutdown")
    assert "no daemon is running" in daemon.refuse("events")


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
    with daemon_with_hosts(room, tmp_path / "run") as daemon:
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
