"""Put the fields that were set into the frame, and let checksums follow (RFC 1624)."""

from __future__ import annotations

from hotswitch.datapath.engines.reference.packet import Packet, Section
from hotswitch.headers.checksum import update
from hotswitch.headers.parse import read_fields, write_fields


def write_back(packet: Packet) -> None:
    """After this, frame and fields say the same.

    Changes of addresses affect headers further in, and any change affects headers further
    out that cover it. So first the one is done from outside in, then the other from inside out.
    """
    sections = packet.in_wire_order()
    for position, section in enumerate(sections):
        if section.was_set:
            _update_own(packet, section)
            _update_inner(packet, section, sections[position + 1 :])
    for position, section in reversed(list(enumerate(sections))):
        new = write_fields(section.header, section.values)
        if section.was_set or new != section.fixed_part(packet.frame):
            _update_outer(packet, section, new, sections[:position])
    for section in sections:
        new = write_fields(section.header, section.values)
        packet.frame[section.offset : section.offset + len(new)] = new
        section.was_set = False


def _update_own(packet: Packet, section: Section) -> None:
    checksum = section.header.checksum
    if checksum is None:
        return
    before = read_fields(section.header, section.fixed_part(packet.frame))
    # The checksum does not cover itself; equal values in both cancel out.
    before[checksum.field] = section.values[checksum.field]
    _update(
        section,
        write_fields(section.header, before),
        write_fields(section.header, section.values),
    )


def _update_inner(packet: Packet, section: Section, inner: list[Section]) -> None:
    header = section.header
    if not header.addresses:
        return
    before = read_fields(header, section.fixed_part(packet.frame))
    old, new = (
        b"".join(
            values[name].to_bytes(header.by_name[name].width // 8, "big")
            for name in header.addresses
        )
        for values in (before, section.values)
    )
    for each in inner:
        if each.header.addresses:
            return  # From here on, these are the addresses in pseudo-headers.
        if each.header.checksum and each.header.checksum.pseudo_header:
            _update(each, old, new)


def _update_outer(packet: Packet, section: Section, new: bytes, outer: list[Section]) -> None:
    old = section.fixed_part(packet.frame)
    for each in outer:
        if each.header.checksum and each.header.checksum.covers_payload:
            odd = b"\0" * ((section.offset - each.offset) % 2)
            _update(each, odd + old, odd + new)


def _update(section: Section, old: bytes, new: bytes) -> None:
    checksum = section.header.checksum
    assert checksum is not None
    value = section.values[checksum.field]
    if checksum.zero_is_none and value == 0:
        return
    value = update(value, old, new)
    if checksum.zero_is_none and value == 0:
        value = 0xFFFF
    section.values[checksum.field] = value
