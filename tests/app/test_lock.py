"""One daemon a run directory; of one that dies just now, the end is waited for."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from subprocess import DEVNULL, PIPE

import pytest

from hotswitch.app.lock import Lock, LockError
from tests.support import process
from tests.support.daemon import environment

_HOLDER = """
import os, sys
from pathlib import Path
from hotswitch.app.lock import Lock
lock = Lock(Path(sys.argv[1]))
lock.take()
if os.fork() == 0:
    print("held", flush=True)
    sys.stdin.read()
    os._exit(0)
if sys.argv[2] == "dies":
    os._exit(0)
os.wait()
"""


def _holder(path: Path, what: str) -> process.subprocess.Popen[str]:
    """A process that has the lock, and another one that keeps it until its input ends."""
    line = [sys.executable, "-c", _HOLDER, str(path), what]
    held = process.start(line, env=environment(), stdin=PIPE, stdout=PIPE, stderr=DEVNULL)
    assert held.stdout and held.stdout.readline() == "held\n"
    return held


def test_the_end_of_one_that_dies_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "run/lock"
    holder = _holder(path, "dies")
    assert holder.stdin
    os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)  # it is a zombie
    timer = threading.Timer(0.2, holder.stdin.close)
    timer.start()
    lock = Lock(path)
    lock.take()
    assert path.read_text() == f"{os.getpid()}\n"
    lock.release()
    timer.join()
    process.stop(holder)


def test_one_that_lives_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "run/lock"
    holder = _holder(path, "lives")
    with pytest.raises(LockError, match=f"process {holder.pid}, runs in"):
        Lock(path).take()
    assert path.read_text() == f"{holder.pid}\n"
    process.stop(holder)
