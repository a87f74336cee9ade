"""A daemon that is killed at a step of a request, and what must hold when the request comes again.

A step is a change of the kernel or of the journal (`tests.support.killed_at`).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.families.datapath import DATAPATH
from hotswitch.netlink.families.vport import INTERNAL, VPORT, VXLAN
from hotswitch.netlink.family import Family
from hotswitch.netlink.flags import ECHO
from hotswitch.netlink.message import Message
from tests.netlink.asked import new_datapath, new_vport
from tests.netlink.socket_client import SocketClient
from tests.support import process
from tests.support.daemon import Daemon
from tests.support.room import Room
from tests.support.wait import until

_DEVICES = ("p1", "p2")


def new_vxlan(name: str, port: int) -> Attributes:
    """A port of that kind, for a UDP port."""
    return new_vport(name, VXLAN, options=Attributes(destination_port=port))


REQUESTS: Mapping[str, tuple[Family, str, Attributes]] = {
    "add a device": (VPORT, "new", new_vport("p2")),
    "add an internal port": (VPORT, "new", new_vport("int1", INTERNAL)),
    "add a VXLAN port": (VPORT, "new", new_vxlan("vx1", 4790)),
    "let a device go": (VPORT, "del", Attributes(name="p1")),
    "delete an internal port": (VPORT, "del", Attributes(name="int0")),
    "delete a VXLAN port": (VPORT, "del", Attributes(name="vx0")),
    "set a port's pid": (VPORT, "set", Attributes(name="p1", upcall_pid=(7,))),
    "add a datapath": (DATAPATH, "new", new_datapath("dp2")),
    "delete a datapath": (DATAPATH, "del", Attributes(name="dp1")),
    "set a datapath's features": (DATAPATH, "set", Attributes(name="dp1", user_features=3)),
}
"""Requests to a server that has the datapath dp1 with the ports p1, int0 and vx0, and no p2."""


def said(answer: Message) -> Any:
    """What an answer says but for what is the machine's, or the traffic's."""
    numbers = ("ifindex", "statistics", "megaflow_statistics")
    return answer.command, [pair for pair in answer.attributes if pair[0] not in numbers]


class KillLab:
    """A daemon in a room. Each call of `killed_at` begins and ends without a datapath."""

    def __init__(self, room: Room, folder: Path) -> None:
        self._room = room
        self._file = folder / "killed"
        os.environ["KILLED_AT"] = str(self._file)
        room.run("ip", "link", "add", _DEVICES[0], "type", "veth", "peer", "name", _DEVICES[1])
        self.daemon = Daemon(room, folder / "run", kind="tests.support.killed_at")
        self.daemon.start()
        self._expected: dict[str, Any] = {}
        self._transactions = iter(range(1, 1 << 30))

    def killed_at(self, what: str, step: int) -> str:
        """Where it was killed; nothing if it came to its end before. AssertionError: a repeated
        request is not answered, or not done, as if it came for the first time."""
        if what not in self._expected:
            transaction, datapath = self._begin()
            answer = self._send(what, transaction, datapath)
            self._expected[what] = said(answer), self._state()
            self._clear()
        transaction, datapath = self._begin()
        where = self._kill(what, step, transaction, datapath)
        if where:
            self.daemon.start()
            assert self._send_said(what, transaction, datapath) == self._expected[what], where
            process.stop(self._process)
            self.daemon.start()
            assert self._send_said(what, transaction, datapath) == self._expected[what], where
        self._clear()
        assert "Traceback" not in self.daemon.log, where
        return where

    def close(self) -> None:
        """Kill the daemon."""
        process.stop(self._process)

    @property
    def _process(self) -> subprocess.Popen[str]:
        assert self.daemon.process
        return self.daemon.process

    def _client(self) -> SocketClient:
        return SocketClient(self.daemon.run_dir / "netlink.sock")

    def _begin(self) -> tuple[bytes, int]:
        """A transaction's identity, and the number of the datapath."""
        with self._client() as client:
            datapath = client.ask(DATAPATH, "new", new_datapath()).datapath
            for wanted in (new_vport("p1"), new_vport("int0", INTERNAL), new_vxlan("vx0", 4789)):
                client.ask(VPORT, "new", wanted, datapath=datapath)
        return next(self._transactions).to_bytes(8, "big"), datapath

    def _clear(self) -> None:
        with self._client() as client:
            for each in client.list(DATAPATH):
                client.ask(DATAPATH, "del", datapath=each.datapath)
            assert not client.list(DATAPATH)
        assert self._links() == dict.fromkeys(_DEVICES, 0)

    def _send(self, what: str, transaction: bytes, datapath: int) -> Message:
        family, command, asked = REQUESTS[what]
        asked += Attributes(transaction=transaction)
        number = 0 if family is DATAPATH else datapath
        with self._client() as client:
            return client.ask(family, command, asked, datapath=number, flags=ECHO)

    def _send_said(self, what: str, transaction: bytes, datapath: int) -> Any:
        return said(self._send(what, transaction, datapath)), self._state()

    def _kill(self, what: str, step: int, transaction: bytes, datapath: int) -> str:
        running = self._process
        step_file, counts = self._file.with_suffix(".step"), self._file.with_suffix(".counts")
        for file in (step_file, counts):
            file.unlink(missing_ok=True)
        self._file.write_text(str(step))
        running.send_signal(signal.SIGUSR2)
        until(counts.exists, "it counts")
        try:
            self._send(what, transaction, datapath)
        except OSError:
            running.wait(30)
            process.stop(running)
            return step_file.read_text()
        # It may still die of what it does later: that is no request's step.
        process.stop(running)
        self.daemon.start()
        return ""

    def _state(self) -> Any:
        """Everything but numbers of devices."""
        found: list[Any] = []
        with self._client() as client:
            for each in client.list(DATAPATH):
                features = each.attributes["user_features"]
                vports = client.list(VPORT, datapath=each.datapath)
                found.append((each.attributes["name"], features, sorted(map(_vport, vports))))
        return sorted(found), self._links()

    def _links(self) -> dict[str, int]:
        """The devices, and whether they take all frames."""
        shown = json.loads(self._room.run("ip", "-json", "-details", "link").stdout)
        return {each["ifname"]: each["promiscuity"] for each in shown if each["ifname"] != "lo"}


def _vport(vport: Message) -> Any:
    given = vport.attributes
    return given["name"], given["port"], given["type"], given.get("upcall_pid")
