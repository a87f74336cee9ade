"""The daemon is killed at each step of an operation; then nothing is half done, or left.

    python -m tests.long.kills [OPERATION [EVERY]]

Begins with the first step and goes on to every (EVERY: 1) next one, until the operation comes to
its end; without OPERATION does all. After each kill the next daemon must not complain, a fresh plan
must be empty, and when what the operation made is deleted, no program, pin, clsact, device or
alternative name may be there. It takes a few seconds a step.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import process
from tests.support.daemon import Daemon, environment
from tests.support.room import Room
from tests.support.wait import until

DEVICES = ("eth0", "tap0", "tap1")
_LEFT = """
import json, os
from hotswitch.kernel.hooks import clsact, tcx
from hotswitch.kernel.links import list_links
for link in list_links():
    for egress in (False, True):
        for number in tcx.program_ids(link.index, egress=egress):
            print(link.name, "program", number)
        if clsact.find(link.index, egress=egress):
            print(link.name, "filter")
    for name in link.alternative_names:
        if "hotswitch" in name:
            print(link.name, name)
for folder, _, names in os.walk("/sys/fs/bpf/hotswitch"):
    for name in names:
        print(folder, name)
"""


@dataclass(frozen=True)
class Operation:
    """before: commands. kill: the command, or the line for ip, that the daemon dies in."""

    before: tuple[str, ...] = ()
    kill: str = ""
    ip: str = ""


OPERATIONS: Mapping[str, Operation] = {
    "facade-add": Operation(kill="bridge add br0 facade br0"),
    "facade-del": Operation(("bridge add br0 facade br0",), "bridge del br0"),
    "facade-none": Operation(("bridge add hs0 facade br0",), "bridge set hs0 facade none"),
    "enslave": Operation(("bridge add hs0 facade br0",), ip="link set eth0 master br0"),
    "macvlan-add": Operation(kill="vnic add --over eth0 --netns web --name v0"),
    "macvlan-del": Operation(("vnic add --over eth0 --netns web --name v0",), "vnic del v0"),
    "veth-add": Operation(("bridge add hs0",), "vnic add --over hs0 --netns web --name v0"),
    "veth-del": Operation(("bridge add hs0", "vnic add --over hs0 --name v0"), "vnic del v0"),
    "tap-add": Operation(("bridge add hs0",), "port add t0 bridge hs0 type tap"),
    "adopt": Operation(("bridge add hs0",), "bridge set hs0 adopt eth*"),
    "rename": Operation(("bridge add hs0", "port add eth0 bridge hs0"), "link rename eth0 lan0"),
    "follow": Operation(
        ("bridge add hs0", "port add eth0 bridge hs0"), ip="link set eth0 name lan0"
    ),
    "delete": Operation(("bridge add hs0", "port add eth0 bridge hs0"), "bridge del hs0"),
}


class Lab:
    """A switch with DEVICES, of which the taps are in a Linux bridge br0."""

    def __init__(self, room: Room, folder: Path) -> None:
        self._room = room
        self._file = folder / "killed"
        os.environ["KILLED_AT"] = str(self._file)
        room.run("ip", "netns", "add", "switch")
        self._make_devices()
        self._devices = self._names()
        self._daemon = Daemon(
            room, folder / "run", "--netns", "switch", kind="tests.support.killed_at"
        )

    def ip(self, line: str) -> str:
        return self._room.run("ip", *line.split(), host="switch").stdout

    def _make_devices(self) -> None:
        self.ip("link add br0 address 02:00:00:00:00:01 type bridge")
        self.ip("link set br0 up")
        for name in DEVICES:
            self.ip(f"link add {name} type veth peer name {name}p")
            self.ip(f"link set {name} up")
            self.ip(f"link set {name}p up")
            if name.startswith("tap"):
                self.ip(f"link set {name} master br0")

    def _names(self) -> set[str]:
        return {link["ifname"] for link in json.loads(self.ip("-json link"))}

    def killed_at(self, step: int, operation: Operation) -> str:
        """Where it was killed; nothing if it came to its end before."""
        room, daemon = self._room, self._daemon
        room.run("ip", "netns", "add", "web")
        daemon.start()
        for line in operation.before:
            daemon.do(line)
        self._kill(step, operation)
        where = self._step()
        written = len(daemon.log)
        daemon.start()
        process.stop(_running(daemon))
        assert not self._fresh_plan()["steps"], where
        daemon.start()
        said = daemon.log[written:]
        complains = any(word in said for word in ("ERROR", "WARNING", "Traceback"))
        assert not complains, f"{where}: {said}"
        self._undo()
        until(lambda: not self._left(), f"nothing is left after {where}")
        process.stop(_running(daemon))
        return where

    def _kill(self, step: int, operation: Operation) -> None:
        running = _running(self._daemon)
        for suffix in (".counts", ".step"):
            self._file.with_suffix(suffix).unlink(missing_ok=True)
        self._file.write_text(str(step))
        running.send_signal(signal.SIGUSR2)
        until(lambda: self._file.with_suffix(".counts").exists(), "it counts")
        if operation.ip:
            self.ip(operation.ip)
        else:
            self._daemon.hotswitch(*operation.kill.split())
        end = time.monotonic() + 2  # what is done later, such as attaching by tcx
        while running.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        process.stop(running)

    def _step(self) -> str:
        file = self._file.with_suffix(".step")
        return file.read_text() if file.exists() else ""

    def _fresh_plan(self) -> Any:
        line = [sys.executable, "-m", "tests.support.fresh_plan", str(self._daemon.run_dir)]
        looking = self._room.start(*line, "switch", env=environment(), stdout=subprocess.PIPE)
        said, _ = looking.communicate(timeout=60)
        assert looking.returncode == 0
        return json.loads(said)

    def _undo(self) -> None:
        for vnic in self._daemon.ask("vnic list"):
            self._daemon.do(f"vnic del {vnic['name']}")
        for bridge in self._daemon.ask("bridge list"):
            self._daemon.do(f"bridge del {bridge['name']}")
        if "lan0" in self._names():
            forget = "ip link property del dev lan0 altname eth0"
            self._room.run(*forget.split(), host="switch", check=False)
            self.ip("link set lan0 name eth0")
        self.ip("link set eth0 nomaster")
        self._room.run("ip", "netns", "del", "web")

    def _left(self) -> list[str]:
        path = f"PYTHONPATH={environment()['PYTHONPATH']}"
        done = self._room.run("env", path, sys.executable, "-c", _LEFT, host="switch")
        clsact = self._room.run("tc", "qdisc", "show", host="switch").stdout
        others = self._names() ^ self._devices
        return [
            *done.stdout.splitlines(),
            *others,
            *(line for line in clsact.splitlines() if "clsact" in line),
        ]


def _running(daemon: Daemon) -> subprocess.Popen[str]:
    assert daemon.process
    return daemon.process


def main() -> None:
    """Print each step, and stop at the first that leaves something."""
    names = sys.argv[1:2] or list(OPERATIONS)
    every = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    for name in names:
        with Room() as room, tempfile.TemporaryDirectory() as folder:
            lab, step = Lab(room, Path(folder)), 1
            while where := lab.killed_at(step, OPERATIONS[name]):
                print(name, step, where, flush=True)
                step += every


if __name__ == "__main__":
    main()
