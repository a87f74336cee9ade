"""Hosts at the real daemon, which has a namespace of its own: `switch`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.daemon import REAL, Daemon
from tests.support.room import Room

TWO_HOSTS: Mapping[str, tuple[str, str]] = {
    "anna": ("tap0", "10.0.0.1"),
    "ben": ("tap1", "10.0.0.2"),
}
"""By the host's name: its device in the namespace of the switch, and its address."""


@contextmanager
def daemon_with_hosts(
    room: Room, run_dir: Path, hosts: Mapping[str, tuple[str, str]] = TWO_HOSTS
) -> Iterator[Daemon]:
    """The daemon, with the hosts' devices there and up; nothing is configured."""
    room.run("ip", "netns", "add", "switch")
    for name, (device, address) in hosts.items():
        room.add_host(name, device, f"{address}/24")
        room.run("ip", "link", "set", device, "netns", "switch")
        room.run("ip", "link", "set", device, "up", host="switch")
    with Daemon(room, run_dir, "--netns", "switch", kind=REAL) as daemon:
        yield daemon
