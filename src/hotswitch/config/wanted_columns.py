"""What the columns of rows say for what is wanted: what `read_*` read, the other way round.

A column or key that is None is not set: what is usual needs no words.
"""

from __future__ import annotations

from hotswitch.config.rows import Value
from hotswitch.headers.text import MAC
from hotswitch.model.port import Hook
from hotswitch.ports.adoption import show_rules
from hotswitch.ports.members import Member
from hotswitch.switch.desired import DesiredBridge, DesiredPort, PortKind

Settings = dict[str, str | None]
Maps = dict[str, Settings]
"""Settings by the column that they are in."""

_DEFAULT = DesiredBridge("")


def bridge_settings(bridge: DesiredBridge) -> Settings:
    """The keys of Bridge.other_config."""
    never = bridge.ageing_time == 0
    usual = bridge.ageing_time in (0, _DEFAULT.ageing_time)
    local = bridge.local
    return {
        "mac-aging": "false" if never else None,
        "mac-aging-time": None if usual else str(bridge.ageing_time),
        "mac-table-size": None
        if bridge.address_limit == _DEFAULT.address_limit
        else str(bridge.address_limit),
        "forward-bpdu": "true" if bridge.forward_reserved else None,
        "default-lifecycle": str(bridge.lifecycle) if bridge.lifecycle else None,
        "adopt": show_rules(bridge.adopt) or None,
        "facade": bridge.facade or None,
        "hwaddr": MAC.show(local.mac) if local.mac else None,
    }


def port_columns(port: DesiredPort) -> dict[str, Value]:
    """Columns of its row of Port, but for maps."""
    return {
        "tag": port.tag,
        "trunks": port.trunks,
        "vlan_mode": str(port.mode) if port.mode else None,
    }


def interface_columns(port: DesiredPort) -> dict[str, Value]:
    """Columns of all its rows of Interface, but for maps."""
    return {
        "type": "" if port.kind is PortKind.SYSTEM else str(port.kind),
        "mac": MAC.show(port.mac) if port.mac else None,
        "mtu_request": port.mtu or None,
        "ofport_request": port.number or None,
    }


def port_settings(port: DesiredPort) -> Maps:
    """The maps of its row of Port."""
    return {
        "other_config": {
            "storm-limit": str(port.storm_limit or "") or None,
            "lifecycle": str(port.lifecycle) if port.lifecycle else None,
            "vif": "true" if port.is_vif else None,
            "master": port.master or None,
        },
        "external_ids": dict(port.metadata),
    }


def interface_settings(port: DesiredPort, member: Member) -> Maps:
    """The maps of the row of Interface of one of its members."""
    return {
        "other_config": {
            "hook": None if port.hook is Hook.AUTO else str(port.hook),
            "link": str(member.selector) if member.selector else None,
            "follow-rename": None if member.follow_rename else "false",
            "netns": port.namespace or None,
            "device-name": port.device_name or None,
            "vif-preference": str(member.preference or "") or None,
        },
        "options": {"peer": port.peer or None},
        "external_ids": dict(member.metadata),
    }
