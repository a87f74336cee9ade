"""`ovs_vport`: the ports of datapaths."""

from __future__ import annotations

from hotswitch.netlink.families.extensions import EXTENSIONS
from hotswitch.netlink.family import (
    DO,
    DUMP,
    HAS_POLICY,
    NAMESPACE_ADMINISTRATOR,
    Command,
    Family,
)
from hotswitch.netlink.nested import Attribute, AttributeSet, Nested
from hotswitch.netlink.types import BYTES, FLAG, S32, U16, U32, U64, Array, Number, Structure, Text

LOCAL = 0
"""OVSP_LOCAL: the number of a datapath's local port."""
MAXIMUM_PORT = 0xFFFE
"""Port numbers are below DP_MAX_PORTS, 0xffff (net/openvswitch/datapath.h)."""

NETDEV, INTERNAL, GRE, VXLAN, GENEVE = range(1, 6)
"""OVS_VPORT_TYPE_*."""

TYPES = {NETDEV: "netdev", INTERNAL: "internal", GRE: "gre", VXLAN: "vxlan", GENEVE: "geneve"}

VportStatistics = Structure(
    "ovs_vport_stats",
    rx_packets=U64,
    tx_packets=U64,
    rx_bytes=U64,
    tx_bytes=U64,
    rx_errors=U64,
    tx_errors=U64,
    rx_dropped=U64,
    tx_dropped=U64,
)

VXLAN_EXTENSION = AttributeSet(
    "OVS_VXLAN_EXT", Attribute("gbp", 1, "OVS_VXLAN_EXT_GBP", FLAG, "group based policy")
)

TUNNEL_OPTIONS = AttributeSet(
    "OVS_TUNNEL_ATTR",
    Attribute("destination_port", 1, "OVS_TUNNEL_ATTR_DST_PORT", U16, "UDP"),
    Attribute("extension", 2, "OVS_TUNNEL_ATTR_EXTENSION", Nested(lambda: VXLAN_EXTENSION)),
)

UPCALL_STATISTICS = AttributeSet(
    "OVS_VPORT_UPCALL_ATTR",
    Attribute("success", 0, "OVS_VPORT_UPCALL_ATTR_SUCCESS", U64, "packets passed on"),
    Attribute("fail", 1, "OVS_VPORT_UPCALL_ATTR_FAIL", U64, "packets lost"),
    Attribute("pad", 7, "OVS_VPORT_ATTR_PAD", BYTES),
)

_CHANGE = NAMESPACE_ADMINISTRATOR | DO | HAS_POLICY

VPORT = Family(
    name="ovs_vport",
    version=1,
    header=4,
    doc="Ports. One is named by `name`, or by the datapath's number in the header and `port`.",
    groups=("ovs_vport",),
    commands=(
        Command(
            "new",
            1,
            "OVS_VPORT_CMD_NEW",
            _CHANGE,
            "add one; answer and event",
            needs=(
                "name",
                "type",
                "upcall_pid",
            ),
        ),
        Command("del", 2, "OVS_VPORT_CMD_DEL", _CHANGE, "delete one; answer and event"),
        Command("get", 3, "OVS_VPORT_CMD_GET", DO | DUMP | HAS_POLICY, "one, or all"),
        Command("set", 4, "OVS_VPORT_CMD_SET", _CHANGE, "change one; answer and event"),
    ),
    attributes=AttributeSet(
        "OVS_VPORT_ATTR",
        Attribute("port", 1, "OVS_VPORT_ATTR_PORT_NO", U32, "its number; left out: a free one"),
        Attribute("type", 2, "OVS_VPORT_ATTR_TYPE", Number(4, names=TYPES)),
        Attribute("name", 3, "OVS_VPORT_ATTR_NAME", Text(15), "of its device"),
        Attribute("options", 4, "OVS_VPORT_ATTR_OPTIONS", Nested(lambda: TUNNEL_OPTIONS)),
        Attribute(
            "upcall_pid",
            5,
            "OVS_VPORT_ATTR_UPCALL_PID",
            Array(U32, minimum=1),
            "who gets its misses, spread by the flow's hash; 0: none",
        ),
        Attribute("statistics", 6, "OVS_VPORT_ATTR_STATS", VportStatistics),
        Attribute("pad", 7, "OVS_VPORT_ATTR_PAD", BYTES, "aligns what follows to 8 bytes"),
        Attribute("ifindex", 8, "OVS_VPORT_ATTR_IFINDEX", U32, "its device"),
        Attribute("netnsid", 9, "OVS_VPORT_ATTR_NETNSID", S32, "where its device is, if elsewhere"),
        Attribute(
            "upcall_statistics",
            10,
            "OVS_VPORT_ATTR_UPCALL_STATS",
            Nested(lambda: UPCALL_STATISTICS),
        ),
        *EXTENSIONS,
        open=True,
    ),
)
