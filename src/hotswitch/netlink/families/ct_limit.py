"""`ovs_ct_limit`: how many connections a zone may have."""

from __future__ import annotations

from hotswitch.netlink.families.extensions import EXTENSIONS
from hotswitch.netlink.family import DO, HAS_POLICY, NAMESPACE_ADMINISTRATOR, Command, Family
from hotswitch.netlink.nested import Attribute, AttributeSet
from hotswitch.netlink.types import S32, U32, Array, Structure

DEFAULT_ZONE = -1
"""OVS_ZONE_LIMIT_DEFAULT_ZONE: what holds for zones without a limit of their own."""

ZoneLimit = Structure("ovs_zone_limit", zone=S32, limit=U32, count=U32)

_CHANGE = NAMESPACE_ADMINISTRATOR | DO | HAS_POLICY

CT_LIMIT = Family(
    name="ovs_ct_limit",
    version=1,
    header=4,
    doc="Limits of connection tracking.",
    groups=("ovs_ct_limit",),
    commands=(
        Command("set", 1, "OVS_CT_LIMIT_CMD_SET", _CHANGE, "set limits"),
        Command("del", 2, "OVS_CT_LIMIT_CMD_DEL", _CHANGE, "delete limits"),
        Command("get", 3, "OVS_CT_LIMIT_CMD_GET", DO | HAS_POLICY, "some, or all"),
    ),
    attributes=AttributeSet(
        "OVS_CT_LIMIT_ATTR",
        Attribute("zone_limit", 1, "OVS_CT_LIMIT_ATTR_ZONE_LIMIT", Array(ZoneLimit), "0: no limit"),
        *EXTENSIONS,
        open=True,
    ),
)
