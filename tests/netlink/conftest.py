from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import BUILT_IN
from tests.netlink.lab import Lab
from tests.support.daemon import Daemon
from tests.support.room import Room


@pytest.fixture(scope="session")
def registry() -> Registry:
    return Registry(BUILT_IN)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with Room() as room:
        for number in (1, 2):
            room.add_host(f"h{number}", f"p{number}", f"10.0.0.{number}/24")
            # Else their own packets would be counted too.
            for host, device in (("", f"p{number}"), (f"h{number}", "eth0")):
                room.run("sysctl", "-qw", f"net.ipv6.conf.{device}.disable_ipv6=1", host=host)
        with Daemon(room, tmp_path / "run") as daemon:
            yield Lab(daemon)
        assert "Traceback" not in daemon.log, daemon.log
