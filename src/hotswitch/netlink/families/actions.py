"""Actions: what is done with a packet, one after another."""

from __future__ import annotations

from errno import EINVAL

from hotswitch.netlink.families.keys import KEY, Ethernet
from hotswitch.netlink.nested import Attribute, AttributeSet, Nested
from hotswitch.netlink.types import (
    BE16,
    BE32,
    BYTES,
    FLAG,
    U16,
    U32,
    Binary,
    Structure,
    Text,
    WithMask,
)

PushVlan = Structure("ovs_action_push_vlan", tpid=BE16, tci=BE16)
PushMpls = Structure("ovs_action_push_mpls", label=BE32, ethertype=BE16, padding=BE16)
AddMpls = Structure("ovs_action_add_mpls", label=BE32, ethertype=BE16, flags=U16)
Hash = Structure("ovs_action_hash", algorithm=U32, basis=U32)

AT_LAYER_3 = 1
"""OVS_MPLS_L3_TUNNEL_FLAG_MASK: `add_mpls` puts the label before the layer 3 header."""

HASHES = range(2)
"""OVS_HASH_ALG_L4, and the same for both directions of a flow, OVS_HASH_ALG_SYM_L4."""

ALWAYS = 0xFFFFFFFF
"""The probability of `sample` that is certainty."""

USERSPACE = AttributeSet(
    "OVS_USERSPACE_ATTR",
    Attribute("pid", 1, "OVS_USERSPACE_ATTR_PID", U32, "who gets it"),
    Attribute("userdata", 2, "OVS_USERSPACE_ATTR_USERDATA", BYTES, "handed on"),
    Attribute(
        "egress_port", 3, "OVS_USERSPACE_ATTR_EGRESS_TUN_PORT", U32, "whose tunnel key to add"
    ),
    Attribute("actions", 4, "OVS_USERSPACE_ATTR_ACTIONS", FLAG, "add the flow's actions"),
    refusal=EINVAL,
)

SAMPLE = AttributeSet(
    "OVS_SAMPLE_ATTR",
    Attribute("probability", 1, "OVS_SAMPLE_ATTR_PROBABILITY", U32, "of 0xffffffff"),
    Attribute("actions", 2, "OVS_SAMPLE_ATTR_ACTIONS", Nested(lambda: ACTION)),
    refusal=EINVAL,
)

NAT = AttributeSet(
    "OVS_NAT_ATTR",
    Attribute("src", 1, "OVS_NAT_ATTR_SRC", FLAG),
    Attribute("dst", 2, "OVS_NAT_ATTR_DST", FLAG),
    Attribute("ip_minimum", 3, "OVS_NAT_ATTR_IP_MIN", Binary(4, 16, 4)),
    Attribute("ip_maximum", 4, "OVS_NAT_ATTR_IP_MAX", Binary(4, 16, 4)),
    Attribute("port_minimum", 5, "OVS_NAT_ATTR_PROTO_MIN", U16),
    Attribute("port_maximum", 6, "OVS_NAT_ATTR_PROTO_MAX", U16),
    Attribute("persistent", 7, "OVS_NAT_ATTR_PERSISTENT", FLAG),
    Attribute("hash", 8, "OVS_NAT_ATTR_PROTO_HASH", FLAG),
    Attribute("random", 9, "OVS_NAT_ATTR_PROTO_RANDOM", FLAG),
    refusal=EINVAL,
)

CT = AttributeSet(
    "OVS_CT_ATTR",
    Attribute("commit", 1, "OVS_CT_ATTR_COMMIT", FLAG),
    Attribute("zone", 2, "OVS_CT_ATTR_ZONE", U16),
    Attribute("mark", 3, "OVS_CT_ATTR_MARK", WithMask(U32)),
    Attribute("labels", 4, "OVS_CT_ATTR_LABELS", WithMask(Binary(16, 16))),
    Attribute("helper", 5, "OVS_CT_ATTR_HELPER", Text(15)),
    Attribute("nat", 6, "OVS_CT_ATTR_NAT", Nested(lambda: NAT)),
    Attribute("force_commit", 7, "OVS_CT_ATTR_FORCE_COMMIT", FLAG),
    Attribute("events", 8, "OVS_CT_ATTR_EVENTMASK", U32, "which to report, bits 1 << IPCT_*"),
    Attribute("timeout", 9, "OVS_CT_ATTR_TIMEOUT", Text(31), "the name of a timeout policy"),
    refusal=EINVAL,
)

CHECK_LENGTH = AttributeSet(
    "OVS_CHECK_PKT_LEN_ATTR",
    Attribute("length", 1, "OVS_CHECK_PKT_LEN_ATTR_PKT_LEN", U16, "bytes"),
    Attribute("if_greater", 2, "OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_GREATER", Nested(lambda: ACTION)),
    Attribute(
        "if_less_equal", 3, "OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_LESS_EQUAL", Nested(lambda: ACTION)
    ),
    refusal=EINVAL,
)

DECREMENT_TTL = AttributeSet(
    "OVS_DEC_TTL_ATTR",
    Attribute("actions", 1, "OVS_DEC_TTL_ATTR_ACTION", Nested(lambda: ACTION), "when it is spent"),
    refusal=EINVAL,
)

PSAMPLE = AttributeSet(
    "OVS_PSAMPLE_ATTR",
    Attribute("group", 1, "OVS_PSAMPLE_ATTR_GROUP", U32),
    Attribute("cookie", 2, "OVS_PSAMPLE_ATTR_COOKIE", Binary(0, 16)),
    refusal=EINVAL,
)

ACTION: AttributeSet = AttributeSet(
    "OVS_ACTION_ATTR",
    Attribute("output", 1, "OVS_ACTION_ATTR_OUTPUT", U32, "to this port"),
    Attribute("userspace", 2, "OVS_ACTION_ATTR_USERSPACE", Nested(lambda: USERSPACE)),
    Attribute("set", 3, "OVS_ACTION_ATTR_SET", Nested(lambda: KEY), "one header, all of it"),
    Attribute("push_vlan", 4, "OVS_ACTION_ATTR_PUSH_VLAN", PushVlan),
    Attribute("pop_vlan", 5, "OVS_ACTION_ATTR_POP_VLAN", FLAG),
    Attribute("sample", 6, "OVS_ACTION_ATTR_SAMPLE", Nested(lambda: SAMPLE), "sometimes"),
    Attribute("recirc", 7, "OVS_ACTION_ATTR_RECIRC", U32, "look up again with this recirc_id"),
    Attribute("hash", 8, "OVS_ACTION_ATTR_HASH", Hash, "compute dp_hash"),
    Attribute("push_mpls", 9, "OVS_ACTION_ATTR_PUSH_MPLS", PushMpls),
    Attribute("pop_mpls", 10, "OVS_ACTION_ATTR_POP_MPLS", BE16, "the EtherType that follows"),
    Attribute(
        "set_masked",
        11,
        "OVS_ACTION_ATTR_SET_MASKED",
        Nested(lambda: KEY.with_masks),
        "one header, some bits",
    ),
    Attribute("ct", 12, "OVS_ACTION_ATTR_CT", Nested(lambda: CT), "track the connection"),
    Attribute("trunc", 13, "OVS_ACTION_ATTR_TRUNC", U32, "the next output has at most these bytes"),
    Attribute("push_eth", 14, "OVS_ACTION_ATTR_PUSH_ETH", Ethernet),
    Attribute("pop_eth", 15, "OVS_ACTION_ATTR_POP_ETH", FLAG),
    Attribute("ct_clear", 16, "OVS_ACTION_ATTR_CT_CLEAR", FLAG),
    Attribute("push_nsh", 17, "OVS_ACTION_ATTR_PUSH_NSH", Nested(lambda: KEY), "its `nsh`"),
    Attribute("pop_nsh", 18, "OVS_ACTION_ATTR_POP_NSH", FLAG),
    Attribute("meter", 19, "OVS_ACTION_ATTR_METER", U32, "drop what is too much"),
    Attribute("clone", 20, "OVS_ACTION_ATTR_CLONE", Nested(lambda: ACTION), "with a copy"),
    Attribute("check_pkt_len", 21, "OVS_ACTION_ATTR_CHECK_PKT_LEN", Nested(lambda: CHECK_LENGTH)),
    Attribute("add_mpls", 22, "OVS_ACTION_ATTR_ADD_MPLS", AddMpls),
    Attribute("dec_ttl", 23, "OVS_ACTION_ATTR_DEC_TTL", Nested(lambda: DECREMENT_TTL)),
    Attribute("drop", 24, "OVS_ACTION_ATTR_DROP", U32, "end here; why"),
    Attribute("psample", 25, "OVS_ACTION_ATTR_PSAMPLE", Nested(lambda: PSAMPLE)),
    ordered=True,
    refusal=EINVAL,
)
