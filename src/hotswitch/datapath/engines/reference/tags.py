"""Push and pop VLAN tags and MPLS labels.

What was set is written back first. Then bytes are inserted or removed, recorded headers shift, and
all fields are read from the frame again.
"""

from __future__ import annotations

from hotswitch.datapath.engines.reference.packet import Packet, Section
from hotswitch.datapath.engines.reference.write_back import write_back
from hotswitch.headers.parse import write_fields

DEFAULT_TTL = 64

_TTL_FIELDS = ("ipv4.ttl", "ipv6.hop_limit")
_STAY_VISIBLE = ("ethernet", "vlan", "mpls")


def push_vlan(packet: Packet, ethertype: int) -> bool:
    """Put a tag on. False: as many as are recorded are there already, and nothing is done."""
    tags = packet.occurrences("vlan")
    header = packet.registry.header("vlan")
    if len(tags) == header.repeat:
        return False
    write_back(packet)
    at = packet.sections["ethernet"].end
    control = packet.frame[at : at + 2] if tags else b"\0\0"
    # The EtherType that was there becomes the tag's own.
    packet.splice(at - 2, 0, ethertype.to_bytes(2, "big") + control)
    packet.set_occurrences("vlan", [Section(header, at, header.size, {}), *tags])
    packet.read_again()
    return True


def pop_vlan(packet: Packet) -> None:
    """Take the outermost tag off, if there is one."""
    tags = packet.occurrences("vlan")
    if not tags:
        return
    write_back(packet)
    packet.set_occurrences("vlan", tags[1:])
    packet.splice(tags[0].offset - 2, 4, b"")
    packet.read_again()


def push_mpls(packet: Packet, ethertype: int) -> bool:
    """Put a label on. False: as many as are recorded are there already, and nothing is done."""
    labels = packet.occurrences("mpls")
    header = packet.registry.header("mpls")
    if len(labels) == header.repeat:
        return False
    write_back(packet)
    if labels:
        at = labels[0].offset
        values = labels[0].values | {"bottom": 0}
    else:
        at = max(each.end for each in packet.sections.values() if _is_tag_or_ethernet(each))
        values = {"label": 0, "traffic_class": 0, "bottom": 1, "ttl": _ip_ttl(packet)}
    packet.splice(at, 0, write_fields(header, values))
    packet.set_occurrences("mpls", [Section(header, at, header.size, {}), *labels])
    for name, section in list(packet.sections.items()):
        if section.header.name not in _STAY_VISIBLE:
            del packet.sections[name]
    _set_ethertype(packet, at, ethertype)
    return True


def pop_mpls(packet: Packet, ethertype: int) -> None:
    """Take the outermost label off, if there is one; what follows has this EtherType."""
    labels = packet.occurrences("mpls")
    if not labels:
        return
    write_back(packet)
    at = labels[0].offset
    packet.set_occurrences("mpls", labels[1:])
    packet.splice(at, 4, b"")
    _set_ethertype(packet, at, ethertype)


def _set_ethertype(packet: Packet, at: int, ethertype: int) -> None:
    packet.splice(at - 2, 2, ethertype.to_bytes(2, "big"))
    packet.read_again()
    packet.beside["ethertype"] = ethertype


def _is_tag_or_ethernet(section: Section) -> bool:
    return section.header.name in ("ethernet", "vlan")


def _ip_ttl(packet: Packet) -> int:
    values = (packet.read(name) for name in _TTL_FIELDS)
    return next((value for value in values if value is not None), DEFAULT_TTL)
