"""What a row of Port says, whatever its interfaces are. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

from hotswitch.config.read_member import lifecycle, metadata
from hotswitch.config.rows import Row, members, number, pairs, text
from hotswitch.config.settings import Remarker, SettingError, boolean, whole_number
from hotswitch.datapath.limits import STANDARD
from hotswitch.ports.lifecycle import EPHEMERAL
from hotswitch.switch.check import SwitchError, check
from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort, VlanMode


def common_of(
    name: str, row: Row, of_port: Remarker, of_interfaces: list[Remarker]
) -> DesiredPort | None:
    """What the row of Port says, whatever its interfaces are."""
    try:
        mode = _mode(row)
    except SettingError as error:
        # No other mode would keep frames apart as asked.
        refuse_all([of_port, *of_interfaces], error.message)
        return None
    settings = pairs(row, "other_config")
    transient = of_port.setting(settings, "transient", boolean, False)
    return DesiredPort(
        name=name,
        tag=number(row, "tag"),
        trunks=tuple(sorted(set(members(row, "trunks")))),
        mode=mode,
        storm_limit=of_port.setting(settings, "storm-limit", whole_number(0, STANDARD.rate), 0),
        lifecycle=of_port.setting(
            settings, "lifecycle", lifecycle, EPHEMERAL if transient else None
        ),
        master=settings.get("master", ""),
        metadata=metadata(row),
    )


def refuse_all(remarks: Iterable[Remarker], why: str) -> None:
    """Note why there is no port, for its rows."""
    for each in remarks:
        each.refuse(why)


def possible(bridge: str, port: DesiredPort, remarks: list[Remarker]) -> DesiredPort | None:
    """The port, if the switch could have it were there no other."""
    alone = DesiredBridge(bridge, MappingProxyType({port.name: port}))
    try:
        check(Desired(MappingProxyType({bridge: alone})))
    except SwitchError as error:
        refuse_all(remarks, str(error))
        return None
    return port


def _mode(row: Row) -> VlanMode | None:
    given = text(row, "vlan_mode")
    try:
        return VlanMode(given) if given else None
    except ValueError:
        raise SettingError(f"vlan_mode {given[:40]} is not supported") from None
