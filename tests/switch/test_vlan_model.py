"""Random bridges against a model that follows one frame from port to port, as prose would."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import BUILT_IN
from hotswitch.switch.desired import DesiredPort, VlanMode
from tests.switch.lab import BROADCAST, Lab, Tag, frame
from tests.switch.wishes import bridge

REGISTRY = Registry(BUILT_IN)
HOST, OTHER = 0x020000000001, 0x020000000002

vlan = st.sampled_from((0, 1, 2, 3, 4095))
ports = st.lists(
    st.builds(
        DesiredPort,
        st.sampled_from(("a", "b", "c", "d", "br0")),
        tag=st.none() | vlan,
        trunks=st.lists(vlan, max_size=3, unique=True).map(tuple),
        mode=st.none() | st.sampled_from(VlanMode),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda each: each.name,
)
tags = st.none() | st.builds(Tag, vlan, st.integers(0, 7), st.just(0))


def mode(port: DesiredPort) -> VlanMode:
    return port.mode or (VlanMode.TRUNK if port.tag is None else VlanMode.ACCESS)


def trunks(port: DesiredPort, vid: int) -> bool:
    """Whether a port other than access carries the VLAN."""
    native = port.tag or 0
    if mode(port) is not VlanMode.TRUNK and native:
        if vid == native:
            return True
        if vid == 0:
            return False
    return not port.trunks or vid in port.trunks


def taken(port: DesiredPort, tag: Tag | None) -> Tag | None:
    """The tag that the frame has inside the bridge, or None if it is dropped."""
    vid, pcp = (tag.vid, tag.pcp) if tag else (0, 0)
    if mode(port) is VlanMode.ACCESS:
        return Tag(port.tag or 0, pcp) if vid == 0 else None
    if vid == 0 and mode(port) is not VlanMode.TRUNK:
        return Tag(port.tag or 0, pcp)
    return Tag(vid, pcp) if trunks(port, vid) else None


def carries(port: DesiredPort, vid: int) -> bool:
    return vid == (port.tag or 0) if mode(port) is VlanMode.ACCESS else trunks(port, vid)


def given_out(port: DesiredPort, inside: Tag) -> list[Tag]:
    """The tags with which the frame leaves."""
    is_native = inside.vid == (port.tag or 0)
    if mode(port) is VlanMode.ACCESS or (mode(port) is VlanMode.NATIVE_UNTAGGED and is_native):
        return []
    return [inside] if inside.vid or inside.pcp else []


@given(ports, tags)
@settings(max_examples=400)
def test_flooding_and_answering(members: list[DesiredPort], tag: Tag | None) -> None:
    lab = Lab(REGISTRY, bridge("br0", *members))
    by_name = {"br0": DesiredPort("br0"), **{each.name: each for each in members}}
    source = members[0]
    inside = taken(source, tag)
    expected = {
        name: frame(HOST, BROADCAST, *given_out(port, inside))
        for name, port in by_name.items()
        if inside and name != source.name and carries(port, inside.vid)
    }
    assert lab.send(source.name, frame(HOST, BROADCAST, *([tag] if tag else []))) == expected
    learned = {(inside.vid, HOST, source.name)} if inside else set()
    assert lab.addresses() == learned

    for name, sent in expected.items():  # what a host there would answer in the same way
        received = sent[12:-48]
        came = Tag(int.from_bytes(received[2:4], "big") & 0xFFF) if received else None
        back = taken(by_name[name], came)
        assert inside is not None
        if back and back.vid == inside.vid:
            answer = lab.send(name, frame(OTHER, HOST, *([came] if came else [])))
            assert answer == {source.name: frame(OTHER, HOST, *given_out(source, back))}
