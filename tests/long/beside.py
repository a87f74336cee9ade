"""What goes on beside bad clients: pings through the datapath, and questions of a good client."""

from __future__ import annotations

import multiprocessing
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.families.flow import FLOW
from tests.netlink.asked import mask
from tests.netlink.lab import Lab
from tests.netlink.socket_client import SocketClient

_EVERY = 0.01
"""Seconds between two questions, and between two pings."""
_TO_ALL = (b"1" * 16, 1, 2), (b"2" * 16, 2, 1)
"""Flows between the hosts: name, from a port, to a port."""


@dataclass(frozen=True)
class Seen:
    """waited: seconds from each question to its answer, sorted."""

    pings: int
    lost: int
    waited: tuple[float, ...]

    def __str__(self) -> str:
        p50, p99 = (self.waited[len(self.waited) * each // 100] for each in (50, 99))
        return (
            f"{self.lost} of {self.pings} pings lost, another client waited {1e3 * p50:.1f} ms "
            f"(p50), {1e3 * p99:.0f} (p99), at most {1e3 * self.waited[-1]:.0f}"
        )


def join(lab: Lab) -> None:
    """Let the hosts reach each other."""
    with lab.client() as client:
        for name, come, go in _TO_ALL:
            flow = Attributes(
                ufid=name,
                key=Attributes(in_port=come, ethernet=mask(0)["ethernet"]),
                mask=mask(0),
                actions=Attributes(output=go),
            )
            client.ask(FLOW, "new", flow, datapath=lab.datapath)


class Beside:
    """Has both go on, until it is asked what was seen."""

    def __init__(self, lab: Lab) -> None:
        words = ("ping", "-q", "-i", str(_EVERY), "10.0.0.2")
        self._ping = lab.room.start(*words, host="h1", stdout=subprocess.PIPE)
        self._told, tell = multiprocessing.Pipe()
        process = multiprocessing.get_context("fork").Process
        self._asker = process(target=_ask, args=(lab.path, lab.datapath, tell), daemon=True)
        self._asker.start()

    def seen(self) -> Seen:
        """End both."""
        self._told.send(None)
        waited = tuple(sorted(self._told.recv()))
        self._asker.join()
        self._ping.send_signal(signal.SIGINT)
        said = self._ping.communicate()[0]
        found = re.search(r"(\d+) packets transmitted, (\d+) received", said)
        assert found, said
        sent, came = int(found[1]), int(found[2])
        # The last one may be under way.
        return Seen(sent, max(0, sent - came - 1), waited)


def _ask(path: Path, datapath: int, told: Connection) -> None:
    waited = []
    with SocketClient(path) as client:
        while not told.poll(_EVERY):
            began = time.perf_counter()
            client.ask(FLOW, "get", Attributes(ufid=_TO_ALL[0][0]), datapath=datapath)
            waited.append(time.perf_counter() - began)
    told.send(waited)
