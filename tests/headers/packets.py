"""Real packets, made by scapy, and the same as layers. Scapy knows nothing of our declarations."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from scapy.contrib.mpls import MPLS
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_Router_Alert
from scapy.layers.inet6 import (
    HBHOptUnknown,
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.layers.ipsec import AH
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.layers.sctp import SCTP
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw
from scapy.utils import checksum

from tests.headers.stacks import Stack

A, B = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
MAC_A, MAC_B = 0x02000000000A, 0x02000000000B
ETHER = Ether(src=A, dst=B)
ETHERNET = ("ethernet", {"src": MAC_A, "dst": MAC_B})
FOUR = {"src": int(IPv4Address("10.0.0.1")), "dst": int(IPv4Address("10.0.0.2"))}
SIX = {"src": int(IPv6Address("fd00::1")), "dst": int(IPv6Address("fd00::2"))}
IP4 = {"src": "10.0.0.1", "dst": "10.0.0.2"}
IP6 = {"src": "fd00::1", "dst": "fd00::2"}

# Scapy's own IGMP class has moved between its versions.
IGMP_GROUP = bytes([224, 1, 2, 3])
IGMP_REPORT = b"\x16\0" + checksum(b"\x16\0\0\0" + IGMP_GROUP).to_bytes(2, "big") + IGMP_GROUP


@dataclass(frozen=True)
class Case:
    packet: Packet
    stack: Stack
    payload: bytes = b""


CASES: dict[str, Case] = {
    "arp": Case(
        ETHER / ARP(op=2, hwsrc=A, psrc="10.0.0.1", hwdst=B, pdst="10.0.0.2"),
        [
            ETHERNET,
            (
                "arp",
                {
                    "operation": 2,
                    "sender_mac": MAC_A,
                    "sender_ip": FOUR["src"],
                    "target_mac": MAC_B,
                    "target_ip": FOUR["dst"],
                },
            ),
        ],
    ),
    "tcp, options everywhere": Case(
        ETHER
        / IP(**IP4, ttl=3, id=7, tos=0x2E, flags="DF", options=[IPOption_Router_Alert()])
        / TCP(sport=80, dport=4000, seq=5, ack=6, flags="SAE", window=99, options=[("MSS", 1460)])
        / b"hello",
        [
            ETHERNET,
            (
                "ipv4",
                FOUR
                | {
                    "ttl": 3,
                    "identification": 7,
                    "dscp": 0x0B,
                    "ecn": 2,
                    "dont_fragment": 1,
                    "options": b"\x94\x04\x00\x00",
                },
            ),
            (
                "tcp",
                {
                    "src": 80,
                    "dst": 4000,
                    "sequence": 5,
                    "acknowledgement": 6,
                    "flags": 0x52,
                    "window": 99,
                    "options": b"\x02\x04\x05\xb4",
                },
            ),
        ],
        b"hello",
    ),
    "udp over q-in-q": Case(
        ETHER
        / Dot1AD(vlan=100, prio=5, dei=1)
        / Dot1Q(vlan=7)
        / IP(**IP4, id=1)
        / UDP(sport=1, dport=2)
        / b"odd",
        [
            ("ethernet", {"src": MAC_A, "dst": MAC_B, "type": 0x88A8}),
            ("vlan", {"vid": 100, "pcp": 5, "dei": 1}),
            ("vlan", {"vid": 7}),
            ("ipv4", FOUR | {"identification": 1}),
            ("udp", {"src": 1, "dst": 2}),
        ],
        b"odd",
    ),
    "later ipv4 fragment": Case(
        ETHER / IP(**IP4, id=9, frag=3, proto=17) / Raw(b"rest of it"),
        [
            ETHERNET,
            ("ipv4", FOUR | {"identification": 9, "fragment_offset": 3, "protocol": 17}),
        ],
        b"rest of it",
    ),
    "icmp": Case(
        ETHER / IP(**IP4, id=1) / ICMP(type=8, id=1, seq=2) / b"ping",
        [ETHERNET, ("ipv4", FOUR | {"identification": 1}), ("icmp", {"type": 8})],
        b"\0\1\0\2ping",
    ),
    "igmp": Case(
        ETHER / IP(**IP4, id=1, ttl=1, proto=2) / Raw(IGMP_REPORT),
        [
            ETHERNET,
            ("ipv4", FOUR | {"identification": 1, "ttl": 1}),
            ("igmp", {"type": 0x16, "group": int(IPv4Address("224.1.2.3"))}),
        ],
    ),
    "vxlan": Case(
        ETHER
        / IP(**IP4, id=1)
        / UDP(sport=5, dport=4789)
        / VXLAN(flags=8, vni=0x123456)
        / (Ether(src=B, dst=A, type=0x88B5) / b"inside"),
        [
            ETHERNET,
            ("ipv4", FOUR | {"identification": 1}),
            ("udp", {"src": 5}),
            ("vxlan", {"vni": 0x123456}),
        ],
        bytes(Ether(src=B, dst=A, type=0x88B5) / b"inside"),
    ),
    "three labels": Case(
        ETHER
        / MPLS(label=1, cos=2, s=0, ttl=9)
        / MPLS(label=0xFFFFF, s=0, ttl=8)
        / MPLS(label=3, s=1, ttl=7)
        / Raw(b"E..."),
        [
            ETHERNET,
            ("mpls", {"label": 1, "traffic_class": 2, "ttl": 9}),
            ("mpls", {"label": 0xFFFFF, "ttl": 8}),
            ("mpls", {"label": 3, "ttl": 7}),
        ],
        b"E...",
    ),
    "ipv6, extension headers, udp": Case(
        ETHER
        / IPv6(**IP6, tc=0xB9, fl=0xABCDE, hlim=2)
        / IPv6ExtHdrHopByHop(options=[HBHOptUnknown(otype=0x1E, optdata=b"\1\2\3\4\5\6\7\0\0\0")])
        / IPv6ExtHdrDestOpt(options=[HBHOptUnknown(otype=0x1E, optdata=b"\1\2")])
        / IPv6ExtHdrRouting(type=2, segleft=0, addresses=["fd00::2"])
        / IPv6ExtHdrFragment(nh=17, offset=0, m=1, id=0x1234)
        / UDP(sport=10, dport=20)
        / b"data",
        [
            ETHERNET,
            ("ipv6", SIX | {"dscp": 0x2E, "ecn": 1, "flow_label": 0xABCDE, "hop_limit": 2}),
            ("ipv6_hop_by_hop", {"options": b"\x1e\x0a\1\2\3\4\5\6\7\0\0\0\1\0"}),
            ("ipv6_destination", {"options": b"\x1e\x02\1\2\1\0"}),
            (
                "ipv6_routing",
                {"type": 2, "options": bytes(4) + IPv6Address("fd00::2").packed},
            ),
            ("ipv6_fragment", {"more_fragments": 1, "identification": 0x1234}),
            ("udp", {"src": 10, "dst": 20}),
        ],
        b"data",
    ),
    "later ipv6 fragment": Case(
        ETHER / IPv6(**IP6) / IPv6ExtHdrFragment(nh=6, offset=100, m=0, id=1) / Raw(b"part"),
        [
            ETHERNET,
            ("ipv6", SIX),
            ("ipv6_fragment", {"fragment_offset": 100, "next_header": 6, "identification": 1}),
        ],
        b"part",
    ),
    "authentication header over ipv4": Case(
        ETHER
        / IP(**IP4, id=1)
        / AH(nh=6, payloadlen=4, spi=0xAABBCCDD, seq=7, icv=b"twelve bytes")
        / TCP(sport=1, dport=2, window=8192, chksum=0xBEEF),  # scapy computes none here
        [
            ETHERNET,
            ("ipv4", FOUR | {"identification": 1}),
            ("authentication", {"spi": 0xAABBCCDD, "sequence": 7, "options": b"twelve bytes"}),
            ("tcp", {"src": 1, "dst": 2, "flags": 2, "window": 8192, "checksum": 0xBEEF}),
        ],
    ),
    "icmpv6 echo": Case(
        ETHER / IPv6(**IP6) / ICMPv6EchoRequest(id=1, seq=2, data=b"ping"),
        [ETHERNET, ("ipv6", SIX), ("icmpv6", {"type": 128})],
        b"\0\1\0\2ping",
    ),
    "neighbour solicitation": Case(
        ETHER / IPv6(**IP6, hlim=255) / ICMPv6ND_NS(tgt="fd00::2") / ICMPv6NDOptSrcLLAddr(lladdr=A),
        [
            ETHERNET,
            ("ipv6", SIX | {"hop_limit": 255}),
            ("icmpv6", {}),
            ("nd_solicit", {"target": SIX["dst"]}),
            ("nd_source_link", {"address": MAC_A}),
        ],
    ),
    "solicitation without an option": Case(
        ETHER / IPv6(**IP6, hlim=255) / ICMPv6ND_NS(tgt="fd00::2"),
        [
            ETHERNET,
            ("ipv6", SIX | {"hop_limit": 255}),
            ("icmpv6", {}),
            ("nd_solicit", {"target": SIX["dst"]}),
        ],
    ),
    "neighbour advertisement": Case(
        ETHER
        / IPv6(**IP6, hlim=255)
        / ICMPv6ND_NA(tgt="fd00::1", R=0, S=1, O=1)
        / ICMPv6NDOptDstLLAddr(lladdr=A),
        [
            ETHERNET,
            ("ipv6", SIX | {"hop_limit": 255}),
            ("icmpv6", {}),
            ("nd_advert", {"target": SIX["src"], "solicited": 1, "override": 1}),
            ("nd_target_link", {"address": MAC_A}),
        ],
    ),
    "sctp": Case(
        ETHER / IP(**IP4, id=1) / SCTP(sport=1, dport=2, tag=3, chksum=0x01020304) / b"chunk",
        [
            ETHERNET,
            ("ipv4", FOUR | {"identification": 1}),
            ("sctp", {"src": 1, "dst": 2, "verification_tag": 3, "checksum": 0x01020304}),
        ],
        b"chunk",
    ),
}
