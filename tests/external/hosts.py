"""Two hosts at a switch, and whether packets get from one to the other."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.room import Room


def add_hosts(room: Room) -> None:
    """anna at v0 and ben at v1, which are devices in the room."""
    for name, device, address in (("anna", "v0", "10.0.0.1"), ("ben", "v1", "10.0.0.2")):
        room.add_host(name, device, f"{address}/24")


@contextmanager
def no_packet_lost(room: Room) -> Iterator[None]:
    """From anna to ben, 50 in a second."""
    ping = room.start(
        *("ping", "-q", "-i", "0.02", "10.0.0.2"), host="anna", stdout=subprocess.PIPE
    )
    try:
        yield
        ping.send_signal(signal.SIGINT)
        said, _ = ping.communicate(timeout=10)
    finally:
        ping.kill()
        ping.communicate()
    sent, received = map(int, re.findall(r"(\d+) (?:packets transmitted|received)", said))
    assert sent == received > 20, said
