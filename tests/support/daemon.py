"""A daemon in a room, and commands to it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.support import process
from tests.support.room import Room
from tests.support.wait import until

_UNIX, _DATAGRAM = socket.AF_UNIX, socket.SOCK_DGRAM

REFERENCE = "tests.support.reference_daemon"
REAL = "hotswitch.app.daemon"

_ROOT = Path(__file__).parents[2]
_COMMAND = "import sys; from hotswitch.app.cli import main; main()"


def environment(**more: str) -> dict[str, str]:
    """For children that import hotswitch and the tests' helpers from this checkout."""
    path = f"{_ROOT / 'src'}:{_ROOT}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOTSWITCH")}
    return {**kept, "PYTHONPATH": path, **more}


def command(*words: str) -> list[str]:
    """The command line that runs `hotswitch`."""
    return [sys.executable, "-c", _COMMAND, *words]


def hotswitch(
    room: Room | None, run_dir: Path, *words: str, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run the command `hotswitch` and wait."""
    line = command(*words)
    return subprocess.run(
        room.command(*line) if room else line,
        env=environment(HOTSWITCH_RUN_DIR=str(run_dir), **more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


class Daemon:
    """hotswitchd for one run directory; use it as a context manager.

    kind: REAL or REFERENCE.
    """

    def __init__(self, room: Room, run_dir: Path, *options: str, kind: str = REAL) -> None:
        self.room = room
        self.run_dir = run_dir
        self._options = options
        self.kind = kind
        self._log = run_dir.with_name(run_dir.name + ".log")
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Daemon:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process:
            process.stop(self.process)

    def command(self, *options: str) -> list[str]:
        """The command line that starts a daemon for the run directory."""
        program = [
            sys.executable,
            "-X",
            "faulthandler",
            "-m",
            self.kind,
            "--run-dir",
            str(self.run_dir),
        ]
        return self.room.command(*program, *self._options, *options)

    @property
    def log(self) -> str:
        """What all its lives have written to standard error."""
        return self._log.read_text()

    def start(self) -> str:
        """Start it and wait until it says that it is ready; what it said."""
        # A path: abstract addresses belong to a network namespace.
        with tempfile.TemporaryDirectory() as folder, socket.socket(_UNIX, _DATAGRAM) as ear:
            address = f"{folder}/notify"
            ear.bind(address)
            ear.setblocking(False)
            with self._log.open("a") as log:
                self.process = process.start(
                    self.command(), env=environment(NOTIFY_SOCKET=address), stderr=log
                )
            try:
                return until(lambda: self._heard(ear), "the daemon is ready", 60)
            except AssertionError as error:
                raise AssertionError(f"{error}\n{self._whereabouts()}") from None

    def _whereabouts(self) -> str:
        """Where a daemon that does not come to its end hangs; it is ended."""
        assert self.process
        if self.process.poll() is not None:
            return self.log
        said = [f"load {os.getloadavg()}"]
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            for each in ("comm", "schedstat", "wchan", "syscall", "stack"):
                with suppress(OSError):
                    said.append(f"{task.name} {each}: {(task / each).read_text().strip()}")
        self.process.send_signal(signal.SIGABRT)  # faulthandler says where its threads are
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        return "\n".join([*said, self.log[-8000:]])

    def _heard(self, ear: socket.socket) -> str:
        assert self.process and self.process.poll() is None, self.log
        try:
            said = ear.recv(4096).decode()
        except BlockingIOError:
            return ""
        assert "READY=1" in said
        return said

    def hotswitch(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command to it, however it ends."""
        return hotswitch(self.room, self.run_dir, *words)

    def do(self, line: str) -> str:
        """Run a command that must succeed; what it printed."""
        done = self.hotswitch(*line.split())
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout

    def ask(self, line: str) -> Any:
        """Run a command with --json that must succeed; what it printed, decoded."""
        return json.loads(self.do(f"--json {line}"))

    def refuse(self, line: str) -> str:
        """Run a command that must fail; its error, which is one line."""
        done = self.hotswitch(*line.split())
        assert done.returncode == 1, done
        assert done.stdout == "" and done.stderr.count("\n") == 1
        assert done.stderr.startswith("hotswitch: ")
        return done.stderr

    def appctl(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run Open vSwitch's own client of the control socket, however it ends."""
        socket = str(self.run_dir / "ctl.sock")
        return self.room.run("ovs-appctl", "-T", "30", "-t", socket, *line.split(), check=False)

    def texts(self, line: str) -> str:
        """Run it with a command that must succeed; what it printed."""
        done = self.appctl(line)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        return done.stdout
