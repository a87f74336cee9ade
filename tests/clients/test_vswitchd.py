"""Open vSwitch's own ovs-vswitchd, unmodified, with hotswitch for its `system` datapath."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.vswitch import LONG as _LONG
from tests.clients.vswitch import Vswitch
from tests.clients.vswitch import vswitch as started
from tests.support import process
from tests.support.room import Room
from tests.support.wait import until


@pytest.fixture
def vswitch(tmp_path: Path) -> Iterator[Vswitch]:
    with Room() as room:
        for number in (1, 2):
            room.add_host(f"h{number}", f"p{number}", f"10.0.0.{number}/24")
        with started(room, tmp_path) as made:
            yield made


def test_a_bridge_on_hotswitch_s_datapath(vswitch: Vswitch) -> None:
    ports = ("--", "add-port", "br0", "p1", "--", "add-port", "br0", "p2")
    vswitch.run("ovs-vsctl", "--timeout=60", "add-br", "br0", *ports)
    until(vswitch.reaches, "the hosts reach each other", _LONG)
    assert vswitch.reaches()
    assert vswitch.control
    flows = vswitch.flows()
    assert "eth_type(0x0800)" in flows and "actions:" in flows
    shown = vswitch.run("ovs-appctl", "-t", vswitch.control, "dpctl/show", "-s")
    for name in ("br0 (internal)", "p1", "p2", "ovs-system (internal)"):
        assert f": {name}\n" in shown
    vswitch.room.run("ip", "address", "add", "10.0.0.3/24", "dev", "br0")
    vswitch.room.run("ip", "link", "set", "br0", "up")
    line = ["ping", "-c", "1", "-W", "5", "10.0.0.1"]
    until(
        lambda: vswitch.room.run(*line, check=False).returncode == 0,
        "the host reaches one by the bridge's own port",
        _LONG,
    )
    vswitch.run("ovs-ofctl", "add-flow", "br0", "table=0,priority=100,icmp,actions=drop")
    until(lambda: not vswitch.reaches(), "the rule drops", _LONG)
    vswitch.run("ovs-ofctl", "del-flows", "br0", "icmp")
    until(vswitch.reaches, "it drops no more", _LONG)
    vswitch.run("ovs-vsctl", "--timeout=60", "del-br", "br0")
    assert "br0" not in vswitch.room.run("ip", "-br", "link").stdout


def test_tcp_through_it(vswitch: Vswitch) -> None:
    ports = ("--", "add-port", "br0", "p1", "--", "add-port", "br0", "p2")
    vswitch.run("ovs-vsctl", "--timeout=60", "add-br", "br0", *ports)
    until(vswitch.reaches, "the hosts reach each other", _LONG)
    serve = "import socket; s=socket.create_server(('', 5000)); c=s.accept()[0]; " + (
        "n=0\nwhile d:=c.recv(65536): n+=len(d)\nc.send(str(n).encode())"
    )
    server = vswitch.room.start("python3", "-c", serve, host="h2")
    try:
        send = (
            "import socket,time\nfor _ in range(100):\n try: s=socket.create_connection("
            "('10.0.0.2', 5000), 5); break\n except OSError: time.sleep(.05)\n"
            "[s.sendall(bytes(65536)) for _ in range(320)]\ns.shutdown(1)\n"
            "print(s.recv(99).decode())"
        )
        assert int(vswitch.room.run("python3", "-c", send, host="h1").stdout) == 320 * 65536
    finally:
        process.stop(server)
