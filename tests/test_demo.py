"""`make demo`: it shows what it promises and leaves nothing behind, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tests.support import process
from tests.support.daemon import environment
from tests.support.wait import until

pytestmark = pytest.mark.skipif(bool(os.geteuid()), reason="network namespaces need root")

_ROOT = Path(__file__).parents[1]
_MARK = "DEMO_TEST_MARK"


def _start(mark: str) -> subprocess.Popen[str]:
    return process.start(
        [sys.executable, "-m", "demo"],
        cwd=_ROOT,
        env=environment(**{_MARK: mark}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _alive(mark: str) -> list[str]:
    """The processes that this demo has started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{_MARK}={mark}".encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def test_the_demo_shows_what_it_promises() -> None:
    mark = uuid.uuid4().hex
    running = _start(mark)
    try:
        told, errors = running.communicate(timeout=120)
    finally:
        process.stop(running)
    assert running.returncode == 0, told + errors
    for part in ("he answers", "no answer", "Gbit/s", "no packet lost", "tap2", "nothing is left"):
        assert part in told
    for part in ("so is her port", "any more, but", "called cache", "em7 stands by", "brctl addif"):
        assert part in told
    assert errors == ""
    assert _alive(mark) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_demo_leaves_nothing_behind(number: int) -> None:
    mark = uuid.uuid4().hex
    running = _start(mark)
    try:
        assert running.stdout
        while "anna pings ben" not in running.stdout.readline():
            assert running.poll() is None
        assert any("hotswitchd" in each for each in _alive(mark))
        running.send_signal(number)
        running.wait(20)
        until(lambda: not _alive(mark), "all that it started has ended")
    finally:
        process.stop(running)
    assert not Path("/run/netns/anna").exists()


def test_without_root_it_says_what_it_needs() -> None:
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--clear-groups", sys.executable, "-m", "demo"],
        cwd=_ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("demo: ") and "sudo make demo" in done.stderr
    assert done.stderr.count("\n") == 1
