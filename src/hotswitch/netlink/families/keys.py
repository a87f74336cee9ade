"""Flow keys, and their masks: what a packet has, attribute by attribute."""

from __future__ import annotations

from errno import EINVAL

from hotswitch.netlink.families.tunnels import TUNNEL_KEY
from hotswitch.netlink.nested import Attribute, AttributeSet, Nested
from hotswitch.netlink.types import (
    BE16,
    BE32,
    IPV6,
    MAC,
    U8,
    U16,
    U32,
    Array,
    Binary,
    Number,
    Structure,
)

_PADDING = Number(3, big_endian=True)

TAG_PRESENT = 0x1000
"""In `vlan`, the bit that says there is a tag; on the wire it means something else."""

FRAGMENT_NONE, FRAGMENT_FIRST, FRAGMENT_LATER = range(3)
"""OVS_FRAG_TYPE_*: not a fragment; the one with offset 0; another one."""

Ethernet = Structure("ovs_key_ethernet", src=MAC, dst=MAC)
Ipv4 = Structure("ovs_key_ipv4", src=BE32, dst=BE32, protocol=U8, tos=U8, ttl=U8, fragment=U8)
Ipv6 = Structure(
    "ovs_key_ipv6",
    src=IPV6,
    dst=IPV6,
    label=BE32,
    protocol=U8,
    traffic_class=U8,
    hop_limit=U8,
    fragment=U8,
)
Tcp = Structure("ovs_key_tcp", src=BE16, dst=BE16)
Udp = Structure("ovs_key_udp", src=BE16, dst=BE16)
Sctp = Structure("ovs_key_sctp", src=BE16, dst=BE16)
Icmp = Structure("ovs_key_icmp", type=U8, code=U8)
Icmpv6 = Structure("ovs_key_icmpv6", type=U8, code=U8)
Arp = Structure(
    "ovs_key_arp",
    sender_ip=BE32,
    target_ip=BE32,
    operation=BE16,
    sender_mac=MAC,
    target_mac=MAC,
    padding=BE16,
)
NeighbourDiscovery = Structure("ovs_key_nd", target=IPV6, source_link=MAC, target_link=MAC)
ConnectionIpv4 = Structure(
    "ovs_key_ct_tuple_ipv4",
    src=BE32,
    dst=BE32,
    src_port=BE16,
    dst_port=BE16,
    protocol=U8,
    padding=_PADDING,
)
ConnectionIpv6 = Structure(
    "ovs_key_ct_tuple_ipv6",
    src=IPV6,
    dst=IPV6,
    src_port=BE16,
    dst_port=BE16,
    protocol=U8,
    padding=_PADDING,
)
NshBase = Structure("ovs_nsh_key_base", flags=U8, ttl=U8, md_type=U8, protocol=U8, path=BE32)

CT_STATE = {
    0x01: "new",
    0x02: "established",
    0x04: "related",
    0x08: "reply direction",
    0x10: "invalid",
    0x20: "tracked",
    0x40: "source translated",
    0x80: "destination translated",
}
"""OVS_CS_F_*: bits of `ct_state`."""

METADATA = frozenset(
    (
        *("priority", "skb_mark", "dp_hash", "recirc_id"),
        *("ct_state", "ct_zone", "ct_mark", "ct_labels"),
    )
)
"""Attributes of what is beside the packet: zero is the same as not being there."""

NSH_KEY = AttributeSet(
    "OVS_NSH_KEY_ATTR",
    Attribute("base", 1, "OVS_NSH_KEY_ATTR_BASE", NshBase),
    Attribute("md1", 2, "OVS_NSH_KEY_ATTR_MD1", Array(BE32, 4, 4), "context of metadata type 1"),
    Attribute("md2", 3, "OVS_NSH_KEY_ATTR_MD2", Binary(0, 248), "context of metadata type 2"),
    refusal=EINVAL,
)

KEY: AttributeSet = AttributeSet(
    "OVS_KEY_ATTR",
    Attribute("encap", 1, "OVS_KEY_ATTR_ENCAP", Nested(lambda: KEY), "what is behind the tag"),
    Attribute("priority", 2, "OVS_KEY_ATTR_PRIORITY", U32, "the packet's queueing priority"),
    Attribute("in_port", 3, "OVS_KEY_ATTR_IN_PORT", U32),
    Attribute("ethernet", 4, "OVS_KEY_ATTR_ETHERNET", Ethernet),
    Attribute("vlan", 5, "OVS_KEY_ATTR_VLAN", BE16, "tag control; 0x1000: there is a tag"),
    Attribute("ethertype", 6, "OVS_KEY_ATTR_ETHERTYPE", BE16, "left out: a frame with a length"),
    Attribute("ipv4", 7, "OVS_KEY_ATTR_IPV4", Ipv4),
    Attribute("ipv6", 8, "OVS_KEY_ATTR_IPV6", Ipv6),
    Attribute("tcp", 9, "OVS_KEY_ATTR_TCP", Tcp),
    Attribute("udp", 10, "OVS_KEY_ATTR_UDP", Udp),
    Attribute("icmp", 11, "OVS_KEY_ATTR_ICMP", Icmp),
    Attribute("icmpv6", 12, "OVS_KEY_ATTR_ICMPV6", Icmpv6),
    Attribute("arp", 13, "OVS_KEY_ATTR_ARP", Arp),
    Attribute("nd", 14, "OVS_KEY_ATTR_ND", NeighbourDiscovery),
    Attribute("skb_mark", 15, "OVS_KEY_ATTR_SKB_MARK", U32, "the packet's mark"),
    Attribute("tunnel", 16, "OVS_KEY_ATTR_TUNNEL", Nested(lambda: TUNNEL_KEY)),
    Attribute("sctp", 17, "OVS_KEY_ATTR_SCTP", Sctp),
    Attribute("tcp_flags", 18, "OVS_KEY_ATTR_TCP_FLAGS", BE16, "the low 12 bits"),
    Attribute("dp_hash", 19, "OVS_KEY_ATTR_DP_HASH", U32, "what a hash action computed; 0: none"),
    Attribute("recirc_id", 20, "OVS_KEY_ATTR_RECIRC_ID", U32, "0: not recirculated yet"),
    Attribute("mpls", 21, "OVS_KEY_ATTR_MPLS", Array(BE32, 1, 3), "labels, outermost first"),
    Attribute("ct_state", 22, "OVS_KEY_ATTR_CT_STATE", U32, "OVS_CS_F_*"),
    Attribute("ct_zone", 23, "OVS_KEY_ATTR_CT_ZONE", U16),
    Attribute("ct_mark", 24, "OVS_KEY_ATTR_CT_MARK", U32),
    Attribute("ct_labels", 25, "OVS_KEY_ATTR_CT_LABELS", Binary(16, 16)),
    Attribute("ct_tuple_ipv4", 26, "OVS_KEY_ATTR_CT_ORIG_TUPLE_IPV4", ConnectionIpv4),
    Attribute("ct_tuple_ipv6", 27, "OVS_KEY_ATTR_CT_ORIG_TUPLE_IPV6", ConnectionIpv6),
    Attribute("nsh", 28, "OVS_KEY_ATTR_NSH", Nested(lambda: NSH_KEY)),
    Attribute("packet_type", 29, "OVS_KEY_ATTR_PACKET_TYPE", BE32, "user space's own"),
    Attribute("nd_extensions", 30, "OVS_KEY_ATTR_ND_EXTENSIONS", Binary(), "user space's own"),
    Attribute("tunnel_info", 31, "OVS_KEY_ATTR_TUNNEL_INFO", Binary(), "the kernel's own"),
    Attribute("ipv6_extensions", 32, "OVS_KEY_ATTR_IPV6_EXTHDRS", U16, "which ones there are"),
    refusal=EINVAL,
)
