"""Checksums that a frame's sender has only begun are completed; others stay what they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotswitch.headers.build import build
from hotswitch.headers.parse import parse
from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import BUILT_IN
from hotswitch.netlink.checksums import completed_anyhow, layer_4

REGISTRY = Registry(BUILT_IN)
NETWORKS = {
    "ipv4": (("ipv4", {"src": 0x0A000001, "dst": 0x0A000002}),),
    "ipv6": (("ipv6", {"src": 0xFD << 120 | 1, "dst": 0xFD << 120 | 2}),),
    "tagged": (("vlan", {"vid": 5}), ("ipv4", {"src": 0x0A000001, "dst": 0x0A000002})),
    "options": (("ipv6", {"src": 1, "dst": 2}), ("ipv6_hop_by_hop", {"options": bytes(6)})),
}


def frame(network: str, protocol: str, payload: bytes) -> bytes:
    layers = [("ethernet", {}), *NETWORKS[network], (protocol, {"src": 1000, "dst": 80})]
    return build(REGISTRY, layers, payload)


def begun(whole: bytes) -> bytes:
    """The frame as a host gives it to a device that computes checksums."""
    where = layer_4(parse(REGISTRY, whole))
    assert where is not None
    network, start, protocol = where
    long = whole[network] >> 4 == 6
    addresses = whole[network + 8 : network + 40] if long else whole[network + 12 : network + 20]
    size = (len(whole) - start).to_bytes(2, "big")
    total = sum(
        int.from_bytes(each, "big")
        for each in (addresses[at : at + 2] for at in range(0, len(addresses), 2))
    )
    total += protocol + int.from_bytes(size, "big")
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    at = where.checksum
    return whole[:at] + total.to_bytes(2, "big") + whole[at + 2 :]


@given(st.sampled_from(sorted(NETWORKS)), st.sampled_from(["tcp", "udp"]), st.binary(max_size=300))
def test_what_was_begun_is_completed(network: str, protocol: str, payload: bytes) -> None:
    whole = frame(network, protocol, payload)
    assert completed_anyhow(REGISTRY, whole) == whole
    assert completed_anyhow(REGISTRY, begun(whole)) == whole


@given(st.binary(min_size=1, max_size=100), st.integers(1, 50))
def test_what_follows_the_packet_is_none_of_it(payload: bytes, more: int) -> None:
    whole = frame("ipv4", "tcp", payload)
    assert completed_anyhow(REGISTRY, begun(whole) + bytes(more)) == whole + bytes(more)


@given(st.binary(max_size=20), st.integers(1, 40))
def test_a_frame_that_is_cut_off_stays_as_it_is(payload: bytes, cut: int) -> None:
    short = begun(frame("ipv4", "tcp", payload))[:-cut]
    assert completed_anyhow(REGISTRY, short) == short


@pytest.mark.parametrize("checksum", [b"\0\0", b"\x12\x34"])
def test_other_checksums_are_not_touched(checksum: bytes) -> None:
    """None, and a wrong one, which is the receiver's to find out."""
    whole = frame("ipv4", "udp", b"payload")
    where = layer_4(parse(REGISTRY, whole))
    assert where is not None
    other = whole[: where.checksum] + checksum + whole[where.checksum + 2 :]
    assert completed_anyhow(REGISTRY, other) == other


@given(st.binary(min_size=1, max_size=120))
def test_whatever_it_is_there_is_no_exception(data: bytes) -> None:
    ethernet = bytes(12) + b"\x08\0"
    for each in (data, ethernet + data, ethernet + b"\x45" + data):
        assert len(completed_anyhow(REGISTRY, each)) == len(each)
