"""What the devices are like when a datapath has ended, and what its own device's end does."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from hotswitch.netlink.families.vport import VPORT
from tests.netlink.asked import new_vport
from tests.netlink.lab import Lab
from tests.support import process


def _promiscuous(lab: Lab, *names: str) -> list[bool]:
    """Whether these devices take all frames."""
    links = json.loads(lab.room.run("ip", "-d", "-j", "link").stdout)
    counts = {each["ifname"]: each["promiscuity"] for each in links}
    return [counts[name] > 0 for name in names]


def _kill(lab: Lab) -> None:
    assert lab.daemon.process
    process.stop(lab.daemon.process)


def _shut_down(lab: Lab) -> None:
    lab.daemon.do("shutdown --stop-forwarding")


def _clean_up(lab: Lab) -> None:
    _kill(lab)
    process.start(lab.daemon.command("--cleanup")).wait(60)


def _forget(lab: Lab) -> None:
    """Nothing is known of the datapath any more, so that it ends at the start."""
    _kill(lab)
    (lab.daemon.run_dir / "netlink.journal").unlink()
    lab.daemon.start()


@pytest.mark.parametrize("end", [_shut_down, _clean_up, _forget])
def test_devices_are_as_they_were_found(lab: Lab, end: Callable[[Lab], None]) -> None:
    for number in ("3", "4"):
        lab.room.run("ip", "link", "add", f"p{number}", "type", "veth", "peer", f"q{number}")
    lab.room.run("ip", "link", "set", "p3", "promisc", "on")
    with lab.client() as client:
        client.ask(VPORT, "new", new_vport("p3"), datapath=lab.datapath)
    lab.daemon.do("bridge add br0")
    lab.daemon.do("port add p4 bridge br0")
    assert all(_promiscuous(lab, "p1", "p2", "p3", "p4"))
    end(lab)
    of_bridge = end is _forget
    # Without what was kept, nobody knows that p3 was so before.
    as_before = end is not _forget
    found = _promiscuous(lab, "p1", "p2", "p3", "p4")
    assert found == [False, False, as_before, of_bridge]
