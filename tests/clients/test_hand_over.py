"""One database, first of the real Open vSwitch, then of hotswitch, then of Open vSwitch again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients import peers
from tests.clients.peers import Switch
from tests.support import process
from tests.support.daemon import REAL, Daemon
from tests.support.room import Room
from tests.support.wait import until

pytestmark = pytest.mark.skipif(not peers.AVAILABLE, reason="no Open vSwitch here")

_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


class Host:
    """A host with a database, and either switch on it."""

    def __init__(self, room: Room, folder: Path) -> None:
        self.room = room
        self._file, self._socket = folder / "conf.db", folder / "db.sock"
        variables = {each: str(folder) for each in ("OVS_RUNDIR", "OVS_DBDIR", "OVS_LOGDIR")}
        self._environment = {**os.environ, **variables}
        self._running: list[subprocess.Popen[str]] = []
        self.hotswitch = Daemon(room, folder / "run", "--db", str(self._file), kind=REAL)
        self.vsctl = Switch(room, self._socket, folder).vsctl
        room.run("ovsdb-tool", "create", str(self._file), _SCHEMA)

    def start_open_vswitch(self) -> None:
        for line in (
            ["ovsdb-server", str(self._file), f"--remote=punix:{self._socket}"],
            ["ovs-vswitchd", f"unix:{self._socket}", "--pidfile"],
        ):
            command = self.room.command(*line)
            self._running.append(
                process.start(command, env=self._environment, stderr=subprocess.DEVNULL)
            )
            until(self._socket.exists, "ovsdb-server listens")
            self.room.run("ovs-vsctl", f"--db=unix:{self._socket}", "--no-wait", "init")

    def exit_open_vswitch(self) -> None:
        line = ["ovs-appctl", "-t", "ovs-vswitchd", "exit", "--cleanup"]
        subprocess.run(self.room.command(*line), env=self._environment, check=True, timeout=30)
        self._running[-1].wait(30)
        self.kill_open_vswitch()

    def kill_open_vswitch(self) -> None:
        for each in self._running:
            process.stop(each)
        self._running.clear()
        self._socket.unlink(missing_ok=True)

    def devices(self) -> set[str]:
        lines = self.room.run("ip", "-br", "link").stdout.splitlines()
        return {line.split()[0].partition("@")[0] for line in lines}


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Room() as room:
        made = Host(room, tmp_path)
        try:
            made.start_open_vswitch()
            made.vsctl("add-br br0 -- set bridge br0 datapath_type=netdev")
            made.vsctl("add-port br0 in0 tag=10 -- set interface in0 type=internal")
            yield made
        finally:
            made.kill_open_vswitch()


def test_a_database_goes_to_hotswitch_and_back(host: Host) -> None:
    host.exit_open_vswitch()
    assert host.devices() == {"lo"}
    with host.hotswitch as hotswitch:
        ports = {each["name"]: (each["tag"], each["reason"]) for each in hotswitch.ask("port list")}
        assert ports.keys() == {"br0", "in0"} and ports["in0"][0] == 10
        assert "did not make" not in str(ports)
        hotswitch.do("shutdown --stop-forwarding")
        assert host.devices() == {"lo"}
    host.start_open_vswitch()
    until(lambda: {"br0", "in0"} <= host.devices(), "Open vSwitch has them again")
    assert host.vsctl("get Interface br0 error -- get Interface in0 error").split() == ["[]", "[]"]


def test_what_an_open_vswitch_leaves_is_in_the_way_until_it_is_deleted(host: Host) -> None:
    host.kill_open_vswitch()
    assert {"br0", "in0"} <= host.devices()
    with host.hotswitch as hotswitch:
        for name in ("br0", "in0"):
            said = hotswitch.ask(f"port show {name}")["error"]
            assert "did not make (ovs-appctl exit --cleanup" in said
            assert f"ip link del {name}" in said
            host.room.run("ip", "link", "del", name)
        until(
            lambda: not any(each["error"] for each in hotswitch.ask("port list")), "they are made"
        )
