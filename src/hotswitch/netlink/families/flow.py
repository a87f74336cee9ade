"""`ovs_flow`: flows under masks."""

from __future__ import annotations

from hotswitch.netlink.families.actions import ACTION
from hotswitch.netlink.families.extensions import EXTENSIONS
from hotswitch.netlink.families.keys import KEY
from hotswitch.netlink.family import (
    DO,
    DUMP,
    HAS_POLICY,
    NAMESPACE_ADMINISTRATOR,
    Command,
    Family,
)
from hotswitch.netlink.nested import Attribute, AttributeSet, Nested
from hotswitch.netlink.types import BYTES, FLAG, U8, U32, U64, Binary, Structure

OMIT_KEY = 0x1
"""OVS_UFID_F_OMIT_KEY: the answer need not have the key; the others likewise."""
OMIT_MASK = 0x2
OMIT_ACTIONS = 0x4

FlowStatistics = Structure("ovs_flow_stats", packets=U64, bytes=U64)

_CHANGE = NAMESPACE_ADMINISTRATOR | DO | HAS_POLICY

FLOW = Family(
    name="ovs_flow",
    version=1,
    header=4,
    doc="Flows. One is named by `ufid`, or without one by `key` as it was given.",
    groups=("ovs_flow",),
    commands=(
        Command(
            "new",
            1,
            "OVS_FLOW_CMD_NEW",
            _CHANGE,
            "add one, or change one; answer and event",
            needs=(
                "key",
                "actions",
            ),
        ),
        Command("del", 2, "OVS_FLOW_CMD_DEL", _CHANGE, "delete one, or without a name all"),
        Command("get", 3, "OVS_FLOW_CMD_GET", DO | DUMP | HAS_POLICY, "one, or all"),
        Command(
            "set",
            4,
            "OVS_FLOW_CMD_SET",
            _CHANGE,
            "change one's actions, or clear it",
            needs=("key",),
        ),
    ),
    attributes=AttributeSet(
        "OVS_FLOW_ATTR",
        Attribute("key", 1, "OVS_FLOW_ATTR_KEY", Nested(lambda: KEY), "what packets have"),
        Attribute("actions", 2, "OVS_FLOW_ATTR_ACTIONS", Nested(lambda: ACTION), "none: drop"),
        Attribute("statistics", 3, "OVS_FLOW_ATTR_STATS", FlowStatistics, "left out if zero"),
        Attribute("tcp_flags", 4, "OVS_FLOW_ATTR_TCP_FLAGS", U8, "all that were seen"),
        Attribute("used", 5, "OVS_FLOW_ATTR_USED", U64, "ms of the monotonic clock, last packet"),
        Attribute("clear", 6, "OVS_FLOW_ATTR_CLEAR", FLAG, "in a SET: forget what was counted"),
        Attribute(
            "mask",
            7,
            "OVS_FLOW_ATTR_MASK",
            Nested(lambda: KEY, recurring=True),
            "which bits of `key` count; left out: all that `key` has",
        ),
        Attribute("probe", 8, "OVS_FLOW_ATTR_PROBE", FLAG, "a trial: log no error"),
        Attribute("ufid", 9, "OVS_FLOW_ATTR_UFID", Binary(1, 16), "the flow's identity"),
        Attribute(
            "ufid_flags",
            10,
            "OVS_FLOW_ATTR_UFID_FLAGS",
            U32,
            "what to leave out of the answer: 1 key, 2 mask, 4 actions",
        ),
        Attribute("pad", 11, "OVS_FLOW_ATTR_PAD", BYTES, "aligns what follows to 8 bytes"),
        *EXTENSIONS,
        open=True,
    ),
)
