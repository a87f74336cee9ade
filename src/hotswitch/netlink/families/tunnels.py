"""What is outside of a packet that came through a tunnel, or is to leave by one."""

from __future__ import annotations

from errno import EINVAL

from hotswitch.netlink.nested import Attribute, AttributeSet, Nested
from hotswitch.netlink.types import (
    BE16,
    BE32,
    BE64,
    BYTES,
    FLAG,
    IPV6,
    U8,
    U32,
    Binary,
)

VXLAN_OPTIONS = AttributeSet(
    "OVS_VXLAN_EXT",
    Attribute("gbp", 1, "OVS_VXLAN_EXT_GBP", U32, "group policy identifier and flags"),
    refusal=EINVAL,
)

TUNNEL_KEY = AttributeSet(
    "OVS_TUNNEL_KEY_ATTR",
    Attribute("id", 0, "OVS_TUNNEL_KEY_ATTR_ID", BE64, "the network's, 24 bits for VXLAN"),
    Attribute("ipv4_src", 1, "OVS_TUNNEL_KEY_ATTR_IPV4_SRC", BE32),
    Attribute("ipv4_dst", 2, "OVS_TUNNEL_KEY_ATTR_IPV4_DST", BE32),
    Attribute("tos", 3, "OVS_TUNNEL_KEY_ATTR_TOS", U8),
    Attribute("ttl", 4, "OVS_TUNNEL_KEY_ATTR_TTL", U8),
    Attribute("dont_fragment", 5, "OVS_TUNNEL_KEY_ATTR_DONT_FRAGMENT", FLAG),
    Attribute("checksum", 6, "OVS_TUNNEL_KEY_ATTR_CSUM", FLAG, "the outer UDP has one"),
    Attribute("oam", 7, "OVS_TUNNEL_KEY_ATTR_OAM", FLAG),
    Attribute("geneve_options", 8, "OVS_TUNNEL_KEY_ATTR_GENEVE_OPTS", Binary(0, 252, 4)),
    Attribute("src_port", 9, "OVS_TUNNEL_KEY_ATTR_TP_SRC", BE16),
    Attribute("dst_port", 10, "OVS_TUNNEL_KEY_ATTR_TP_DST", BE16),
    Attribute("vxlan_options", 11, "OVS_TUNNEL_KEY_ATTR_VXLAN_OPTS", Nested(lambda: VXLAN_OPTIONS)),
    Attribute("ipv6_src", 12, "OVS_TUNNEL_KEY_ATTR_IPV6_SRC", IPV6),
    Attribute("ipv6_dst", 13, "OVS_TUNNEL_KEY_ATTR_IPV6_DST", IPV6),
    Attribute("pad", 14, "OVS_TUNNEL_KEY_ATTR_PAD", BYTES, "aligns what follows to 8 bytes"),
    Attribute("erspan_options", 15, "OVS_TUNNEL_KEY_ATTR_ERSPAN_OPTS", Binary(0, 12)),
    Attribute("ipv4_info_bridge", 16, "OVS_TUNNEL_KEY_ATTR_IPV4_INFO_BRIDGE", FLAG),
    refusal=EINVAL,
)
