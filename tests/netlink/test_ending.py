"""What the devices are like when a datapath has ended, and what its own device's end does."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.families.datapath import DATAPATH
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.families.vport import VPORT
from hotswitch.netlink.flags import CREATE, ECHO
from tests.netlink.asked import key, new_vport
from tests.netlink.lab import Lab
from tests.support import process
from tests.support.wait import until


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


@pytest.mark.parametrize("lives", [True, False])
def test_a_datapath_s_own_device_is_made_again(lab: Lab, lives: bool) -> None:
    """Deleted while a daemon runs, or while none does: no port, flow or number is lost."""
    room = lab.room
    with lab.client() as client:
        for source, output in ((1, 2), (2, 1)):
            wanted = Attributes(
                key=key(source),
                mask=Attributes(in_port=0xFFFFFFFF),
                actions=Attributes(output=output),
            )
            client.ask(FLOW, "new", wanted, datapath=lab.datapath, flags=CREATE | ECHO)
    if not lives:
        _kill(lab)
    room.run("ip", "link", "delete", "dp1")
    if lives:
        until(lambda: "is made again" in lab.daemon.log, "dp1 is made again", 20)
        _kill(lab)
    room.run("ping", "-c", "1", "-W", "1", "10.0.0.2", host="h1")
    lab.daemon.start()
    with lab.client() as client:
        about = client.ask(DATAPATH, "get", Attributes(name="dp1"))
        assert about.datapath == lab.datapath
        vports = client.list(VPORT, datapath=lab.datapath)
        assert [each.attributes["name"] for each in vports] == ["dp1", "p1", "p2"]
        assert len(client.list(FLOW, datapath=lab.datapath)) == 2
    room.run("ping", "-c", "1", "-W", "1", "10.0.0.2", host="h1")
    assert "dp1@" in room.run("ip", "-br", "link").stdout
    assert "own device had gone and is made again" in lab.daemon.log


def test_a_datapath_whose_own_device_can_not_be_had_says_which(lab: Lab) -> None:
    _kill(lab)
    lab.room.run("ip", "link", "delete", "dp1")
    lab.room.run("ip", "link", "add", "dp1", "type", "veth", "peer", "q1")
    lab.daemon.start()
    assert (
        "datapath dp1 ends: its own device dp1 has gone and can't be made again" in lab.daemon.log
    )
    assert _promiscuous(lab, "p1", "p2") == [False, False]
