"""`ovs_packet`: packets to user space, and from there to be carried out."""

from __future__ import annotations

from hotswitch.netlink.families.actions import ACTION
from hotswitch.netlink.families.extensions import EXTENSIONS
from hotswitch.netlink.families.keys import KEY
from hotswitch.netlink.families.tunnels import TUNNEL_KEY
from hotswitch.netlink.family import DO, HAS_POLICY, NAMESPACE_ADMINISTRATOR, Command, Family
from hotswitch.netlink.nested import Attribute, AttributeSet, Nested
from hotswitch.netlink.types import BYTES, FLAG, U16, U32, U64

HASH_SOFTWARE = 1 << 32
"""OVS_PACKET_HASH_SW_BIT: the hash was computed by software (net/openvswitch/datapath.h)."""
HASH_LAYER_4 = 1 << 33
"""OVS_PACKET_HASH_L4_BIT: it covers ports."""

PACKET = Family(
    name="ovs_packet",
    version=1,
    header=4,
    doc="Packets. MISS and ACTION are sent without being asked for, to one port id.",
    commands=(
        Command("miss", 1, "OVS_PACKET_CMD_MISS", doc="no flow matched this packet"),
        Command("action", 2, "OVS_PACKET_CMD_ACTION", doc="a flow's action sent this packet"),
        Command(
            "execute",
            3,
            "OVS_PACKET_CMD_EXECUTE",
            NAMESPACE_ADMINISTRATOR | DO | HAS_POLICY,
            "do these actions with this packet",
            needs=(
                "packet",
                "key",
                "actions",
            ),
        ),
    ),
    attributes=AttributeSet(
        "OVS_PACKET_ATTR",
        Attribute("packet", 1, "OVS_PACKET_ATTR_PACKET", BYTES, "the frame, without FCS"),
        Attribute("key", 2, "OVS_PACKET_ATTR_KEY", Nested(lambda: KEY), "as it came in"),
        Attribute("actions", 3, "OVS_PACKET_ATTR_ACTIONS", Nested(lambda: ACTION)),
        Attribute("userdata", 4, "OVS_PACKET_ATTR_USERDATA", BYTES, "what the action had"),
        Attribute(
            "egress_tunnel_key",
            5,
            "OVS_PACKET_ATTR_EGRESS_TUN_KEY",
            Nested(lambda: TUNNEL_KEY),
            "where the packet is going to leave by a tunnel",
        ),
        Attribute("probe", 8, "OVS_PACKET_ATTR_PROBE", FLAG, "a trial: log no error"),
        Attribute("mru", 9, "OVS_PACKET_ATTR_MRU", U16, "bytes of the longest fragment"),
        Attribute("length", 10, "OVS_PACKET_ATTR_LEN", U32, "bytes before truncation"),
        Attribute(
            "hash",
            11,
            "OVS_PACKET_ATTR_HASH",
            U64,
            "the packet's hash in 32 bits, then whether software made it, whether it covers ports",
        ),
        Attribute(
            "upcall_pid", 12, "OVS_PACKET_ATTR_UPCALL_PID", U32, "in EXECUTE: who gets its upcalls"
        ),
        *EXTENSIONS,
        open=True,
    ),
)
