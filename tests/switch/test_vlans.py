"""VLANs mean what they mean in Open vSwitch: every mode, every kind of tag, in and out."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotswitch.headers.registry import Registry
from hotswitch.model.port import Address
from hotswitch.switch.desired import DesiredBridge, DesiredPort, VlanMode
from tests.switch.lab import BROADCAST, Lab, Tag, frame
from tests.switch.wishes import bridge

HOST, OTHER = 0x020000000001, 0x020000000002

# As `ovs-vsctl add-port` was told them when the cases were recorded; the local port is br0.
BRIDGE = bridge(
    "br0",
    "p1",
    DesiredPort("p2", tag=10),
    DesiredPort("p3", trunks=(10, 20)),
    DesiredPort("p4", trunks=(0, 10)),
    DesiredPort("p5", mode=VlanMode.NATIVE_TAGGED, tag=10),
    DesiredPort("p6", mode=VlanMode.NATIVE_UNTAGGED, tag=10, trunks=(20,)),
    DesiredPort("p7", mode=VlanMode.ACCESS),
    DesiredPort("p8", mode=VlanMode.NATIVE_TAGGED, trunks=(20,)),
    DesiredPort("p9", tag=20),
)

Case = tuple[str, str, dict[str, str]]


def read_cases() -> list[Case]:
    """The recorded cases: ingress port, its tag, and by egress port the tag there."""
    cases = []
    for line in Path(__file__).with_name("open_vswitch.txt").read_text().splitlines():
        if line.startswith("#"):
            continue
        came, left = (half.strip() for half in line.split(":"))
        port, tag = came.split()
        egress = {}
        for group in [] if left == "dropped" else left.split(" | "):
            egress_tag, ports = group.split(" to ")
            egress |= {name(each): egress_tag for each in ports.split()}
        cases.append((name(port), tag, egress))
    return cases


def name(recorded: str) -> str:
    return "br0" if recorded == "local" else recorded


CASES = read_cases()


def tagged(tag: str, destination: int = BROADCAST) -> bytes:
    """A frame with the tag of a case: "-" or VLAN/priority."""
    if tag == "-":
        return frame(HOST, destination)
    vid, pcp = map(int, tag.split("/"))
    return frame(HOST, destination, Tag(vid, pcp))


def test_all_ports_and_tags_are_there() -> None:
    assert len(CASES) == 10 * 6
    assert {port for port, _, _ in CASES} == {"br0", *BRIDGE.ports}


@pytest.mark.parametrize(("port", "tag", "egress"), CASES, ids=lambda each: str(each)[:20])
def test_flooding(registry: Registry, port: str, tag: str, egress: dict[str, str]) -> None:
    assert Lab(registry, BRIDGE).send(port, tagged(tag)) == {
        each: tagged(left) for each, left in egress.items()
    }


@pytest.mark.parametrize(("port", "tag", "egress"), CASES, ids=lambda each: str(each)[:20])
def test_a_known_destination_gets_the_same_frame(
    registry: Registry, port: str, tag: str, egress: dict[str, str]
) -> None:
    for target, left in egress.items():
        lab = Lab(registry, BRIDGE)
        for vlan in (0, 10, 20, 30):
            lab.datapath.put_address(Address(vlan, OTHER, lab.numbers[target], static=True))
        assert lab.send(port, tagged(tag, OTHER)) == {target: tagged(left, OTHER)}


@pytest.mark.parametrize(("port", "tag", "egress"), CASES, ids=lambda each: str(each)[:20])
def test_the_source_is_learned_where_the_frame_is_taken(
    registry: Registry, port: str, tag: str, egress: dict[str, str]
) -> None:
    lab = Lab(registry, BRIDGE)
    lab.send(port, tagged(tag))
    assert [(mac, where) for _, mac, where in lab.addresses()] == [(HOST, port)] * bool(egress)


def test_a_frame_that_keeps_its_tag_keeps_all_of_it(registry: Registry) -> None:
    sent = frame(HOST, BROADCAST, Tag(30, pcp=7, dei=1, ethertype=0x88A8))
    assert Lab(registry, BRIDGE).send("p1", sent) == {"br0": sent, "p5": sent}


def test_an_inner_tag_is_payload(registry: Registry) -> None:
    inner = Tag(20, pcp=3)
    lab = Lab(registry, BRIDGE)
    double = frame(HOST, BROADCAST, Tag(10, pcp=1), inner)
    out = lab.send("p1", double)
    assert out["p2"] == out["p6"] == frame(HOST, BROADCAST, inner)
    assert out["p3"] == out["p4"] == out["p5"] == out["br0"] == double
    from_access = lab.send("p2", frame(HOST, BROADCAST, Tag(0, pcp=1), inner))
    assert from_access["p6"] == frame(HOST, BROADCAST, inner)
    assert from_access["p1"] == double
    bare_inner = frame(HOST, BROADCAST, inner)
    in_vlan_0 = lab.send("p1", frame(HOST, BROADCAST, Tag(0), inner))
    assert in_vlan_0 == {"p4": bare_inner, "p7": bare_inner, "br0": bare_inner}


@pytest.mark.parametrize("vlan", [1, 4094, 4095])
def test_the_ends_of_the_range(registry: Registry, vlan: int) -> None:
    made = bridge("br0", DesiredPort("a", tag=vlan), DesiredPort("b", trunks=(vlan,)))
    out = Lab(registry, made).send("a", frame(HOST, BROADCAST))
    assert set(out) == {"b", "br0"}
    assert out["b"] == frame(HOST, BROADCAST, Tag(vlan))


def test_the_local_port_can_be_in_a_vlan(registry: Registry) -> None:
    made: DesiredBridge = bridge("br0", DesiredPort("a", tag=10), DesiredPort("br0", tag=10))
    assert Lab(registry, made).send("a", frame(HOST, BROADCAST)) == {"br0": frame(HOST, BROADCAST)}
