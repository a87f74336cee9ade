"""ovs-vswitchd's own tunnels through hotswitch's datapath."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.vswitch import LONG, Vswitch, vswitch
from tests.support import process
from tests.support.room import Room
from tests.support.wait import until

VNI = 77
NEAR, FAR = "192.0.2.1", "192.0.2.2"
NEAR6, FAR6 = "2001:db8::1", "2001:db8::2"
_SERVE = (
    "import socket; s=socket.create_server(('', 5000)); print('serves', flush=True); "
    "c=s.accept()[0]\nn=0\nwhile d:=c.recv(65536): n+=len(d)\nc.send(str(n).encode())"
)
_SEND = (
    "import socket\ns=socket.create_connection(('10.0.0.2', 5000), 60)\n"
    "[s.sendall(bytes(65536)) for _ in range(160)]\ns.shutdown(1)\nprint(s.recv(99).decode())"
)

_ON_THE_WIRE = """
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(('under', 0))
s.settimeout(30)
print('listens', flush=True)
seen = set()
while len(seen) < 2:
    d = s.recv(65536)
    if d[12:14] == b'\\x08\\0' and d[23] == 17 and d[36:38] == (4789).to_bytes(2, 'big'):
        ends = [socket.inet_ntoa(d[at:at + 4]) for at in (26, 30)]
        # RFC 7348, section 5: flags (8: there is a VNI), 24 bits of nothing, VNI, 8 of nothing.
        if d[62:64] == b'\\x08\\0':  # the inner frame is IPv4
            inside = d[76:80].hex(), d[80:84].hex()
            seen.add((*ends, d[42], int.from_bytes(d[46:49], 'big'), *inside))
print(sorted(seen))
"""
"""Prints one packet of each direction: outer addresses, VXLAN flags, VNI, inner addresses."""


@pytest.fixture
def far() -> Iterator[Room]:
    """A machine with a host, h2."""
    with Room() as room:
        room.add_host("h2", "p2", "10.0.0.2/24")
        room.run("ip", "link", "set", "eth0", "mtu", "1400", host="h2")
        yield room


@pytest.fixture
def near(far: Room, tmp_path: Path) -> Iterator[Vswitch]:
    """ovs-vswitchd on another machine, with a host, h1."""
    with Room() as room:
        room.add_host("h1", "p1", "10.0.0.1/24")
        room.run("ip", "link", "set", "eth0", "mtu", "1400", host="h1")
        room.run(
            "ip", "link", "add", "under", "type", "veth", "peer", "under", "netns", str(far.pid)
        )
        for each, address, address6 in ((room, NEAR, NEAR6), (far, FAR, FAR6)):
            each.run("ip", "link", "set", "under", "up")
            each.run("ip", "address", "add", f"{address}/24", "dev", "under")
            each.run("ip", "address", "add", f"{address6}/64", "dev", "under", "nodad")
        with vswitch(room, tmp_path) as made:
            yield made


def bridge_with_plain_device(room: Room, local: str, remote: str) -> None:
    """A plain Linux VXLAN device, and what p2 sends into it."""
    room.run(
        "ip", "link", "add", "vx", "type", "vxlan", "id", str(VNI), "dstport", "4789",
        "local", local, "remote", remote, "dev", "under", "udp6zerocsumtx", "udp6zerocsumrx",
    )  # fmt: skip
    room.run("ip", "link", "add", "name", "br0", "type", "bridge")
    for name in ("vx", "p2"):
        room.run("ip", "link", "set", name, "master", "br0", "up")
    room.run("ip", "link", "set", "br0", "up")


def add_bridge(near: Vswitch, *options: str) -> None:
    near.run(
        "ovs-vsctl", "--timeout=60", "add-br", "br0", "--", "add-port", "br0", "p1",
        "--", "add-port", "br0", "vx0", "--", "set", "interface", "vx0", "type=vxlan", *options,
    )  # fmt: skip


def test_a_tunnel_port_to_a_plain_linux_device(near: Vswitch, far: Room) -> None:
    bridge_with_plain_device(far, FAR, NEAR)
    add_bridge(near, f"options:remote_ip={FAR}", f"options:key={VNI}")
    until(near.reaches, "the hosts reach each other", LONG)
    listener = far.start("python3", "-c", _ON_THE_WIRE, stdout=subprocess.PIPE)
    assert listener.stdout and listener.stdout.readline() == "listens\n"
    assert near.reaches()
    one, two = "0a000001", "0a000002"
    there, back = (NEAR, FAR, 8, VNI, one, two), (FAR, NEAR, 8, VNI, two, one)
    assert listener.communicate(timeout=60)[0] == f"{[there, back]}\n"
    server = far.start("python3", "-c", _SERVE, host="h2", stdout=subprocess.PIPE)
    try:
        assert server.stdout and server.stdout.readline() == "serves\n"
        sent = near.room.run("python3", "-c", _SEND, host="h1").stdout
        assert int(sent) == 160 * 65536
    finally:
        process.stop(server)

    def hit() -> bool:
        assert near.reaches()
        shown = [each for each in near.flows("-m").splitlines() if "0x0800" in each]
        came = [each for each in shown if "in_port(vxlan_sys_4789)" in each]
        left = [each for each in shown if "in_port(p1)" in each]
        key = f"tunnel(tun_id={VNI:#x},src={FAR},dst={NEAR},ttl=0/0,flags(-df+csum+key))"
        assert all(key in each and each.endswith("actions:p1") for each in came)
        set_ = f"set(tunnel(tun_id={VNI:#x},dst={FAR},ttl=64,tp_dst=4789,flags(df|key)))"
        assert all(each.endswith(f"actions:{set_},vxlan_sys_4789") for each in left)
        return all(
            any(int(count) > 0 for count in re.findall(r"packets:(\d+)", "".join(each)))
            for each in (came, left)
        )

    until(hit, "packets hit flows both ways", LONG)
    near.run("ovs-vsctl", "--timeout=60", "del-port", "vx0")
    links = ("ip", "-br", "link")
    until(lambda: "vxlan_sys" not in near.room.run(*links).stdout, "its device goes", LONG)
    assert not near.reaches()


def test_tunnels_by_openflow_over_ipv6(near: Vswitch, far: Room) -> None:
    """Key and end of the tunnel are the rules', not the port's."""
    bridge_with_plain_device(far, FAR6, NEAR6)
    add_bridge(near, "options:remote_ip=flow", "options:key=flow", "options:local_ip=flow")
    near.run("ovs-ofctl", "del-flows", "br0")
    for rule in (
        f"in_port=p1,actions=set_field:{VNI}->tun_id,set_field:{FAR6}->tun_ipv6_dst,output:vx0",
        f"in_port=vx0,tun_id={VNI},tun_ipv6_src={FAR6},actions=output:p1",
    ):
        near.run("ovs-ofctl", "add-flow", "br0", rule)
    until(near.reaches, "the hosts reach each other", LONG)
    flows = near.flows()
    assert f"tunnel(tun_id={VNI:#x},ipv6_src={FAR6},ipv6_dst={NEAR6}" in flows
    assert f"set(tunnel(tun_id={VNI:#x},ipv6_dst={FAR6}" in flows
    near.run("ovs-ofctl", "--strict", "del-flows", "br0", f"in_port=vx0,tun_id={VNI},"
             f"tun_ipv6_src={FAR6}")  # fmt: skip
    near.run("ovs-ofctl", "add-flow", "br0", f"in_port=vx0,tun_id={VNI + 1},actions=output:p1")
    until(lambda: not near.reaches(), "another network's rule is not for it", LONG)
