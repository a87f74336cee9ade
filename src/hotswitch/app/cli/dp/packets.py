"""A packet that came up from a datapath, for people and for programs."""

from __future__ import annotations

from typing import Any

from hotswitch.headers.text import IPV4
from hotswitch.netlink.attributes import NONE, Attributes
from hotswitch.netlink.message import Message
from hotswitch.netlink.syntax.actions import show_actions
from hotswitch.netlink.syntax.addresses import IPV6, MAC
from hotswitch.netlink.syntax.form import PLAIN, Style
from hotswitch.netlink.syntax.keys import show_key
from hotswitch.netlink.ufid import without_zeros

_PROTOCOLS = {1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMPv6", 132: "SCTP"}
_ARP = {1: "asks for", 2: "has"}


def describe(message: Message, datapath: str, style: Style) -> dict[str, Any]:
    """What a message says of a packet. length: bytes; packet: those of them that came up."""
    said = message.attributes
    key, frame = said.get("key", NONE), said.get("packet", b"")
    in_port = key.get("in_port")
    return {
        "event": message.command,
        "datapath": datapath,
        "in_port": None if in_port is None else style.port(in_port),
        "length": said.get("length", len(frame)),
        "summary": summary(key),
        "key": show_key(without_zeros(key), None, style),
        "userdata": said["userdata"].hex() if "userdata" in said else None,
        "actions": show_actions(said["actions"], style) if "actions" in said else None,
        "packet": frame.hex(),
    }


def lines(packet: dict[str, Any], with_bytes: bool) -> list[str]:
    """A line, and the packet's bytes if they are wanted."""
    came = len(packet["packet"]) // 2
    length = f"{packet['length']} bytes" + f" ({came} of them here)" * (came < packet["length"])
    head = f"{packet['datapath']} {packet['event']} in {packet['in_port']}, {length}"
    parts = [f"{head}: {packet['summary']}", f"key:{packet['key']}"]
    parts += [f"{name}:{packet[name]}" for name in ("userdata", "actions") if packet[name]]
    frame = packet["packet"]
    rows = range(0, len(frame), 32) if with_bytes else ()
    return [
        ", ".join(parts),
        *(f"  {row // 2:04x}  {_spaced(frame[row : row + 32])}" for row in rows),
    ]


def summary(key: Attributes) -> str:
    """Who sends what to whom, in a few words."""
    tag = f"VLAN {key['vlan'] & 0xFFF}, " if "vlan" in key else ""
    while "encap" in key:
        key = key["encap"] + Attributes(pair for pair in key if pair[0] == "ethernet")
    return tag + _within(key)


def _within(key: Attributes) -> str:
    if "arp" in key:
        arp = key["arp"]
        does = _ARP.get(arp.operation, f"does {arp.operation} with")
        return f"ARP, {IPV4.show(arp.sender_ip)} {does} {IPV4.show(arp.target_ip)}"
    for name, show in (("ipv4", IPV4.show), ("ipv6", lambda one: IPV6.show(one, None, PLAIN))):
        if name in key:
            return _ip(key, key[name], show)
    ethernet = key.get("ethernet")
    if ethernet is None:
        return "no Ethernet frame"
    kind = f", type 0x{key['ethertype']:04x}" if "ethertype" in key else ", without a type"
    ends = (MAC.show(each, None, PLAIN) for each in (ethernet.src, ethernet.dst))
    return " > ".join(ends) + kind


def _ip(key: Attributes, ip: Any, show: Any) -> str:
    protocol = _PROTOCOLS.get(ip.protocol, f"protocol {ip.protocol}")
    ends = [show(ip.src), show(ip.dst)]
    for name in ("tcp", "udp", "sctp"):
        if name in key:
            mark = "." if ":" in ends[0] else ":"
            ports = (key[name].src, key[name].dst)
            ends = [f"{end}{mark}{port}" for end, port in zip(ends, ports, strict=True)]
    kind = key.get("icmp") or key.get("icmpv6")
    return f"{protocol} {' > '.join(ends)}" + (f", type {kind.type}" if kind else "")


def _spaced(digits: str) -> str:
    return " ".join(digits[place : place + 2] for place in range(0, len(digits), 2))
