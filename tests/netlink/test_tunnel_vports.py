"""Vports of the type vxlan: their devices come and go with them, and only with them."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hotswitch.headers.registry import Registry
from hotswitch.kernel.links import Link
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.families.controller import CONTROLLER
from hotswitch.netlink.families.datapath import DATAPATH
from hotswitch.netlink.families.socket import SOCKET
from hotswitch.netlink.families.vport import GENEVE, VPORT, VXLAN
from hotswitch.netlink.flags import ECHO
from hotswitch.netlink.message import Acknowledgement, Message
from hotswitch.netlink.server import vxlan_devices
from hotswitch.switch.marks import is_marked
from tests.netlink.asked import new_datapath, new_vport
from tests.netlink.outside import World
from tests.netlink.socket_client import SocketClient
from tests.support import process
from tests.support.daemon import Daemon
from tests.support.room import Room
from tests.support.wait import until

PORT = 4799


def new_vxlan(name: str = "vx0", port: int = PORT, **more: Any) -> Attributes:
    return new_vport(name, VXLAN, options=Attributes(destination_port=port, **more))


def names(client: SocketClient, datapath: int) -> list[str]:
    return [each.attributes["name"] for each in client.list(VPORT, datapath=datapath)]


# Without devices


@pytest.fixture
def world(registry: Registry) -> World:
    return World(registry)


def test_it_says_its_port_and_keeps_it(world: World) -> None:
    client = world.client()
    datapath = client.ask(DATAPATH, "new", new_datapath()).datapath
    made = client.ask(VPORT, "new", new_vxlan(), datapath=datapath).attributes
    assert made["type"] == VXLAN and made["options"] == Attributes(destination_port=PORT)
    assert [name for name, _ in made][-1] == "options"
    world.restart()
    client = world.client()
    again = client.ask(VPORT, "get", Attributes(name="vx0")).attributes
    assert again == made
    client.ask(VPORT, "del", Attributes(name="vx0"))
    assert "vx0" not in world.outside.devices


@pytest.mark.parametrize(
    ("attributes", "error", "path"),
    [
        (new_vport("vx0", VXLAN), errno.EINVAL, ""),
        (new_vport("vx0", VXLAN, options=Attributes()), errno.EINVAL, "options"),
        (
            new_vxlan(extension=Attributes(gbp=True)),
            errno.EOPNOTSUPP,
            "options.extension.gbp",
        ),
        (new_vxlan("p1"), errno.EEXIST, "name"),
        (new_vxlan("vx0", 4800), errno.EEXIST, ""),
        (new_vxlan() + Attributes(ifindex=77), errno.EOPNOTSUPP, "ifindex"),
        (new_vport("gn0", GENEVE), errno.EAFNOSUPPORT, "type"),
    ],
)
def test_what_is_refused_makes_nothing(
    world: World, attributes: Attributes, error: int, path: str
) -> None:
    client = world.client()
    client.ask(SOCKET, "option", Attributes(extended=True))
    datapath = client.ask(DATAPATH, "new", new_datapath()).datapath
    world.outside.add_device("p1")
    client.ask(VPORT, "new", new_vxlan("other", 4800), datapath=datapath)
    before = dict(world.outside.devices)
    (answer,) = client.request(VPORT, "new", attributes, datapath=datapath)
    assert isinstance(answer, Acknowledgement)
    assert answer.error == error
    assert answer.attributes["message"].startswith(path)
    assert world.outside.devices == before


def test_another_port_s_device_is_no_netdev(world: World) -> None:
    client = world.client()
    datapath = client.ask(DATAPATH, "new", new_datapath()).datapath
    client.ask(VPORT, "new", new_vxlan(), datapath=datapath)
    assert client.refused(VPORT, "new", new_vport("vx0"), datapath=datapath) == errno.EINVAL


def test_a_port_of_which_nothing_was_kept_goes_with_its_device(world: World) -> None:
    """As after a kill between the port's addition and its record."""
    client = world.client()
    datapath = client.ask(DATAPATH, "new", new_datapath()).datapath
    before = world.memory.data
    client.ask(VPORT, "new", new_vxlan(), datapath=datapath)
    world.memory.data = before
    world.restart()
    assert list(world.outside.devices) == ["dp1"]
    assert len(world.outside.made["dp1"].ports()) == 1


def test_a_device_is_known_by_its_mark_or_by_its_address() -> None:
    address = vxlan_devices.address_of("me", "vx0")
    assert address >> 40 & 3 == 2
    for link, known in (
        (Link(7, "vx0", "vxlan", address=address), True),
        (Link(7, "vx0", "dummy", address=address), False),
        (Link(7, "vx0", "vxlan", address=address + 1), False),
        (Link(7, "vx1", "vxlan", address=address), False),
        (Link(7, "new", "vxlan", alternative_names=("hotswitch-me-vxlan-vx0",)), True),
        (Link(7, "new", "vxlan", alternative_names=("hotswitch-you-vxlan-vx0",)), False),
    ):
        assert vxlan_devices.is_made("me", link) is known


def test_no_bridge_adopts_a_device_that_was_made() -> None:
    mark = vxlan_devices.mark("a1b2-netlink", "vx0")
    assert is_marked(Link(7, "vx0", "vxlan", alternative_names=(mark,)))
    assert not is_marked(Link(7, "vx0", "vxlan", alternative_names=("overlay",)))


def test_only_a_device_that_is_told_outer_headers_has_a_tunnel_port() -> None:
    for details, port in (
        ((("collect_metadata", 1), ("port", PORT)), PORT),
        ((("collect_metadata", 0), ("id", 7), ("port", PORT)), 0),
    ):
        assert vxlan_devices.tunnel_port(Link(7, "vx0", "vxlan", details=details)) == port
    assert vxlan_devices.tunnel_port(Link(7, "d0", "dummy")) == 0


# With devices


class Lab:
    """A daemon with a datapath dp1."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.room = daemon.room
        with self.client() as client:
            self.datapath = client.ask(DATAPATH, "new", new_datapath()).datapath

    def client(self) -> SocketClient:
        return SocketClient(self.daemon.run_dir / "netlink.sock")

    def link(self, name: str) -> dict[str, Any]:
        """What iproute2 says of a link; empty if there is none."""
        said = self.room.run("ip", "-d", "-j", "link", "show", name, check=False)
        found: dict[str, Any] = json.loads(said.stdout)[0] if said.stdout else {}
        return found


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with Room() as room, Daemon(room, tmp_path / "run") as daemon:
        yield Lab(daemon)
        assert "Traceback" not in daemon.log, daemon.log


def test_a_device_is_made_as_the_kernel_s_module_makes_it(lab: Lab) -> None:
    with lab.client() as client:
        made = client.ask(VPORT, "new", new_vxlan(), datapath=lab.datapath).attributes
        link = lab.link("vx0")
        assert link["ifindex"] == made["ifindex"]
        assert "UP" in link["flags"] and link["mtu"] == 65000
        data = link["linkinfo"]["info_data"]
        assert data["external"] and data["port"] == PORT and data["udp_zero_csum6_rx"]
        assert not data["learning"]
        assert "inet6" not in lab.room.run("ip", "address", "show", "vx0").stdout
        # One external device a port.
        client.send(SOCKET, "option", Attributes(extended=True))
        client.send(VPORT, "new", new_vxlan("vx1"), datapath=lab.datapath)
        refused = client.receive()
        assert isinstance(refused, Acknowledgement) and refused.error == errno.EEXIST
        assert refused.attributes["message"].startswith(
            f"options.destination_port: {PORT} is the UDP port of vx0"
        )
        assert lab.link("vx1") == {}
        client.ask(VPORT, "del", Attributes(name="vx0"))
        assert lab.link("vx0") == {}
        client.ask(VPORT, "new", new_vxlan(), datapath=lab.datapath)
        client.ask(DATAPATH, "del", datapath=lab.datapath)
        assert lab.link("vx0") == {}


def test_after_a_kill_ports_are_kept_and_strays_go(lab: Lab) -> None:
    room = lab.room
    with lab.client() as client:
        kept = client.ask(VPORT, "new", new_vxlan(), datapath=lab.datapath).attributes
        (mark,) = lab.link("vx0")["altnames"]
        assert lab.daemon.process
        process.stop(lab.daemon.process)
    owner = mark.removeprefix("hotswitch-").removesuffix("-vxlan-vx0")
    # A port's device that no datapath has, one that has no mark yet, and one of somebody else.
    external = ("type", "vxlan", "external", "dstport")
    address = vxlan_devices.address_of(owner, "vx2").to_bytes(6, "big").hex(":")
    room.run("ip", "link", "add", "vx1", *external, "5001")
    room.run("ip", "link", "property", "add", "dev", "vx1", "altname", mark.replace("vx0", "vx1"))
    room.run("ip", "link", "add", "vx2", "address", address, *external, "5002")
    room.run("ip", "link", "add", "vx3", *external, "5003")
    lab.daemon.start()
    assert [bool(lab.link(f"vx{number}")) for number in range(4)] == [True, False, False, True]
    with lab.client() as client:
        again = client.ask(VPORT, "get", Attributes(name="vx0")).attributes
        assert again["options"] == kept["options"] and again["ifindex"] == kept["ifindex"]
    lab.daemon.do("shutdown --stop-forwarding")
    assert not lab.link("vx0") and lab.link("vx3")


def test_others_devices_are_taken_and_left(lab: Lab) -> None:
    """As ovs-vswitchd does: it makes the device itself and adds it as a netdev."""
    name = "vxlan_sys_4789"
    lab.room.run("ip", "link", "add", name, "type", "vxlan", "external", "dstport", "4789")
    with lab.client() as client:
        added = client.ask(VPORT, "new", new_vport(name), datapath=lab.datapath).attributes
        assert "options" not in added
        client.ask(VPORT, "del", Attributes(name=name))
        assert lab.link(name)
        client.ask(VPORT, "new", new_vport(name), datapath=lab.datapath)
        client.ask(DATAPATH, "del", datapath=lab.datapath)
        assert lab.link(name)


def test_a_port_whose_device_somebody_deletes_goes(lab: Lab) -> None:
    with lab.client() as client, lab.client() as hearer:
        about = hearer.ask(CONTROLLER, "getfamily", Attributes(family_name="ovs_vport"))
        hearer.ask(SOCKET, "join", Attributes(group=about.attributes["groups"][1]["id"]))
        client.ask(VPORT, "new", new_vxlan(), datapath=lab.datapath, flags=ECHO)
        made = hearer.receive()
        assert isinstance(made, Message) and made.command == "new"
        assert made.attributes["options"] == Attributes(destination_port=PORT)
        lab.room.run("ip", "link", "set", "vx0", "name", "vx9")
        until(lambda: "vx9" in names(client, lab.datapath), "its name is followed")
        lab.room.run("ip", "link", "delete", "vx9")
        gone = hearer.receive()
        assert isinstance(gone, Message) and gone.command == "del"
        assert gone.attributes["name"] == "vx9"
        client.ask(VPORT, "new", new_vxlan(), datapath=lab.datapath)
