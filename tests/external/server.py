"""Debian's ovsdb-server, what it takes to run one or three of them, and clients."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from tests.support import process
from tests.support.daemon import REFERENCE, Daemon
from tests.support.room import Room
from tests.support.wait import until

SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")


class OvsdbServer:
    """A real server in a room, with a database of its own; use it as a context manager.

    remotes: beside its Unix socket. schema: the database's; None: it is there already.
    """

    def __init__(
        self,
        room: Room,
        folder: Path,
        *remotes: str,
        options: tuple[str, ...] = (),
        schema: Path | None = SCHEMA,
        file: str = "conf.db",
    ) -> None:
        self.room = room
        self.file = folder / file
        self.socket = folder / f"{file}.sock"
        self.control = folder / f"{file}.ctl"
        self.process: subprocess.Popen[str] | None = None
        self._log = folder / f"{file}.log"
        listens = [f"--remote={each}" for each in (f"punix:{self.socket}", *remotes)]
        self._command = room.command(
            "ovsdb-server", str(self.file), *listens, f"--unixctl={self.control}", *options
        )
        if schema is not None:
            room.run("ovsdb-tool", "create", str(self.file), str(schema))

    def __enter__(self) -> OvsdbServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process:
            process.stop(self.process)

    def start(self) -> None:
        """Start it, after `kill` again."""
        for each in (self.socket, self.control):
            each.unlink(missing_ok=True)
        with self._log.open("a") as log:
            self.process = process.start(self._command, stderr=log)
        until(lambda: self.socket.exists() and self.control.exists(), "ovsdb-server listens")

    def kill(self) -> None:
        """Kill it."""
        assert self.process
        process.stop(self.process)

    def try_vsctl(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run ovs-vsctl, however it ends."""
        return vsctl(self.room, f"unix:{self.socket}", line)

    def vsctl(self, line: str) -> str:
        """Run ovs-vsctl, which must succeed without a word on standard error; what it printed."""
        done = self.try_vsctl(line)
        # What it says of columns that an older schema lacks is no matter of the daemon's.
        lines = done.stderr.splitlines(keepends=True)
        said = "".join(line for line in lines if "|ovsdb_idl|WARN|" not in line)
        if "Error detected" in said:
            said += self.try_vsctl("--columns=name,ofport,error list Interface").stdout
        assert done.returncode == 0 and not said, said
        return done.stdout.strip()


def vsctl(room: Room, remote: str, line: str) -> subprocess.CompletedProcess[str]:
    """Run ovs-vsctl, however it ends."""
    command = ["ovs-vsctl", "--timeout=20", f"--db={remote}", *line.split()]
    return room.run(*command, check=False)


def follower(room: Room, folder: Path, remote: str, *options: str, **more: Any) -> Daemon:
    """A daemon that follows what is at `remote`; without forwarding, unless `kind` is REAL."""
    kind = more.pop("kind", REFERENCE)
    name = more.pop("name", "run")
    return Daemon(room, folder / name, "--db", remote, *options, kind=kind)


def where(daemon: Daemon) -> tuple[str, str]:
    """The database that the daemon follows, and why it can't."""
    shown = daemon.ask("show")["database"]
    return shown["name"], shown["problem"]


def followed(daemon: Daemon) -> None:
    """Return when the daemon follows its database."""
    until(lambda: not where(daemon)[1], "the database is followed", 20)
