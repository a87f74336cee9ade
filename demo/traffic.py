"""Numbered packets from one host to another while something happens; none may be missing."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo import lab
from demo.telling import expect

RATE = 2000
"""Packets a second."""

_PACE = str(Path(__file__).with_name("pace.py"))


class Flow:
    """The packets on their way. seconds: how long they are sent."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began = time.monotonic()

    @property
    def passed(self) -> float:
        """Seconds since the first one."""
        return time.monotonic() - self._began

    def wait_for(self, part: float) -> None:
        """Wait until this part of the time has passed."""
        time.sleep(max(0.0, part * self._seconds - self.passed))


@contextmanager
def between(sender: str, receiver: str, address: str, seconds: float = 4.0) -> Iterator[Flow]:
    """Send, and say at the end what became of them. Raises RuntimeError if one is missing."""
    receiving = lab.start_at(receiver, sys.executable, _PACE, "receive")
    assert receiving.stdout
    receiving.stdout.readline()
    line = [sys.executable, _PACE, "send", address, str(RATE), str(seconds)]
    sending = lab.start_at(sender, *line)
    yield Flow(seconds)
    sent = int(sending.communicate()[0])
    received, twice, gap = receiving.communicate()[0].split()
    expect(
        int(received) == sent and twice == "0",
        f"sent {sent}, received {received}, twice {twice}",
        f"no packet lost, the longest gap {gap} ms",
    )
