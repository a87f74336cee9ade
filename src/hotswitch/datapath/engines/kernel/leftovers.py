"""Links that take no packets any more, taken off their devices one after another, in peace.

A link that a port leaves gets a program that lets everything pass, which costs microseconds;
taking it off costs what `calm` says. Until then it stays pinned, under another name, so that
neither a daemon's end nor its kill has to wait for it: the next one finds it and goes on.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from pathlib import Path
from typing import NamedTuple

from hotswitch.datapath.engines.kernel.calm import CALM
from hotswitch.kernel import pins
from hotswitch.kernel.bpf_link import BpfLink
from hotswitch.kernel.error import KernelError

_log = logging.getLogger(__name__)

PREFIX = "left_"
"""What the names of their pins begin with."""


class _Left(NamedTuple):
    link: BpfLink
    pin: Path
    since: float


class Leftovers:
    """Those of all datapaths of this process."""

    def __init__(self) -> None:
        self._waiting: deque[_Left] = deque()
        self._some = threading.Condition()
        self._worker: threading.Thread | None = None

    def add(self, link: BpfLink, pin: Path) -> None:
        """Take over a link, which lets everything pass, and its pin."""
        with self._some:
            self._waiting.append(_Left(link, pin, time.monotonic()))
            if self._worker is None:
                self._worker = threading.Thread(
                    target=self._work, name="hotswitch-detach", daemon=True
                )
                self._worker.start()
            self._some.notify()

    def leave(self, directory: Path) -> None:
        """Let go of those pinned in a directory: a later life of its datapath takes them off."""
        with self._some:
            left = [each for each in self._waiting if each.pin.parent == directory]
            for each in left:
                self._waiting.remove(each)
        for each in left:
            each.link.close()

    def _work(self) -> None:
        never = threading.Event()
        while True:
            with self._some:
                while not self._waiting:
                    self._some.wait()
                since = self._waiting[0].since
            CALM.wait(never, since)
            with self._some:
                if not self._waiting:
                    continue
                left = self._waiting.popleft()
            try:
                left.link.detach()
                pins.remove(left.pin)
            except KernelError as error:
                _log.warning("a link that takes no packets stays at its device: %s", error)
                left.link.close()


LEFTOVERS = Leftovers()
