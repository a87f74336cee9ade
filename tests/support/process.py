"""Child processes that can't outlive the test, even one that is killed."""

from __future__ import annotations

import ctypes
import signal
import subprocess
from collections.abc import Sequence
from typing import Any

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def start(command: Sequence[str], **options: Any) -> subprocess.Popen[str]:
    """Start a process that the kernel kills when this one ends."""
    return subprocess.Popen(command, text=True, preexec_fn=_die_with_parent, **options)


def stop(process: subprocess.Popen[str]) -> None:
    """Kill it and wait."""
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            stream.close()
