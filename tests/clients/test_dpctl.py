"""Open vSwitch's own ovs-dpctl, unmodified, on hotswitch's datapaths."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients import shim
from tests.support.daemon import Daemon
from tests.support.room import Room

ARP = "eth(),eth_type(0x0806),arp()"
IP = "eth(),eth_type(0x0800),ipv4()"


class Control:
    """ovs-dpctl in a room with two hosts."""

    def __init__(self, daemon: Daemon, built: Path) -> None:
        self.daemon = daemon
        self._environment = shim.environment(built, daemon.run_dir)

    def __call__(self, *words: str) -> str:
        """Run a command that must succeed."""
        done = self.run(*words)
        assert done.returncode == 0, done
        return done.stdout

    def refused(self, *words: str) -> str:
        """Run a command that must fail; what it said."""
        done = self.run(*words)
        assert done.returncode == 1, done
        return done.stderr

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command, however it ends."""
        line = [*self._environment, "timeout", "20", "ovs-dpctl", *words]
        return self.daemon.room.run(*line, check=False)

    def ping(self) -> int:
        words = ("ping", "-c", "2", "-i", "0.1", "-W", "1", "10.0.0.2")
        return self.daemon.room.run(*words, host="h1", check=False).returncode


@pytest.fixture
def dpctl(tmp_path: Path) -> Iterator[Control]:
    built = shim.build(tmp_path, "ovs-dpctl")
    with Room() as room:
        for number in (1, 2):
            room.add_host(f"h{number}", f"p{number}", f"10.0.0.{number}/24")
        with Daemon(room, tmp_path / "run") as daemon:
            yield Control(daemon, built)
        assert "Traceback" not in daemon.log, daemon.log


def test_datapaths_and_ports(dpctl: Control) -> None:
    assert dpctl("show") == ""
    assert dpctl("dump-dps") == ""
    dpctl("add-dp", "dp1")
    assert "File exists" in dpctl.refused("add-dp", "dp1")
    assert dpctl("dump-dps") == "system@dp1\n"
    dpctl("add-if", "dp1", "p1")
    dpctl("add-if", "dp1", "p2", "int0,type=internal")
    assert "No such device" in dpctl.refused("add-if", "dp1", "none")
    shown = dpctl("show", "-s")
    for line in ("port 0: dp1 (internal)", "port 1: p1", "port 2: p2", "port 3: int0 (internal)"):
        assert line in shown
    dpctl("del-if", "dp1", "p2")
    assert "port 2" not in dpctl("show", "dp1")
    assert "no port named p2" in dpctl.refused("del-if", "dp1", "p2")
    assert "Operation not supported" in dpctl.refused("ct-get-limits", "dp1")
    # Refused, though it ends as if there were no connections.
    assert dpctl.run("dump-conntrack", "dp1").stdout == ""
    assert "Protocol not supported" in dpctl.run("dump-conntrack", "dp1").stderr
    assert "Protocol not supported" in dpctl.refused("flush-conntrack")
    dpctl("del-dp", "dp1")
    assert dpctl("show") == ""
    assert "int0" not in dpctl.daemon.room.run("ip", "-br", "link").stdout


def test_flows(dpctl: Control) -> None:
    dpctl("add-dp", "dp1")
    dpctl("add-if", "dp1", "p1", "p2")
    for here, there in ((1, 2), (2, 1)):
        for kind in (ARP, IP):
            dpctl("add-flow", "dp1", f"in_port({here}),{kind}", str(there))
    assert dpctl.ping() == 0
    flows = dpctl("dump-flows", "dp1")
    assert len(flows.splitlines()) == 4
    assert re.search(r"in_port\(1\),.*eth_type\(0x0800\).*packets:2, bytes:196, .*actions:2", flows)
    assert len(dpctl("dump-flows", "-m", "dp1").splitlines()) == 4
    assert "File exists" in dpctl.refused("add-flow", "dp1", f"in_port(1),{IP}", "2")
    dpctl("mod-flow", "dp1", f"in_port(1),{IP}", "1")
    assert dpctl.ping() == 1
    dpctl("mod-flow", "dp1", f"in_port(1),{IP}", "2")
    assert dpctl.ping() == 0
    last = dpctl("del-flow", "-s", "dp1", f"in_port(2),{IP}")
    assert re.match(r"packets:4, bytes:392, used:\d", last)
    assert "No such file" in dpctl.refused("del-flow", "dp1", f"in_port(2),{IP}")
    ufid = "ufid:00000000-0000-0000-0000-000000000001"
    dpctl("add-flow", "dp1", f"{ufid},in_port(2),{IP}", "1")
    assert "packets:0" in dpctl("get-flow", "dp1", ufid)
    assert dpctl.ping() == 0
    assert "packets:2" in dpctl("get-flow", "dp1", ufid)
    dpctl("del-flow", "dp1", f"{ufid},in_port(2),{IP}")
    assert "No such file" in dpctl.refused("get-flow", "dp1", ufid)
    dpctl("del-flows", "dp1")
    assert dpctl("dump-flows", "dp1") == ""
    assert dpctl.ping() == 1


def test_a_change_of_tags_and_what_is_not_supported(dpctl: Control) -> None:
    dpctl("add-dp", "dp1")
    dpctl("add-if", "dp1", "p1", "p2")
    dpctl("add-flow", "dp1", f"in_port(1),{IP}", "push_vlan(vid=10,pcp=0),2")
    assert "push_vlan(vid=10,pcp=0),2" in dpctl("dump-flows", "dp1")
    for actions in ("ct(commit)", "ct_clear", "recirc(1),hash(l4(0)),recirc(2)"):
        assert "Invalid argument" in dpctl.refused("add-flow", "dp1", f"in_port(2),{IP}", actions)
    assert len(dpctl("dump-flows", "dp1").splitlines()) == 1


def test_tunnels(dpctl: Control) -> None:
    dpctl("add-dp", "dp1")
    dpctl("add-if", "dp1", "p1", "vx0,type=vxlan,remote_ip=flow,dst_port=4799")
    shown = dpctl("show", "dp1")
    assert "port 2: vxlan_sys_4799 (vxlan" in shown, shown
    tunnel = "tunnel(tun_id=0x4d,src=192.0.2.2,dst=192.0.2.1,ttl=0/0,flags(-df+csum+key))"
    dpctl("add-flow", "dp1", f"in_port(2),{tunnel},{IP}", "1")
    action = "set(tunnel(tun_id=0x4d,dst=192.0.2.2,ttl=64,tp_dst={},flags(df|key))),2"
    assert "Invalid argument" in dpctl.refused(
        "add-flow", "dp1", f"in_port(1),{IP}", action.format(4789)
    )
    dpctl("add-flow", "dp1", f"in_port(1),{IP}", action.format(4799))
    flows = dpctl("dump-flows", "dp1")
    assert "tun_id=0x4d,src=192.0.2.2,dst=192.0.2.1" in flows
    assert f"actions:{action.format(4799)}" in flows
    dpctl("del-if", "dp1", "vxlan_sys_4799")
    assert "vxlan_sys" not in dpctl.daemon.room.run("ip", "-br", "link").stdout


def test_actions_within_actions_and_packets_looked_up_again(dpctl: Control) -> None:
    dpctl("add-dp", "dp1")
    dpctl("add-if", "dp1", "p1", "p2")
    for actions in (
        "sample(sample=50.0%,actions(1)),1",
        "clone(push_vlan(vid=10,pcp=0),1),1",
        "check_pkt_len(size=1400,gt(drop),le(1))",
        "trunc(100),1",
        "1,recirc(2)",
    ):
        dpctl("add-flow", "dp1", f"in_port(2),{IP}", actions)
        assert actions.replace("(2)", "(0x2)") in dpctl("dump-flows", "dp1")
        dpctl("del-flows", "dp1")
    dpctl("add-flow", "dp1", f"recirc_id(0),in_port(1),{IP}", "recirc(5)")
    dpctl("add-flow", "dp1", f"recirc_id(0x5),in_port(1),{IP}", "2")
    dpctl("add-flow", "dp1", f"recirc_id(0),in_port(2),{IP}", "recirc(6)")
    dpctl("add-flow", "dp1", f"recirc_id(0x6),{IP}", "1")
    for number, other in ((1, 2), (2, 1)):
        dpctl("add-flow", "dp1", f"recirc_id(0),in_port({number}),{ARP}", str(other))
    assert dpctl.ping() == 0
    assert "recirc_id(0x5),in_port(1)" in dpctl("dump-flows", "dp1")
