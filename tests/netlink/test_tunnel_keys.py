"""Tunnel keys: matched, set, told of packets that come to user space."""

from __future__ import annotations

import contextlib
import errno
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from hypothesis import given

from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import BUILT_IN
from hotswitch.kernel.tunnel_key import TunnelKey
from hotswitch.model.text import show_actions, show_match
from hotswitch.netlink.actions import actions_of
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.families.datapath import DATAPATH
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.families.keys import KEY, Ethernet
from hotswitch.netlink.families.packet import PACKET
from hotswitch.netlink.families.socket import SOCKET
from hotswitch.netlink.families.tunnels import TUNNEL_KEY
from hotswitch.netlink.families.vport import VPORT, VXLAN
from hotswitch.netlink.flags import ACK, CREATE, DUMP, ECHO
from hotswitch.netlink.flows import beside_of, match_of
from hotswitch.netlink.keys import key_of, key_of_frame
from hotswitch.netlink.message import Acknowledgement, Message
from hotswitch.netlink.tunnel_keys import ports_said
from tests.netlink.action_attributes import attributes_of
from tests.netlink.asked import frame, new_datapath, new_vport
from tests.netlink.outside import Client, World
from tests.netlink.values import of_set

REGISTRY = Registry(BUILT_IN)
SRC, DST = (int(IPv4Address(text)) for text in ("192.0.2.2", "192.0.2.1"))
SRC6, DST6 = (int(IPv6Address(text)) for text in ("2001:db8::2", "2001:db8::1"))
TUNNEL = Attributes(id=5, ipv4_src=SRC, ipv4_dst=DST, tos=8, ttl=64, checksum=True)
TUNNEL6 = Attributes(id=5, ipv6_src=SRC6, ipv6_dst=DST6, ttl=64)
ALL = Attributes(
    id=(1 << 64) - 1,
    ipv4_src=0xFFFFFFFF,
    ipv4_dst=0xFFFFFFFF,
    tos=0xFF,
    ttl=0,
    dont_fragment=True,
    checksum=True,
)
WHOLE = "tunnel_flags=0x5/0x105,tunnel_id=5,tunnel_src=192.0.2.2,tunnel_tos=0x8"
KNOWN = {"in_port": 1}


def key(**more: Any) -> Attributes:
    return Attributes(in_port=3, ethernet=Ethernet.value(src=0, dst=0), **more)


def mask(**more: Any) -> Attributes:
    return Attributes(in_port=0xFFFFFFFF, **more)


def without(attributes: Attributes, *names: str) -> Attributes:
    return Attributes(each for each in attributes if each[0] not in names)


@pytest.mark.parametrize(
    ("tunnel", "under", "expected"),
    [
        (TUNNEL, ALL, f"tunnel=4,tunnel_dst=192.0.2.1,{WHOLE}"),
        (TUNNEL, Attributes(ttl=0), "tunnel=4"),
        (TUNNEL, None, ""),
        (TUNNEL, Attributes(id=0xFF), "tunnel=4,tunnel_flags=0x4/0x4,tunnel_id=0x5/0xff"),
        (TUNNEL, Attributes(ipv4_src=0xFFFFFF00), "tunnel=4,tunnel_src=192.0.2.0/24"),
        (
            TUNNEL6,
            Attributes(ipv6_dst=(1 << 128) - 1, ttl=0xFF, oam=True),
            "tunnel=6,tunnel_flags=0x0/0x200,tunnel_ipv6_dst=2001:db8::1,tunnel_ttl=64",
        ),
        (
            without(TUNNEL, "id"),
            Attributes(id=7),
            "tunnel=4,tunnel_flags=0x0/0x4,tunnel_id=0x0/0x7",
        ),
        (None, Attributes(ttl=0), ""),
        (None, Attributes(id=1), "tunnel=0"),
        (
            TUNNEL + Attributes(src_port=7, dst_port=4789, vxlan_options=Attributes(gbp=7)),
            Attributes(ttl=0),
            "tunnel=4",
        ),
    ],
)
def test_what_a_flow_matches(
    tunnel: Attributes | None, under: Attributes | None, expected: str
) -> None:
    flow = key() if tunnel is None else key(tunnel=tunnel)
    masked = mask() if under is None else mask(tunnel=under)
    match = match_of(REGISTRY, flow, masked)
    terms = [each for each in show_match(REGISTRY, match).split(",") if "tunnel" in each]
    assert ",".join(terms) == expected
    again, masked_again = key_of(REGISTRY, match)
    assert match_of(REGISTRY, again, masked_again) == match
    if tunnel is not None and under == ALL:
        assert without(again["tunnel"], "ttl") == without(tunnel, "ttl")
        assert masked_again["tunnel"] == under


def test_without_a_mask_everything_counts() -> None:
    match = match_of(REGISTRY, key(tunnel=TUNNEL))
    text = show_match(REGISTRY, match)
    assert "tunnel_flags=0x5/0x305" in text and "tunnel_ttl=64" in text and "ipv6_src" not in text
    again, masked = key_of(REGISTRY, match)
    assert again["tunnel"] == TUNNEL
    assert match_of(REGISTRY, again, masked) == match


@pytest.mark.parametrize(
    ("tunnel", "under", "path", "reason"),
    [
        (Attributes(id=5), Attributes(), "key.tunnel", "destination is missing"),
        (without(TUNNEL, "ttl"), Attributes(), "key.tunnel", "ttl is missing"),
        (TUNNEL + TUNNEL6, Attributes(), "key.tunnel", "mixed"),
        (TUNNEL, Attributes(ipv6_src=1), "key.tunnel.ipv6_src", "other IP version"),
        (TUNNEL, Attributes(dst_port=0xFFFF), "key.tunnel.dst_port", "UDP ports"),
        (TUNNEL + Attributes(src_port=9), None, "key.tunnel.src_port", "UDP ports"),
        (
            TUNNEL + Attributes(vxlan_options=Attributes(gbp=1)),
            None,
            "key.tunnel.vxlan_options",
            "beyond its id",
        ),
    ],
)
def test_what_can_not_be_matched(
    tunnel: Attributes, under: Attributes | None, path: str, reason: str
) -> None:
    masked = None if under is None else mask(tunnel=under)
    with pytest.raises(NetlinkError, match=reason) as caught:
        match_of(REGISTRY, key(tunnel=tunnel), masked)
    assert caught.value.attribute == path
    assert caught.value.errno == errno.EINVAL


@given(of_set(TUNNEL_KEY, 8), of_set(TUNNEL_KEY, 8))
def test_any_tunnel_is_translated_or_refused(tunnel: Attributes, under: Attributes) -> None:
    with contextlib.suppress(NetlinkError):
        match = match_of(REGISTRY, key(tunnel=tunnel), mask(tunnel=under))
        again, masked = key_of(REGISTRY, match)
        assert match_of(REGISTRY, again, masked) == match
        KEY.encode(again), KEY.encode(masked)


def test_a_packet_s_key_has_the_tunnel_that_it_came_by() -> None:
    for tunnel in (TUNNEL, TUNNEL6, TUNNEL + Attributes(oam=True)):
        beside = beside_of(REGISTRY, key(tunnel=tunnel))
        assert beside.pop("in_port") == 3
        found = key_of_frame(REGISTRY, frame(1), 3, beside.items())
        assert found["tunnel"] == tunnel
        place = found.names.index("tunnel")
        assert found.names[place - 1 : place + 2] == ("priority", "tunnel", "in_port")
        assert match_of(REGISTRY, found)
    assert "tunnel" not in key_of_frame(REGISTRY, frame(1), 3)


# Actions


TO = Attributes(id=7, ipv4_dst=SRC, ttl=64)
SET = (
    "set:out_tunnel=4,set:out_tunnel_flags={},set:out_tunnel_id=7,"
    "set:out_tunnel_src={},set:out_tunnel_dst=192.0.2.2,set:out_tunnel_tos={},set:out_tunnel_ttl=64"
)


def actions(*pairs: tuple[str, Any]) -> str:
    found = actions_of(REGISTRY, Attributes(pairs), KNOWN)
    back = attributes_of(REGISTRY, *found, KNOWN)
    assert actions_of(REGISTRY, back, KNOWN).actions == found.actions
    shown = show_actions(REGISTRY, found.actions).split(",")
    order = ("", "_flags", "_id", "_src", "_dst", "_ipv6_src", "_ipv6_dst", "_tos", "_ttl")
    names = [f"set:out_tunnel{each}" for each in order]
    # In the order of the names above, which is not that of the fields.
    runs: list[str] = []
    while shown:
        run = []
        while shown and shown[0].startswith("set:out_tunnel"):
            run.append(shown.pop(0))
        runs += sorted(run, key=lambda each: names.index(each.partition("=")[0]))
        if shown:
            runs.append(shown.pop(0))
    return ",".join(runs)


def set_tunnel(key: Attributes) -> tuple[str, Attributes]:
    return "set", Attributes(tunnel=key)


def test_setting_says_everything() -> None:
    plain = SET.format("0x4", "0.0.0.0", "0x0")
    assert actions(set_tunnel(TO), ("output", 2)) == f"{plain},output:2"
    more = TO + Attributes(ipv4_src=DST, tos=4, dont_fragment=True, checksum=True, dst_port=4789)
    assert actions(set_tunnel(more)) == SET.format("0x105", "192.0.2.1", "0x4")


def test_what_is_said_already_is_not_said_again() -> None:
    other = Attributes(id=9, ipv4_dst=SRC, ttl=64)
    plain = SET.format("0x4", "0.0.0.0", "0x0")
    said = actions(set_tunnel(TO), ("output", 2), set_tunnel(other), ("output", 2))
    assert said == f"{plain},output:2,set:out_tunnel_id=9,output:2"
    six = Attributes(id=9, ipv6_dst=SRC6, ttl=64)
    said = actions(set_tunnel(TO), ("output", 2), set_tunnel(six), ("output", 2))
    assert said == (
        f"{plain},output:2,set:out_tunnel=6,set:out_tunnel_id=9,set:out_tunnel_ipv6_src=::,"
        "set:out_tunnel_ipv6_dst=2001:db8::2,output:2"
    )


@pytest.mark.parametrize(
    ("key", "path", "reason"),
    [
        (Attributes(id=1), "", "destination is missing"),
        (Attributes(ipv4_src=1, ttl=1), ".ipv4_dst", "destination is missing"),
        (Attributes(ipv4_dst=1), "", "ttl is missing"),
        (TO + Attributes(oam=True), ".oam", "takes this flag"),
        (TO + Attributes(src_port=5), ".src_port", "UDP ports"),
        (without(TO, "id") + Attributes(id=1 << 32), ".id", "32 bits"),
        (TO + Attributes(vxlan_options=Attributes(gbp=1)), ".vxlan_options", "beyond its id"),
    ],
)
def test_what_can_not_be_set(key: Attributes, path: str, reason: str) -> None:
    with pytest.raises(NetlinkError, match=reason) as caught:
        actions_of(REGISTRY, Attributes((set_tunnel(key),)), KNOWN)
    assert caught.value.attribute == f"actions.set[0].tunnel{path}"


@given(of_set(TUNNEL_KEY, 8), of_set(TUNNEL_KEY, 8))
def test_any_setting_is_translated_or_refused(first: Attributes, second: Attributes) -> None:
    with contextlib.suppress(NetlinkError):
        found = actions_of(REGISTRY, Attributes((set_tunnel(first), set_tunnel(second))), KNOWN)
        back = attributes_of(REGISTRY, *found, KNOWN)
        assert actions_of(REGISTRY, back, KNOWN).actions == found.actions


def test_ports_that_are_said() -> None:
    said = set_tunnel(TO + Attributes(dst_port=4789))
    inside = Attributes((("output", 3), set_tunnel(TO), ("output", 4)))
    given = Attributes(
        (("output", 1), said, ("clone", inside), ("output", 2),
         ("sample", Attributes(probability=1, actions=inside)), set_tunnel(TO), ("output", 5))
    )  # fmt: skip
    assert list(ports_said(given)) == [(4789, 3), (4789, 2), (4789, 3)]


# The server


@pytest.fixture
def world(registry: Registry) -> World:
    world = World(registry)
    world.outside.add_device("p1")
    return world


@pytest.fixture
def datapath(world: World) -> int:
    """One with the ports 1 (p1) and 2 (vx0)."""
    client = world.client()
    number = client.ask(DATAPATH, "new", new_datapath()).datapath
    client.ask(VPORT, "new", new_vport("p1"), datapath=number)
    options = Attributes(destination_port=4789)
    client.ask(VPORT, "new", new_vport("vx0", VXLAN, options=options), datapath=number)
    return number


def misses(world: World, datapath: int) -> Client:
    """A client that hears the misses of port 2."""
    client = world.client()
    pid = client.ask(SOCKET, "bind").attributes["port"]
    client.ask(VPORT, "set", Attributes(port=2, upcall_pid=(pid,)), datapath=datapath)
    return client


def came_by(world: World, datapath: int, tunnel: Attributes) -> None:
    """A packet comes in at port 2."""
    beside = beside_of(REGISTRY, Attributes(tunnel=tunnel))
    del beside["in_port"]
    world.outside.engines["dp1"].process(2, frame(1), beside=beside)
    world.server.upcalls(world.server.datapaths[datapath])


def test_a_miss_says_by_which_tunnel_and_a_flow_for_it_hits(world: World, datapath: int) -> None:
    client = misses(world, datapath)
    came_by(world, datapath, TUNNEL)
    (miss,) = client.received()
    assert isinstance(miss, Message) and miss.attributes["key"]["tunnel"] == TUNNEL
    wanted = Attributes(
        ufid=b"u" * 16, key=miss.attributes["key"], mask=mask(tunnel=ALL),
        actions=Attributes(userspace=Attributes(pid=client.session.port)),
    )  # fmt: skip
    client.ask(FLOW, "new", wanted, datapath=datapath, flags=CREATE | ECHO)
    came_by(world, datapath, TUNNEL)
    (action,) = client.received()
    assert isinstance(action, Message) and action.command == "action"
    assert action.attributes["key"]["tunnel"] == TUNNEL
    came_by(world, datapath, TUNNEL6)
    (miss,) = client.received()
    assert isinstance(miss, Message) and miss.command == "miss"
    assert miss.attributes["key"]["tunnel"] == TUNNEL6
    shown, _ = client.request(FLOW, "get", datapath=datapath, flags=DUMP)
    assert isinstance(shown, Message) and shown.attributes["statistics"].packets == 1
    assert without(shown.attributes["key"]["tunnel"], "ttl") == without(TUNNEL, "ttl")
    assert shown.attributes["mask"]["tunnel"] == ALL


def execute(client: Client, datapath: int, *pairs: tuple[str, Any], **metadata: Any) -> int:
    given = Attributes(packet=frame(1), key=Attributes(**metadata), actions=Attributes(pairs))
    (answer,) = client.request(PACKET, "execute", given, datapath=datapath, flags=ACK)
    assert isinstance(answer, Acknowledgement)
    return answer.error


def test_a_packet_is_carried_out_into_a_tunnel(world: World, datapath: int) -> None:
    client = world.client()
    to = TO + Attributes(dst_port=4789, checksum=True, tos=4)
    assert not execute(client, datapath, set_tunnel(to), ("output", 2), ("output", 1), in_port=0)
    index = world.outside.devices["vx0"].port
    sent = TunnelKey(4, 7, SRC, tos=4, ttl=64, checksum=True)
    assert world.outside.sent_in_tunnels == [(index, frame(1), sent)]
    assert world.outside.sent == [(world.outside.devices["p1"].port, frame(1))]


def test_a_packet_is_carried_out_that_came_by_a_tunnel(world: World, datapath: int) -> None:
    client = misses(world, datapath)
    upcall = ("userspace", Attributes(pid=client.session.port))
    asker = world.client()
    assert not execute(asker, datapath, set_tunnel(TO), upcall, tunnel=TUNNEL6, in_port=2)
    (copy,) = client.received()
    assert isinstance(copy, Message) and copy.attributes["key"]["tunnel"] == TUNNEL6


def test_a_copy_says_how_the_packet_is_to_leave(world: World, datapath: int) -> None:
    client, asker = misses(world, datapath), world.client()
    pid = client.session.port
    for port, told in ((2, TO), (1, None), (9, None)):
        upcall = ("userspace", Attributes(pid=pid, egress_port=port))
        assert not execute(asker, datapath, set_tunnel(TO), upcall, in_port=1)
        (copy,) = client.received()
        assert isinstance(copy, Message)
        assert copy.attributes.get("egress_tunnel_key") == told
    assert not execute(asker, datapath, ("userspace", Attributes(pid=pid, egress_port=2)))
    (copy,) = client.received()
    assert isinstance(copy, Message) and "egress_tunnel_key" not in copy.attributes


def test_a_port_other_than_the_device_s_is_refused(world: World, datapath: int) -> None:
    client = world.client()
    wrong = set_tunnel(TO + Attributes(dst_port=8472))
    assert execute(client, datapath, wrong, ("output", 2), in_port=1) == errno.EINVAL
    assert not execute(client, datapath, wrong, ("output", 1), in_port=0)
    flow = Attributes(
        ufid=b"u" * 16, key=key(), mask=mask(), actions=Attributes((wrong, ("output", 2)))
    )
    for _ in range(2):  # it is not remembered as a form either
        assert client.refused(FLOW, "new", flow, datapath=datapath, flags=CREATE) == errno.EINVAL
