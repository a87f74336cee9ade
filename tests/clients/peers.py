"""hotswitch and the real Open vSwitch, each in a room of its own, and ovs-vsctl to either."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support import process
from tests.support.daemon import REFERENCE, Daemon
from tests.support.room import Room
from tests.support.wait import until

AVAILABLE = all(map(shutil.which, ("ovs-vsctl", "ovsdb-server", "ovs-vswitchd")))

_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


@dataclass(frozen=True)
class Said:
    """How a command ended and what it printed."""

    status: int
    output: str
    errors: str


@dataclass(frozen=True)
class Switch:
    """A switch that ovs-vsctl reaches.

    folder: for what a test wants to keep beside it.
    """

    room: Room
    socket: Path
    folder: Path

    def try_vsctl(self, line: str) -> Said:
        """Run ovs-vsctl, however it ends; `line` is split as a shell would."""
        command = ["ovs-vsctl", "--timeout=20", f"--db=unix:{self.socket}", *shlex.split(line)]
        done = subprocess.run(
            self.room.command(*command),
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
            cwd=self.folder,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def vsctl(self, line: str) -> str:
        """Run ovs-vsctl, which must succeed without a word on standard error; what it printed."""
        said = self.try_vsctl(line)
        assert said.status == 0 and not said.errors, (line, said)
        return said.output.strip()

    def add_taps(self, *names: str) -> None:
        """Devices to take for ports."""
        for name in names:
            self.room.run("ip", "tuntap", "add", name, "mode", "tap")


@contextlib.contextmanager
def hotswitch(folder: Path, kind: str = REFERENCE) -> Iterator[Switch]:
    """hotswitchd in a new room; with REFERENCE it has no forwarding in the kernel."""
    with Room() as room, Daemon(room, folder / "run", kind=kind):
        yield Switch(room, folder / "run" / "db.sock", folder)


@contextlib.contextmanager
def open_vswitch(folder: Path) -> Iterator[Switch]:
    """The real ovsdb-server and ovs-vswitchd in a new room.

    Without Open vSwitch's kernel module its bridges need datapath_type=netdev.
    """
    variables = {f"OVS_{each}": str(folder) for each in ("RUNDIR", "DBDIR", "LOGDIR", "SYSCONFDIR")}
    environment = {**os.environ, **variables}
    file, socket = folder / "conf.db", folder / "db.sock"
    with Room() as room, contextlib.ExitStack() as running:

        def start(*command: str) -> None:
            started = process.start(
                room.command(*command), env=environment, stderr=subprocess.DEVNULL
            )
            running.callback(process.stop, started)

        room.run("ovsdb-tool", "create", str(file), _SCHEMA)
        remotes = [f"punix:{socket}", "db:Open_vSwitch,Open_vSwitch,manager_options"]
        start("ovsdb-server", str(file), *(f"--remote={each}" for each in remotes))
        until(socket.exists, "ovsdb-server listens")
        room.run("ovs-vsctl", "--no-wait", f"--db=unix:{socket}", "init")
        start("ovs-vswitchd", f"unix:{socket}")
        switch = Switch(room, socket, folder)
        until(lambda: switch.try_vsctl("get Open_vSwitch . cur_cfg").status == 0, "it answers")
        yield switch
