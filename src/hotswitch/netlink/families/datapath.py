"""`ovs_datapath`: making, changing, listing and deleting datapaths."""

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
from hotswitch.netlink.nested import Attribute, AttributeSet
from hotswitch.netlink.types import BYTES, U32, U64, Array, FirstNumber, Number, Structure, Text

UNALIGNED = 0x1
"""OVS_DP_F_UNALIGNED: the last attribute need not be padded."""
VPORT_PIDS = 0x2
"""OVS_DP_F_VPORT_PIDS: a vport may have several port ids for its misses."""
RECIRCULATION_SHARING = 0x4
"""OVS_DP_F_TC_RECIRC_SHARING."""
PER_CPU = 0x8
"""OVS_DP_F_DISPATCH_UPCALL_PER_CPU: misses go by CPU, not by vport."""

FEATURES_SINCE = 2
"""OVS_DP_VER_FEATURES: the family's version from which on clients know of features."""

DatapathStatistics = Structure("ovs_dp_stats", hit=U64, missed=U64, lost=U64, flows=U64)
MegaflowStatistics = Structure(
    "ovs_dp_megaflow_stats", mask_hit=U64, masks=U32, pad0=U32, cache_hit=U64, pad1=U64
)

_CHANGE = NAMESPACE_ADMINISTRATOR | DO | HAS_POLICY

DATAPATH = Family(
    name="ovs_datapath",
    version=2,
    header=4,
    doc="Datapaths. One is named by the number in the header, or by `name` and 0 there.",
    groups=("ovs_datapath",),
    commands=(
        Command(
            "new",
            1,
            "OVS_DP_CMD_NEW",
            _CHANGE,
            "make one; answer and event",
            needs=(
                "name",
                "upcall_pid",
            ),
        ),
        Command("del", 2, "OVS_DP_CMD_DEL", _CHANGE, "delete one; answer and event"),
        Command("get", 3, "OVS_DP_CMD_GET", DO | DUMP | HAS_POLICY, "one, or all"),
        Command("set", 4, "OVS_DP_CMD_SET", _CHANGE, "change one; answer and event"),
    ),
    attributes=AttributeSet(
        "OVS_DP_ATTR",
        Attribute("name", 1, "OVS_DP_ATTR_NAME", Text(15), "of its local port's device"),
        Attribute(
            "upcall_pid",
            2,
            "OVS_DP_ATTR_UPCALL_PID",
            FirstNumber(4),
            "who gets the local port's misses; of several the first",
        ),
        Attribute("statistics", 3, "OVS_DP_ATTR_STATS", DatapathStatistics, "packets; flows"),
        Attribute(
            "megaflow_statistics",
            4,
            "OVS_DP_ATTR_MEGAFLOW_STATS",
            MegaflowStatistics,
            "masks tried, masks there, hits of the cache in front of them",
        ),
        Attribute(
            "user_features",
            5,
            "OVS_DP_ATTR_USER_FEATURES",
            U32,
            "OVS_DP_F_*: 1 unaligned, 2 vport pids, 4 recirculation sharing, 8 dispatch per CPU; "
            "a change without it ends them all",
        ),
        Attribute("pad", 6, "OVS_DP_ATTR_PAD", BYTES, "aligns what follows to 8 bytes"),
        Attribute("masks_cache_size", 7, "OVS_DP_ATTR_MASKS_CACHE_SIZE", U32, "entries; 0: off"),
        Attribute(
            "per_cpu_pids",
            8,
            "OVS_DP_ATTR_PER_CPU_PIDS",
            Array(U32, minimum=1),
            "who gets misses, by CPU",
        ),
        Attribute(
            "ifindex",
            9,
            "OVS_DP_ATTR_IFINDEX",
            Number(4, signed=True, minimum=0),
            "the new device's number, 0: any",
        ),
        *EXTENSIONS,
        open=True,
    ),
)
