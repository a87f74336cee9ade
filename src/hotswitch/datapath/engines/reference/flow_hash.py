"""A hash of a packet's flow, as docs/pipeline.md, section 5, defines it."""

from __future__ import annotations

from hotswitch.datapath.engines.reference.packet import Packet

MULTIPLIER = 0x9E3779B97F4A7C15
_WORD = (1 << 64) - 1
_LAYER_4 = ("tcp", "udp", "sctp")


def flow_hash(packet: Packet, basis: int) -> int:
    """32 bits, never 0; the same for both directions, and for all fragments."""
    ends = _end(packet, "src") + _end(packet, "dst")
    kind = "ip_protocol" if _is_ip(packet) else "ethertype"
    found = _mixed(basis, ends & _WORD, _read(packet, kind)) & 0xFFFFFFFF
    return found or 1


def _end(packet: Packet, side: str) -> int:
    first = 0 if _is_ip(packet) else _read(packet, f"ethernet.{side}")
    address = _read(packet, f"ipv6.{side}")
    port = 0
    if not _read(packet, "ip_fragment"):
        for layer in _LAYER_4:
            port |= _read(packet, f"{layer}.{side}")
    return _mixed(0, first | _read(packet, f"ipv4.{side}"), address >> 64, address & _WORD, port)


def _mixed(start: int, *numbers: int) -> int:
    result = start
    for number in numbers:
        result = (result ^ number) * MULTIPLIER & _WORD
        result ^= result >> 32
    return result


def _is_ip(packet: Packet) -> bool:
    return bool(_read(packet, "ipv4") or _read(packet, "ipv6"))


def _read(packet: Packet, name: str) -> int:
    return (packet.read(name) or 0) if packet.registry.has(name) else 0
