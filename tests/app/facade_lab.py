"""A Linux bridge that is a facade, with real hosts, in a room with the real daemon."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.daemon import REAL, Daemon, environment
from tests.support.room import Room
from tests.support.wait import until

SWITCH = "switch"
ADDRESSES = {"anna": "10.0.0.1", "ben": "10.0.0.2", "carl": "10.0.0.3", SWITCH: "10.0.0.254"}
DEVICES = {"anna": "tap0", "ben": "tap1", "carl": "eth9"}
_PROGRAMS = """
import sys
from hotswitch.kernel.hooks import clsact, tcx
from hotswitch.kernel.probe import TCX
index = int(sys.argv[1])
for egress in (False, True):
    ids = tcx.program_ids(index, egress=egress) if TCX else ()
    print(*ids, clsact.find(index, egress=egress) or "")
"""


class FacadeLab:
    """Hosts anna, ben and carl; their devices are tap0, tap1 and eth9, in no bridge at first.

    The Linux bridge br0 is there and up, with an address. Its namespace is the daemon's.
    """

    def __init__(self, room: Room, daemon: Daemon) -> None:
        self.room = room
        self.daemon = daemon

    def ip(self, line: str) -> str:
        return self.room.run("ip", *line.split(), host=SWITCH).stdout

    def brctl(self, line: str) -> str:
        return self.room.run("brctl", *line.split(), host=SWITCH).stdout

    def bridge(self, line: str) -> Any:
        return json.loads(self.room.run("bridge", "-j", *line.split(), host=SWITCH).stdout)

    def link(self, name: str) -> Any:
        (link,) = json.loads(self.ip(f"-j -d link show {name}"))
        return link

    def vsctl(self, line: str) -> str:
        options = ["--timeout=20", f"--db=unix:{self.daemon.run_dir}/db.sock"]
        return self.room.run("ovs-vsctl", *options, *line.split()).stdout

    def add_bridge(self, name: str, options: str = "") -> None:
        """A Linux bridge, up; it keeps its address, whatever its slaves are."""
        number = sum(name.encode()) & 0xFF
        self.ip(f"link add {name} address 02:00:00:00:01:{number:02x} type bridge {options}")
        self.ip(f"link set {name} up")

    def add_host(self, name: str) -> None:
        device = DEVICES[name]
        self.room.add_host(name, device, f"{ADDRESSES[name]}/24")
        self.room.run("ip", "link", "set", device, "netns", SWITCH)
        self.ip(f"link set {device} up")

    def enslave(self, *devices: str, master: str = "br0") -> None:
        for each in devices:
            self.ip(f"link set {each} master {master}")

    def ports(self, bridge: str) -> dict[str, str]:
        """The states by port, without the local one; both worlds' commands tell the same."""
        rows = self.daemon.ask(f"port list bridge {bridge}")
        mine = {each["name"]: str(each["state"]) for each in rows if each["name"] != bridge}
        same = mine.keys() == set(self.vsctl(f"list-ports {bridge}").split())
        return mine if same else {"not": "the same"}

    def has(self, *ports: str, bridge: str = "br0") -> None:
        """Wait until the bridge has these ports and no others, all of them forwarding."""
        wanted = dict.fromkeys(ports, "forwarding")
        until(lambda: self.ports(bridge) == wanted, f"{bridge} has {ports}")

    def state(self, port: str) -> str:
        return str(self.daemon.ask(f"port show {port}")["state"])

    def error(self, port: str) -> str:
        return str(self.daemon.ask(f"port show {port}")["error"])

    def reaches(self, source: str, target: str) -> bool:
        """Three pings, none of them lost or doubled."""
        line = ["ping", "-c", "3", "-i", "0.05", "-w", "3", ADDRESSES[target]]
        done = self.room.run(*line, host=source, check=False)
        return done.returncode == 0 and "3 received" in done.stdout and "DUP" not in done.stdout

    def is_hooked(self, device: str) -> bool:
        """Whether a program is attached to the device, or what one needs is there."""
        if "clsact" in self.room.run("tc", "qdisc", "show", "dev", device, host=SWITCH).stdout:
            return True
        index = self.link(device)["ifindex"]
        line = [sys.executable, "-c", _PROGRAMS, str(index)]
        done = self.room.run(
            "env", *(f"{key}={value}" for key, value in _path().items()), *line, host=SWITCH
        )
        return bool(done.stdout.strip())

    def is_free(self, *devices: str) -> None:
        """Wait until nothing is attached: the kernel takes programs away a little later."""
        for each in devices:
            until(lambda each=each: not self.is_hooked(each), f"{each} is free")  # type: ignore[misc]

    def forget(self) -> None:
        """Have the Linux bridge forget what it learned before its slaves were ports."""
        self.ip("link set br0 type bridge fdb_flush")

    def learned(self, bridge: str = "br0") -> list[Any]:
        """What the Linux bridge itself has learned."""
        return [
            row for row in self.bridge(f"fdb show br {bridge}") if row.get("state") != "permanent"
        ]

    def kill(self) -> None:
        """kill -9."""
        assert self.daemon.process
        self.daemon.process.kill()
        self.daemon.process.wait()


def _path() -> dict[str, str]:
    return {"PYTHONPATH": environment()["PYTHONPATH"]}


@contextmanager
def facade_lab(room: Room, folder: Path) -> Iterator[FacadeLab]:
    """The lab, with a daemon that has no bridge yet."""
    room.run("ip", "netns", "add", SWITCH)
    with Daemon(room, folder / "run", "--netns", SWITCH, kind=REAL) as daemon:
        lab = FacadeLab(room, daemon)
        lab.add_bridge("br0")
        lab.ip(f"address add {ADDRESSES[SWITCH]}/24 dev br0")
        for name in DEVICES:
            lab.add_host(name)
        yield lab
        log = daemon.log
    assert "ERROR" not in log and "Traceback" not in log, log
