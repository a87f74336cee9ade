"""Open vSwitch's own ovs-vswitchd, unmodified, with hotswitch for its `system` datapath."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.clients import shim
from tests.support import process
from tests.support.daemon import Daemon
from tests.support.room import Room
from tests.support.wait import until

PROGRAMS = ("ovs-vswitchd", "ovsdb-server", "ovsdb-tool", "ovs-vsctl", "ovs-ofctl", "ovs-appctl")
LONG = 60.0
"""Seconds. Each kind of flow that ovs-vswitchd tries at its start is compiled."""
_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


class Vswitch:
    """ovsdb-server and ovs-vswitchd in a room, all their files in one folder."""

    def __init__(self, room: Room, folder: Path) -> None:
        self.room = room
        self.folder = folder
        names = ("OVS_RUNDIR", "OVS_DBDIR", "OVS_LOGDIR", "OVS_SYSCONFDIR")
        self._environment = ["env", *(f"{name}={folder}" for name in names)]

    def run(self, *words: str) -> str:
        """Run one of Open vSwitch's commands; what it printed."""
        return self.room.run(*self._environment, "timeout", "60", *words).stdout

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start one of its daemons."""
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return self.room.start(*self._environment, *words, **quiet)

    @property
    def control(self) -> str:
        """The control socket of ovs-vswitchd."""
        return next(map(str, self.folder.glob("ovs-vswitchd*.ctl")), "")

    def reaches(self, address: str = "10.0.0.2") -> bool:
        """Whether h1 reaches another host."""
        words = ("ping", "-c", "1", "-W", "1", address)
        return self.room.run(*words, host="h1", check=False).returncode == 0

    def flows(self, *options: str) -> str:
        """The datapath's flows as ovs-vswitchd lists them."""
        return self.run("ovs-appctl", "-t", self.control, "dpctl/dump-flows", *options)


@contextlib.contextmanager
def vswitch(room: Room, tmp_path: Path) -> Iterator[Vswitch]:
    """Started in a room. Skips the test if the programs are not here."""
    built = shim.build(tmp_path, *PROGRAMS)
    folder = tmp_path / "ovs"
    folder.mkdir()
    with contextlib.ExitStack() as held:
        daemon = held.enter_context(Daemon(room, tmp_path / "run"))
        made = Vswitch(room, folder)
        made.run("ovsdb-tool", "create", str(folder / "conf.db"), _SCHEMA)
        database = f"unix:{folder}/db.sock"
        server = made.start("ovsdb-server", str(folder / "conf.db"), f"--remote=p{database}")
        held.callback(process.stop, server)
        until((folder / "db.sock").exists, "the database is served")
        made.run("ovs-vsctl", "--no-wait", "init")
        preload = shim.environment(built, daemon.run_dir)
        words = (*preload, "ovs-vswitchd", database, f"--log-file={folder}/vswitchd.log")
        held.callback(process.stop, made.start(*words))
        yield made
        assert "Traceback" not in daemon.log, daemon.log
