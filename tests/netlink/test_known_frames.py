"""Frames whose form is known have the keys that parsing gives them, and one hash both ways."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotswitch.headers.parse import parse
from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import BUILT_IN
from hotswitch.model.port import Upcall
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.checksums import begun, completed_anyhow, layer_4
from hotswitch.netlink.codec import Codec
from hotswitch.netlink.families.datapath import UNALIGNED
from hotswitch.netlink.families.keys import KEY
from hotswitch.netlink.families.packet import PACKET
from hotswitch.netlink.keys import key_of_frame
from hotswitch.netlink.known_frames import FrameKeys, flow_hash
from hotswitch.netlink.message import Message
from hotswitch.netlink.nested import Encoded
from hotswitch.netlink.server.misses import Misses

REGISTRY = Registry(BUILT_IN)
_ETHERNET = "0a00000000020a0000000001"
_IPV4 = "080045{tos:02x}003c1234{flags:04x}{ttl:02x}{protocol:02x}abcd0a0000010a000002"
_IPV6 = "86dd6000000000140640fd00" + "00" * 13 + "01fd00" + "00" * 13 + "02"
_TCP = "03e8005000000001000000005002ffffabcd0000"
_UDP = "03e8{port:04x}0028abcd"


def _ipv4(protocol: int, payload: str, flags: int = 0) -> bytes:
    header = _IPV4.format(tos=0, flags=flags, ttl=64, protocol=protocol)
    return bytes.fromhex(_ETHERNET + header + payload)


FRAMES = {
    "tcp": _ipv4(6, _TCP),
    "tcp, not to be fragmented": _ipv4(6, _TCP, 0x4000),
    "tcp, first fragment": _ipv4(6, _TCP, 0x2000),
    "tcp, later fragment": _ipv4(6, _TCP, 0x0010),
    "udp": _ipv4(17, _UDP.format(port=80) + "00" * 20),
    "vxlan": _ipv4(17, _UDP.format(port=4789) + "0800000000000100" + _ETHERNET + "0800"),
    "icmp": _ipv4(1, "0800abcd00010002" + "00" * 20),
    "protocol 99": _ipv4(99, "00" * 20),
    "ipv6": bytes.fromhex(_ETHERNET + _IPV6 + _TCP),
    "arp": bytes.fromhex(
        _ETHERNET + "080600010800060400010a00000000010a0000010000000000000a000002"
    ),
    "vlan": bytes.fromhex(_ETHERNET + "81000005") + _ipv4(6, _TCP)[12:],
    "802.3": bytes.fromhex(_ETHERNET + "0026" + "42" * 38),
}


def _seen(keys: FrameKeys, frame: bytes, in_port: int) -> tuple[bytes, int, bytes]:
    return keys.of(Upcall(0, 0, in_port, 0, len(frame), frame))


def _parsed(frame: bytes, in_port: int) -> tuple[bytes, int, bytes]:
    key = key_of_frame(REGISTRY, frame, in_port)
    return KEY.encode(key), flow_hash(key), completed_anyhow(REGISTRY, frame)


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """One of the frames with a few bits changed, or cut off, or longer."""
    frame = bytearray(draw(st.sampled_from(sorted(FRAMES.values()))))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(frame) - 1))
        frame[at] = draw(st.one_of(st.integers(0, 255), st.just(frame[at] ^ 1)))
    if not draw(st.integers(0, 5)):
        del frame[draw(st.integers(14, len(frame))) :]
    return bytes(frame) + bytes(draw(st.integers(0, 8)))


@given(st.lists(st.tuples(changed(), st.integers(1, 2)), min_size=1, max_size=30))
@settings(max_examples=300, deadline=None)
def test_they_are_understood_as_when_parsed(frames: list[tuple[bytes, int]]) -> None:
    keys = FrameKeys(REGISTRY)
    for frame, in_port in frames:
        assert _seen(keys, frame, in_port) == _parsed(frame, in_port)
        assert _seen(keys, frame, in_port) == _parsed(frame, in_port)


@given(
    st.sampled_from(["tcp", "udp", "ipv6", "vlan"]),
    st.lists(st.tuples(st.binary(min_size=4, max_size=4), st.booleans()), min_size=2, max_size=9),
)
def test_checksums_are_completed_as_when_parsed(name: str, ends: list[tuple[bytes, bool]]) -> None:
    keys = FrameKeys(REGISTRY)
    where = layer_4(parse(REGISTRY, FRAMES[name]))
    assert where is not None
    is_completed = []
    for end, is_begun in ends:
        frame = FRAMES[name][:30] + end + FRAMES[name][34:] + bytes(40)
        if is_begun:
            frame = begun(frame, where)
        seen = _seen(keys, frame, 1)
        assert seen == _parsed(frame, 1)
        is_completed.append(seen[2] != frame)
    assert is_completed == [is_begun for _, is_begun in ends]


@pytest.mark.parametrize("name", ["tcp", "udp", "ipv6", "arp"])
def test_frames_of_one_flow_after_the_other_are_not_parsed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = FrameKeys(REGISTRY)
    frame = FRAMES[name]
    _seen(keys, frame, 1)
    other = bytearray(frame)
    other[5], other[29], other[37] = 9, 9, 9
    expected = _parsed(bytes(other), 1)
    monkeypatch.setattr("hotswitch.netlink.known_frames.key_of_frame", None)
    assert _seen(keys, bytes(other), 1) == expected
    assert expected != _seen(keys, frame, 1)


def test_both_directions_have_one_hash() -> None:
    there = FRAMES["tcp"]
    back = there[6:12] + there[:6] + there[12:26] + there[30:34] + there[26:30]
    back += there[36:38] + there[34:36] + there[38:]
    keys = FrameKeys(REGISTRY)
    for _ in range(2):
        assert _seen(keys, there, 1)[1] == _seen(keys, back, 2)[1]


@given(st.binary(min_size=14, max_size=80), st.integers(0, 2**34), st.sampled_from([0, UNALIGNED]))
def test_messages_are_the_codec_s(frame: bytes, number: int, features: int) -> None:
    codec = Codec()
    key = Encoded(KEY.encode(key_of_frame(REGISTRY, frame, 1)))
    said = Attributes([("key", key), ("hash", number), ("packet", frame)])
    message = Message(PACKET, "miss", said, 7, padded=not features & UNALIGNED)
    assert Misses(codec).encode(7, key, number, frame, features) == codec.encode(message)
