"""VXLAN between two datapaths, and to a plain Linux device; flows by Netlink, packets for real."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import pytest

from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.families.datapath import DATAPATH
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.families.keys import Ethernet
from hotswitch.netlink.families.packet import PACKET
from hotswitch.netlink.families.socket import SOCKET
from hotswitch.netlink.families.vport import VPORT, VXLAN
from hotswitch.netlink.flags import CREATE, ECHO
from hotswitch.netlink.message import Message
from tests.netlink.asked import new_datapath, new_vport
from tests.netlink.socket_client import SocketClient
from tests.support import process
from tests.support.daemon import Daemon
from tests.support.room import Room
from tests.support.wait import until

PORT = 4799
VNI = 77
UNDERLAYS = {4: ("192.0.2.1", "192.0.2.2", 24), 6: ("2001:db8::1", "2001:db8::2", 64)}
_SERVE = (
    "import socket; s=socket.create_server(('', 5000)); print('serves', flush=True); "
    "c=s.accept()[0]\nn=0\nwhile d:=c.recv(65536): n+=len(d)\nc.send(str(n).encode())"
)
_SEND = (
    "import socket\ns=socket.create_connection(('10.0.0.2', 5000), 10)\n"
    "[s.sendall(bytes(65536)) for _ in range(160)]\ns.shutdown(1)\nprint(s.recv(99).decode())"
)


@dataclass(frozen=True)
class Ends:
    """Two machines with an underlay between them; behind each a host, h1 and h2."""

    rooms: tuple[Room, Room]

    def __post_init__(self) -> None:
        first, second = self.rooms
        first.run(
            "ip", "link", "add", "under", "type", "veth",
            "peer", "under", "netns", str(second.pid),
        )  # fmt: skip
        for number, room in enumerate(self.rooms, start=1):
            room.add_host(f"h{number}", "p1", f"10.0.0.{number}/24")
            room.run("ip", "link", "set", "eth0", "mtu", "1400", host=f"h{number}")
            room.run("ip", "link", "set", "under", "up")
            for version, (*ends, length) in UNDERLAYS.items():
                no_detection = ("nodad",) if version == 6 else ()
                address = f"{ends[number - 1]}/{length}"
                room.run("ip", "address", "add", address, "dev", "under", *no_detection)

    def reaches(self) -> bool:
        words = ("ping", "-c", "1", "-W", "1", "10.0.0.2")
        return self.rooms[0].run(*words, host="h1", check=False).returncode == 0

    def talk(self) -> None:
        """TCP goes through, every byte of it."""
        room, other = self.rooms
        server = other.start("python3", "-c", _SERVE, host="h2", stdout=subprocess.PIPE)
        try:
            assert server.stdout and server.stdout.readline() == "serves\n"
            sent = room.run("python3", "-c", _SEND, host="h1").stdout
            assert int(sent) == 160 * 65536
        finally:
            process.stop(server)


@pytest.fixture
def ends() -> Iterator[Ends]:
    with Room() as first, Room() as second:
        yield Ends((first, second))


class Machine:
    """A datapath dp1 with the ports 1 (p1) and 2 (vx0)."""

    def __init__(self, client: SocketClient) -> None:
        self.client = client
        self.datapath = client.ask(DATAPATH, "new", new_datapath()).datapath
        client.ask(VPORT, "new", new_vport("p1"), datapath=self.datapath)
        options = Attributes(destination_port=PORT)
        wanted = new_vport("vx0", VXLAN, options=options)
        client.ask(VPORT, "new", wanted, datapath=self.datapath)

    def add(self, key: Attributes, mask: Attributes, actions: Attributes, name: bytes) -> None:
        ethernet = Attributes(ethernet=Ethernet.value(src=0, dst=0))
        flow = Attributes(ufid=name * 16, key=key + ethernet, mask=mask, actions=actions)
        self.client.ask(FLOW, "new", flow, datapath=self.datapath, flags=CREATE | ECHO)

    def join(self, here: int, version: int, vni: int = VNI) -> None:
        """Let all that p1 sends leave by the tunnel, and what comes from there to p1."""
        tunnel, whole = outer(here, version, vni)
        leave = ("set", Attributes(tunnel=tunnel)), ("output", 2)
        in_port = Attributes(in_port=0xFFFFFFFF)
        self.add(Attributes(in_port=1), in_port, Attributes(leave), b"o")
        came = Attributes(
            (name.replace("src", "dst") if "src" in name else name.replace("dst", "src"), value)
            for name, value in tunnel
            if isinstance(name, str)
        )
        self.add(
            Attributes(in_port=2, tunnel=came),
            in_port + Attributes(tunnel=whole),
            Attributes(output=1),
            b"i",
        )

    def hits(self, name: bytes) -> int:
        asked = Attributes(ufid=name * 16)
        found = self.client.ask(FLOW, "get", asked, datapath=self.datapath).attributes
        return found["statistics"].packets if "statistics" in found else 0


def outer(here: int, version: int, vni: int) -> tuple[Attributes, Attributes]:
    """A tunnel's key from this end (1 or 2) to the other, and its mask: all but the TTL."""
    *addresses, _ = UNDERLAYS[version]
    local, remote = (int(ip_address(addresses[each - 1])) for each in (here, 3 - here))
    key = Attributes(
        (("id", vni), (f"ipv{version}_src", local), (f"ipv{version}_dst", remote), ("ttl", 64))
    )
    bits = (1 << (32 if version == 4 else 128)) - 1
    mask = Attributes(
        (("id", (1 << 64) - 1), (f"ipv{version}_src", bits), (f"ipv{version}_dst", bits),
         ("ttl", 0))
    )  # fmt: skip
    return key, mask


@contextlib.contextmanager
def daemon(room: Room, run_dir: Path) -> Iterator[Daemon]:
    with Daemon(room, run_dir) as running:
        yield running
        assert "Traceback" not in running.log, running.log


@pytest.mark.parametrize("version", [4, 6])
def test_between_two_datapaths(ends: Ends, tmp_path: Path, version: int) -> None:
    with contextlib.ExitStack() as held:
        machines = []
        for number, room in enumerate(ends.rooms, start=1):
            running = held.enter_context(daemon(room, tmp_path / str(number)))
            client = held.enter_context(SocketClient(running.run_dir / "netlink.sock"))
            machines.append(Machine(client))
        first, second = machines
        first.join(1, version)
        second.join(2, version)
        until(ends.reaches, "the hosts reach each other")
        ends.talk()
        for machine in machines:
            assert machine.hits(b"o") > 5 and machine.hits(b"i") > 5
        listed = first.client.list(FLOW, datapath=first.datapath)
        shown = {each.attributes["ufid"][:1]: each.attributes for each in listed}
        assert shown[b"i"]["key"]["tunnel"]["id"] == VNI
        assert shown[b"o"]["actions"]["set"]["tunnel"] == outer(1, version, VNI)[0]
        # Another network's packets are not this one's.
        first.client.ask(FLOW, "del", Attributes(ufid=b"o" * 16), datapath=first.datapath)
        first.client.ask(FLOW, "del", Attributes(ufid=b"i" * 16), datapath=first.datapath)
        first.join(1, version, VNI + 1)
        assert not ends.reaches()
        assert machines[0].hits(b"o") > 0


@pytest.mark.parametrize("version", [4, 6])
def test_to_a_plain_linux_device(ends: Ends, tmp_path: Path, version: int) -> None:
    room, other = ends.rooms
    local, remote, _ = UNDERLAYS[version]
    other.run(
        "ip", "link", "add", "vx", "type", "vxlan", "id", str(VNI), "dstport", str(PORT),
        "local", remote, "remote", local, "dev", "under", "noudpcsum", "udp6zerocsumtx",
        "udp6zerocsumrx",
    )  # fmt: skip
    other.run("ip", "link", "add", "name", "br0", "type", "bridge")
    for name in ("vx", "p1"):
        other.run("ip", "link", "set", name, "master", "br0", "up")
    other.run("ip", "link", "set", "br0", "up")
    with daemon(room, tmp_path / "run") as running:
        with SocketClient(running.run_dir / "netlink.sock") as client:
            machine = Machine(client)
            machine.join(1, version)
            until(ends.reaches, "the hosts reach each other")
            ends.talk()
        assert running.process
        process.stop(running.process)
        assert ends.reaches()  # it goes on when nobody serves, and is known again
        running.start()
        with SocketClient(running.run_dir / "netlink.sock") as client:
            machine.client = client
            before = machine.hits(b"i")
            assert ends.reaches()
            assert machine.hits(b"i") > before


def test_misses_from_a_tunnel_make_flows_and_their_packets_go_on(
    ends: Ends, tmp_path: Path
) -> None:
    """As ovs-vswitchd does it: each miss is answered with a flow, and carried out."""
    room, other = ends.rooms
    with contextlib.ExitStack() as held:
        clients = []
        for number, each in enumerate((room, other), start=1):
            running = held.enter_context(daemon(each, tmp_path / str(number)))
            clients.append(
                [
                    held.enter_context(SocketClient(running.run_dir / "netlink.sock"))
                    for _ in range(2)
                ]
            )
        (asker, hearer), (far, _) = clients
        machine = Machine(asker)
        Machine(far).join(2, 4)
        pid = hearer.ask(SOCKET, "bind").attributes["port"]
        for port in (1, 2):
            wanted = Attributes(port=port, upcall_pid=(pid,))
            asker.ask(VPORT, "set", wanted, datapath=machine.datapath)
        hearer.socket.settimeout(0.5)
        ping = room.start("ping", "-c", "3", "-i", "0.2", "-W", "30", "10.0.0.2", host="h1")
        held.callback(process.stop, ping)
        tunnels = set()
        to_there = ("set", Attributes(tunnel=outer(1, 4, VNI)[0])), ("output", 2)
        while ping.poll() is None:
            try:
                miss = hearer.receive()
            except TimeoutError:
                continue
            assert isinstance(miss, Message) and miss.command == "miss"
            key = miss.attributes["key"]
            came = key["in_port"] == 2
            if came:
                tunnels.add((key["tunnel"]["id"], key["tunnel"]["ipv4_src"]))
            actions = Attributes(output=1) if came else Attributes(to_there)
            asker.send(FLOW, "new", Attributes(key=key, actions=actions), datapath=machine.datapath)
            given = Attributes(packet=miss.attributes["packet"], key=key, actions=actions)
            asker.send(PACKET, "execute", given, datapath=machine.datapath)
        assert ping.returncode == 0
        assert tunnels == {(VNI, int(ip_address("192.0.2.2")))}
