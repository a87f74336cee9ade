"""The controller, `nlctrl`: which families there are (include/uapi/linux/genetlink.h)."""

from __future__ import annotations

from hotswitch.netlink.family import DO, DUMP, Command, Family
from hotswitch.netlink.nested import Attribute, AttributeSet, Indexed, Nested
from hotswitch.netlink.types import BYTES, U16, U32, U64, Number, Text

ID = 16
"""GENL_ID_CTRL: the controller's own message type, which never changes."""

_S64 = Number(8, signed=True)

KINDS = {
    0: "invalid",
    1: "flag",
    2: "u8",
    3: "u16",
    4: "u32",
    5: "u64",
    6: "s8",
    7: "s16",
    8: "s32",
    9: "s64",
    10: "binary",
    11: "string",
    12: "nul_string",
    13: "nested",
    14: "nested_array",
    15: "bitfield32",
    16: "sint",
    17: "uint",
}
"""NL_ATTR_TYPE_*: what a policy says an attribute is."""

POLICY_ATTRIBUTE = AttributeSet(
    "NL_POLICY_TYPE_ATTR",
    Attribute("type", 1, "NL_POLICY_TYPE_ATTR_TYPE", Number(4, names=KINDS)),
    Attribute("minimum_signed", 2, "NL_POLICY_TYPE_ATTR_MIN_VALUE_S", _S64),
    Attribute("maximum_signed", 3, "NL_POLICY_TYPE_ATTR_MAX_VALUE_S", _S64),
    Attribute("minimum", 4, "NL_POLICY_TYPE_ATTR_MIN_VALUE_U", U64),
    Attribute("maximum", 5, "NL_POLICY_TYPE_ATTR_MAX_VALUE_U", U64),
    Attribute("minimum_length", 6, "NL_POLICY_TYPE_ATTR_MIN_LENGTH", U32, "bytes"),
    Attribute("maximum_length", 7, "NL_POLICY_TYPE_ATTR_MAX_LENGTH", U32, "bytes"),
    Attribute("policy", 8, "NL_POLICY_TYPE_ATTR_POLICY_IDX", U32, "of what is nested"),
    Attribute(
        "maximum_type", 9, "NL_POLICY_TYPE_ATTR_POLICY_MAXTYPE", U32, "highest number nested"
    ),
    Attribute("bitfield_mask", 10, "NL_POLICY_TYPE_ATTR_BITFIELD32_MASK", U32),
    Attribute("pad", 11, "NL_POLICY_TYPE_ATTR_PAD", BYTES),
    Attribute("mask", 12, "NL_POLICY_TYPE_ATTR_MASK", U64, "the bits that may be set"),
)

OPERATION = AttributeSet(
    "CTRL_ATTR_OP",
    Attribute("id", 1, "CTRL_ATTR_OP_ID", U32, "the command's number"),
    Attribute("flags", 2, "CTRL_ATTR_OP_FLAGS", U32, "GENL_ADMIN_PERM, GENL_CMD_CAP_*"),
)

GROUP = AttributeSet(
    "CTRL_ATTR_MCAST_GRP",
    Attribute("name", 1, "CTRL_ATTR_MCAST_GRP_NAME", Text(15)),
    Attribute("id", 2, "CTRL_ATTR_MCAST_GRP_ID", U32),
)

OPERATION_POLICY = AttributeSet(
    "CTRL_ATTR_POLICY",
    Attribute("do", 1, "CTRL_ATTR_POLICY_DO", U32, "the policy's number"),
    Attribute("dump", 2, "CTRL_ATTR_POLICY_DUMP", U32, "the policy's number"),
)

CONTROLLER = Family(
    name="nlctrl",
    version=2,
    header=0,
    doc="Which families there are, under which message types, and what they take.",
    commands=(
        Command("newfamily", 1, "CTRL_CMD_NEWFAMILY", doc="answer and event: there is a family"),
        Command("delfamily", 2, "CTRL_CMD_DELFAMILY", doc="event: a family has gone"),
        Command("getfamily", 3, "CTRL_CMD_GETFAMILY", DO | DUMP, "by name, by id, or all"),
        Command("newops", 4, "CTRL_CMD_NEWOPS"),
        Command("delops", 5, "CTRL_CMD_DELOPS"),
        Command("getops", 6, "CTRL_CMD_GETOPS"),
        Command("newmcast_grp", 7, "CTRL_CMD_NEWMCAST_GRP"),
        Command("delmcast_grp", 8, "CTRL_CMD_DELMCAST_GRP"),
        Command("getmcast_grp", 9, "CTRL_CMD_GETMCAST_GRP"),
        Command("getpolicy", 10, "CTRL_CMD_GETPOLICY", DUMP, "what attributes are checked for"),
    ),
    groups=("notify",),
    attributes=AttributeSet(
        "CTRL_ATTR",
        Attribute("family_id", 1, "CTRL_ATTR_FAMILY_ID", U16, "its message type"),
        Attribute("family_name", 2, "CTRL_ATTR_FAMILY_NAME", Text(15)),
        Attribute("version", 3, "CTRL_ATTR_VERSION", U32),
        Attribute("header_size", 4, "CTRL_ATTR_HDRSIZE", U32, "bytes of the family's own header"),
        Attribute("maximum_attribute", 5, "CTRL_ATTR_MAXATTR", U32),
        Attribute("operations", 6, "CTRL_ATTR_OPS", Indexed(Nested(lambda: OPERATION))),
        Attribute("groups", 7, "CTRL_ATTR_MCAST_GROUPS", Indexed(Nested(lambda: GROUP))),
        Attribute(
            "policy",
            8,
            "CTRL_ATTR_POLICY",
            Indexed(Indexed(Nested(lambda: POLICY_ATTRIBUTE), flagged=True), flagged=True),
            "by policy and attribute",
            flagged=True,
        ),
        Attribute(
            "operation_policy",
            9,
            "CTRL_ATTR_OP_POLICY",
            Indexed(Nested(lambda: OPERATION_POLICY), flagged=True),
            "by command",
            flagged=True,
        ),
        Attribute("operation", 10, "CTRL_ATTR_OP", U32, "the command asked about"),
        open=True,
    ),
)
