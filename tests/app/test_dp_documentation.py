"""The session of `hotswitch dp` in docs/netlink.md, between two hosts."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import process
from tests.support.daemon import Daemon, command, environment
from tests.support.room import Room

PAGE = Path(__file__).parents[2] / "docs" / "netlink.md"
SESSIONS = re.findall(r"^```console\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


def steps(session: str) -> list[tuple[str, str]]:
    """Commands, and what they print."""
    found = []
    for step in session.split("$ ")[1:]:
        line, _, printed = step.partition("\n")
        found.append((line, printed))
    return found


def pattern(printed: str) -> re.Pattern[str]:
    """What may be printed: `...` is anything; times, port ids and counts of ARP are others."""
    text = re.escape(printed).replace(re.escape("..."), r"[\s\S]*?")
    arp = r"(?<=eth_type\\\(0x0806\\\),\\ packets:)\d+,\\ bytes:\d+"
    text = re.sub(arp, lambda _: r"\d+, bytes:\d+", text)
    for varies in (r"(?<=used:)\d+\\\.\d+(?=s)", r"(?<=listening\\ as\\ )\d+"):
        text = re.sub(varies, lambda _: r"[\d.]+", text)
    return re.compile(text)


class Lab:
    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self._variables = environment(HOTSWITCH_RUN_DIR=str(daemon.run_dir))

    def line(self, line: str) -> list[str]:
        words = shlex.split(line)
        own = command(*words[1:]) if words[0] == "hotswitch" else words
        return self.daemon.room.command(*own)

    def do(self, line: str) -> str:
        """Run a command; all that it printed."""
        done = subprocess.run(
            self.line(line), env=self._variables, capture_output=True, text=True, timeout=60
        )
        return done.stdout + done.stderr

    @contextmanager
    def running(self, line: str) -> Iterator[subprocess.Popen[str]]:
        """A command that goes on until it is told to end, and then has no more to say."""
        running = process.start(
            self.line(line), env=self._variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            yield running
            running.send_signal(signal.SIGINT)
            _, complaint = running.communicate(timeout=20)
            assert (running.returncode, complaint) == (0, "")
        finally:
            process.stop(running)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with Room() as room:
        for number in (1, 2):
            room.add_host(f"h{number}", f"p{number}", f"10.0.0.{number}/24")
            room.run("sysctl", "-q", "net.ipv6.conf.all.disable_ipv6=1", host=f"h{number}")
        room.run("sysctl", "-q", "net.ipv6.conf.all.disable_ipv6=1")
        with Daemon(room, tmp_path / "run") as daemon:
            yield Lab(daemon)
        assert "Traceback" not in daemon.log, daemon.log


def test_the_session_runs(lab: Lab) -> None:
    first, monitor, events = SESSIONS
    *session, last = steps(first)
    assert last[0] == "hotswitch dp del dp0"
    for line, printed in session:
        found = lab.do(line)
        assert pattern(printed).fullmatch(found), f"$ {line}\n{found}"
    ((watch, shown),) = steps(monitor)
    with lab.running(watch) as running:
        _compare(running, shown.splitlines()[:1])
        lab.do("ip netns exec h1 ping -q -c 1 -W 1 10.0.0.2")
        _compare(running, shown.splitlines()[1:])
    ((watch, shown),) = steps(events)
    with lab.running(watch) as running:
        _compare(running, shown.splitlines()[:1])
        for line in re.findall(r"`(hotswitch dp (?:add-if|del-flow)[^`]*)`", PAGE.read_text()):
            assert "hotswitch: " not in lab.do(line)
        _compare(running, shown.splitlines()[1:])
    assert lab.do(last[0]) == "" == lab.do("hotswitch dp list")


def _compare(running: subprocess.Popen[str], lines: list[str]) -> None:
    assert running.stdout
    for line in lines:
        found = running.stdout.readline().rstrip("\n")
        assert pattern(line).fullmatch(found), found
