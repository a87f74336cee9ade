"""hotswitch as a person runs it: the daemon, and its command line."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from bench import lab
from bench.errors import BenchError
from bench.process import started
from bench.subjects.plain import take_redirected
from bench.subjects.subject import Running
from hotswitch.model.port import Hook

_ROOT = Path(__file__).parents[2]
_DAEMON = (sys.executable, "-m", "hotswitch.app.daemon")
_COMMAND = (sys.executable, "-c", "from hotswitch.app.cli import main; main()")
_SLOWEST_START = 60.0
VLAN = 10


def with_hook(hook: Hook) -> Callable[[str], AbstractContextManager[Running]]:
    """A bridge with learning and VLANs, whose two access ports have this hook."""

    @contextmanager
    def start(name: str) -> Iterator[Running]:
        pair = lab.switched_pair(name)
        if hook is Hook.XDP:
            take_redirected(pair)
        with ExitStack() as cleanup:
            folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(dir="/run")))
            cleanup.callback(stop_forwarding, folder, pair.switch)
            daemon = cleanup.enter_context(daemon_in(folder, pair.switch))
            command(folder, "bridge", "add", "br0")
            for near in lab.NEAR:
                words = f"port add {near} bridge br0 tag {VLAN} hook {hook.value}"
                command(folder, *words.split())
            yield Running(pair, (pair.switch, lab.NEAR[0]), (daemon.pid,))

    return start


def environment(**more: str) -> dict[str, str]:
    """For programs that import hotswitch from this checkout."""
    kept = {name: value for name, value in os.environ.items() if name != "HOTSWITCH_RUN_DIR"}
    path = ":".join(filter(None, (str(_ROOT / "src"), os.environ.get("PYTHONPATH", ""))))
    return {**kept, "PYTHONPATH": path, **more}


def command(folder: Path, *words: str) -> str:
    """A hotswitch command to the daemon of this run directory. Raises BenchError."""
    return lab.run(*_COMMAND, "--run-dir", str(folder / "run"), *words, environment=environment())


def stop_forwarding(folder: Path, namespace: str) -> None:
    """End what a daemon of this run directory has left in the kernel."""
    words = ("--run-dir", str(folder / "run"), "--netns", namespace, "--cleanup")
    lab.run(*_DAEMON, *words, environment=environment())


@contextmanager
def daemon_in(folder: Path, namespace: str) -> Iterator[subprocess.Popen[bytes]]:
    """hotswitchd in a namespace, ready; killed at the end. Raises BenchError."""
    with ready_daemon(folder, namespace) as (running, _):
        yield running


@contextmanager
def ready_daemon(
    folder: Path, namespace: str, words: Sequence[str] = ()
) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """The same, and the seconds until it said that it is ready."""
    address, log = folder / "notify", folder / "log"
    address.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(address))
        ear.settimeout(0.05)
        began = time.monotonic()
        line = [*_DAEMON, "--run-dir", str(folder / "run"), "--netns", namespace, *words]
        with started(line, environment(NOTIFY_SOCKET=str(address)), log) as running:
            _wait_until_ready(running, ear, log)
            yield running, time.monotonic() - began


def _wait_until_ready(running: subprocess.Popen[bytes], ear: socket.socket, log: Path) -> None:
    deadline = time.monotonic() + _SLOWEST_START
    while True:
        try:
            if b"READY=1" in ear.recv(4096):
                return
        except TimeoutError:
            told = log.read_text().strip().splitlines()
            if running.poll() is not None:
                raise BenchError(f"hotswitchd ended: {told[-1] if told else ''}") from None
            if time.monotonic() > deadline:
                raise BenchError("hotswitchd is not ready") from None
