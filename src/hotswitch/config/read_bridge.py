"""One row of Bridge: the bridge that it asks for, without its ports. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType

from hotswitch.config.notes import Note
from hotswitch.config.read_member import lifecycle
from hotswitch.config.rows import Row, Uuid, pairs, text
from hotswitch.config.settings import (
    Remarker,
    SettingError,
    boolean,
    datapath_id,
    station_address,
    whole_number,
)
from hotswitch.ports.adoption import Rule, read_rules
from hotswitch.ports.errors import PortTextError
from hotswitch.switch.check import (
    MAXIMUM_ADDRESSES,
    MAXIMUM_AGEING_TIME,
    SwitchError,
    check,
    check_rule,
)
from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort

_DEFAULT = DesiredBridge("")

DATAPATH_TYPES = ("netdev", "system")
"""What `Bridge.datapath_type` may be; both mean the same here."""


@dataclass(frozen=True, slots=True)
class BridgeReading:
    """What a row of Bridge says.

    bridge: None if it can't be had, for which there is a note.
    address: what the local port's device is to have, or 0.
    identifier: the datapath id asked for, 16 hexadecimal digits, or empty.
    """

    name: str
    bridge: DesiredBridge | None
    address: int
    identifier: str
    notes: tuple[Note, ...]

    @property
    def has_facade(self) -> bool:
        """Whether the local port is a Linux bridge."""
        return bool(self.bridge and self.bridge.facade)

    @property
    def of_local_port(self) -> tuple[int, bool]:
        """All that its local port takes from it."""
        return self.address, self.has_facade


def read_bridge(uuid: Uuid, row: Row) -> BridgeReading:
    """Read one row of Bridge."""
    remarks = Remarker("Bridge", uuid, text(row, "name"))
    remarks.look_through(row)
    settings = pairs(row, "other_config")
    bridge: DesiredBridge | None = DesiredBridge(
        remarks.name,
        ageing_time=_ageing_time(settings, remarks),
        address_limit=remarks.setting(
            settings, "mac-table-size", whole_number(0, MAXIMUM_ADDRESSES), 0
        )
        or _DEFAULT.address_limit,
        forward_reserved=remarks.setting(settings, "forward-bpdu", boolean, False),
        lifecycle=remarks.setting(settings, "default-lifecycle", lifecycle, None),
        adopt=remarks.setting(settings, "adopt", _rules, ()),
        facade=settings.get("facade", ""),
    )
    kind = text(row, "datapath_type")
    if kind and kind not in DATAPATH_TYPES:
        known = ", ".join(DATAPATH_TYPES)
        remarks.refuse(f"datapath_type {kind[:40]!r} is not supported; types are {known}")
        bridge = None
    if bridge:
        try:
            check(Desired(MappingProxyType({bridge.name: bridge})))
        except SwitchError as error:
            remarks.refuse(str(error))
            bridge = None
    address = remarks.setting(settings, "hwaddr", station_address, 0)
    if bridge and bridge.facade:
        remarks.ignore_keys(row, "other_config", ("hwaddr",), "the facade keeps its own address")
        address = 0
    return BridgeReading(
        remarks.name,
        bridge,
        address,
        remarks.setting(settings, "datapath-id", datapath_id, ""),
        tuple(remarks.notes),
    )


def _ageing_time(settings: Mapping[str, str], remarks: Remarker) -> int:
    if not remarks.setting(settings, "mac-aging", boolean, True):
        return 0
    default = _DEFAULT.ageing_time
    return (
        remarks.setting(settings, "mac-aging-time", whole_number(0, MAXIMUM_AGEING_TIME), default)
        or default
    )


def with_ports(reading: BridgeReading, ports: Mapping[str, DesiredPort]) -> DesiredBridge:
    """The bridge, which can be had, with these ports; the address is the local port's."""
    assert reading.bridge
    mac = 0 if reading.name in ports else reading.address
    return replace(reading.bridge, ports=ports, mac=mac)


def refused(reading: BridgeReading, row: Uuid, why: str) -> BridgeReading:
    """The bridge, which can't be had beside others."""
    note = Note("Bridge", row, reading.name, why, refused=True)
    return replace(reading, bridge=None, notes=(*reading.notes, note))


def without_rules(reading: BridgeReading, row: Uuid, why: str) -> BridgeReading:
    """The same bridge, whose rules for adoption are not in force."""
    assert reading.bridge
    note = Note("Bridge", row, reading.name, f"other_config:adopt ({why})")
    bridge = replace(reading.bridge, adopt=())
    return replace(reading, bridge=bridge, notes=(*reading.notes, note))


@lru_cache(maxsize=64)
def _rules(given: str) -> tuple[Rule, ...]:
    try:
        rules = read_rules(given)
        bridge = DesiredBridge("", adopt=rules)
        for rule in rules:
            check_rule(rule, bridge)
    except (PortTextError, SwitchError) as error:
        raise SettingError(str(error)) from error
    return rules
