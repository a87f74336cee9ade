"""Database servers: the real one, and hotswitch's, each with a new file whenever it is started."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import lab
from bench.child import FIRST
from bench.errors import BenchError
from bench.process import started

_SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
_DISK = Path("/var/tmp")
"""Where files are: what is in /run is often not on a disk."""


@dataclass(frozen=True)
class Server:
    """A server that listens on a Unix socket; its process."""

    socket: Path
    process: int


@dataclass(frozen=True)
class Servers:
    """start: a server with nothing in its database. Raises BenchError."""

    start: Callable[[], AbstractContextManager[Server]]


def why_not() -> str:
    """A reason why the real one can't be measured here, or nothing."""
    if not shutil.which("ovsdb-server") or not _SCHEMA.exists():
        return "openvswitch-switch is not installed"
    return ""


@contextmanager
def ovsdb_server(_: str) -> Iterator[Servers]:
    """Open vSwitch's, with its own schema file."""

    def command(folder: Path, socket: Path) -> Sequence[str]:
        database = folder / "conf.db"
        lab.run("ovsdb-tool", "create", str(database), str(_SCHEMA))
        control = f"--unixctl={folder}/ctl"
        quiet = ("-vconsole:off", "-vsyslog:off", "-vfile:off")
        return ["ovsdb-server", str(database), f"--remote=punix:{socket}", control, *quiet]

    yield Servers(lambda: _server(command))


@contextmanager
def hotswitch_ovsdb(_: str) -> Iterator[Servers]:
    """hotswitch's, by itself: in the daemon it shares a process with the control plane."""

    def command(folder: Path, socket: Path) -> Sequence[str]:
        server = [sys.executable, "-m", "hotswitch.ovsdb", str(folder / "conf.db")]
        return [*server, "--remote", f"punix:{socket}", "--run-dir", str(folder)]

    yield Servers(lambda: _server(command))


@contextmanager
def _server(command: Callable[[Path, Path], Sequence[str]]) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(dir=_DISK, prefix="hotswitch-bench-") as name:
        folder = Path(name)
        socket = folder / "db.sock"
        try:
            words = [*FIRST, *command(folder, socket)]
        except subprocess.SubprocessError as error:
            raise BenchError(f"no database file: {error}") from error
        with started(words) as running:
            lab.until(socket.exists, "the database server listens")
            yield Server(socket, running.pid)
