"""Against scapy: the same packets, built and read by someone else."""

from __future__ import annotations

import pytest

from hotswitch.headers.build import build
from hotswitch.headers.parse import parse
from hotswitch.headers.registry import Registry
from tests.headers.packets import CASES


def layer_names(stack: list[tuple[str, object]]) -> list[str]:
    seen: dict[str, int] = {}
    names = []
    for name, _ in stack:
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}{seen[name]}")
    return names


@pytest.mark.parametrize("name", CASES)
def test_builds_what_scapy_builds(registry: Registry, name: str) -> None:
    case = CASES[name]
    assert build(registry, case.stack, case.payload).hex() == bytes(case.packet).hex()


@pytest.mark.parametrize("name", CASES)
def test_reads_what_scapy_has_built(registry: Registry, name: str) -> None:
    case = CASES[name]
    frame = bytes(case.packet)
    parsed = parse(registry, frame)
    assert list(parsed.layers) == layer_names(case.stack)
    assert not parsed.malformed
    assert frame[parsed.end :] == case.payload
    for placed, (_, given) in zip(parsed.layers.values(), case.stack, strict=True):
        numbers = {key: value for key, value in given.items() if isinstance(value, int)}
        assert {key: placed.values[key] for key in numbers} == numbers


@pytest.mark.parametrize("name", CASES)
def test_truncated_anywhere_keeps_the_whole_headers(registry: Registry, name: str) -> None:
    frame = bytes(CASES[name].packet)
    whole = parse(registry, frame)
    for length in range(len(frame)):
        parsed = parse(registry, frame[:length])
        if length < 14:
            assert parsed.malformed and not parsed.layers and parsed.end == 0
            continue
        kept = {
            layer: placed
            for layer, placed in whole.layers.items()
            if placed.offset + placed.length <= length
        }
        assert parsed.layers == kept
        cut = next((layer for layer in whole.layers if layer not in kept), None)
        optional = cut is not None and registry.layers[cut].header.optional
        assert parsed.malformed == (cut is not None and not optional)


@pytest.mark.parametrize(
    ("name", "ethertype", "ip_protocol"),
    [
        ("arp", 0x0806, 0),
        ("udp over q-in-q", 0x0800, 17),
        ("later ipv4 fragment", 0x0800, 17),
        ("ipv6, extension headers, udp", 0x86DD, 17),
        ("later ipv6 fragment", 0x86DD, 6),
        ("authentication header over ipv4", 0x0800, 6),
        ("three labels", 0x8847, 0),
    ],
)
def test_the_keys_shown(registry: Registry, name: str, ethertype: int, ip_protocol: int) -> None:
    parsed = parse(registry, bytes(CASES[name].packet))
    assert parsed.keys == {"ethertype": ethertype, "ip_protocol": ip_protocol}
