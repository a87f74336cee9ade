"""`ovs_meter`: rate limits that actions name."""

from __future__ import annotations

from hotswitch.netlink.families.extensions import EXTENSIONS
from hotswitch.netlink.families.flow import FlowStatistics
from hotswitch.netlink.family import DO, HAS_POLICY, NAMESPACE_ADMINISTRATOR, Command, Family
from hotswitch.netlink.nested import Attribute, AttributeSet, Indexed, Nested
from hotswitch.netlink.types import BYTES, FLAG, U32, U64, Number

DROP = 1
"""OVS_METER_BAND_TYPE_DROP: what is too much is dropped."""

BAND = AttributeSet(
    "OVS_BAND_ATTR",
    Attribute("type", 1, "OVS_BAND_ATTR_TYPE", Number(4, names={DROP: "drop"})),
    Attribute("rate", 2, "OVS_BAND_ATTR_RATE", U32, "kilobits or packets a second"),
    Attribute("burst", 3, "OVS_BAND_ATTR_BURST", U32, "kilobits or packets"),
    Attribute("statistics", 4, "OVS_BAND_ATTR_STATS", FlowStatistics, "what it dropped"),
)

_CHANGE = NAMESPACE_ADMINISTRATOR | DO | HAS_POLICY

METER = Family(
    name="ovs_meter",
    version=1,
    header=4,
    doc="Meters.",
    groups=("ovs_meter",),
    commands=(
        Command("features", 1, "OVS_METER_CMD_FEATURES", DO | HAS_POLICY, "what there is"),
        Command("set", 2, "OVS_METER_CMD_SET", _CHANGE, "add one, or change one"),
        Command("get", 4, "OVS_METER_CMD_GET", DO | HAS_POLICY, "one"),
        Command("del", 3, "OVS_METER_CMD_DEL", _CHANGE, "delete one"),
    ),
    attributes=AttributeSet(
        "OVS_METER_ATTR",
        Attribute("id", 1, "OVS_METER_ATTR_ID", U32),
        Attribute("kbps", 2, "OVS_METER_ATTR_KBPS", FLAG, "kilobits, not packets"),
        Attribute("statistics", 3, "OVS_METER_ATTR_STATS", FlowStatistics, "what it saw"),
        Attribute("bands", 4, "OVS_METER_ATTR_BANDS", Indexed(Nested(lambda: BAND), repeated=True)),
        Attribute("used", 5, "OVS_METER_ATTR_USED", U64, "ms of the monotonic clock, last packet"),
        Attribute("clear", 6, "OVS_METER_ATTR_CLEAR", FLAG, "forget what was counted"),
        Attribute("maximum_meters", 7, "OVS_METER_ATTR_MAX_METERS", U32),
        Attribute("maximum_bands", 8, "OVS_METER_ATTR_MAX_BANDS", U32, "in one meter"),
        Attribute("pad", 9, "OVS_METER_ATTR_PAD", BYTES, "aligns what follows to 8 bytes"),
        *EXTENSIONS,
        open=True,
    ),
)
