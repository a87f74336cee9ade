"""What a row of Interface asks for, setting by setting; what can't be had is remarked. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from hotswitch.config.rows import Row, number, pairs, text
from hotswitch.config.settings import Remarker, SettingError, station_address
from hotswitch.model.action import MAXIMUM_PORT
from hotswitch.model.port import Hook
from hotswitch.switch.check import MAXIMUM_MTU, MINIMUM_MTU
from hotswitch.switch.desired import PortKind
from hotswitch.switch.pipeline import LOCAL_PORT

_KINDS: Mapping[str, PortKind] = {"": PortKind.SYSTEM} | {str(each): each for each in PortKind}
"""By the text of `Interface.type`."""


def kind_of(interface: Row) -> PortKind | None:
    """The kind that its type names; None: there is no such kind here."""
    return _KINDS.get(text(interface, "type"))


def asked_number(interface: Row, remarks: Remarker) -> int:
    """The number that it asks for; 0: any."""
    asked = number(interface, "ofport_request") or 0
    if asked == LOCAL_PORT or not 0 <= asked <= MAXIMUM_PORT:
        remarks.ignore(f"ofport_request ({asked} can't be had)")
        return 0
    return asked


def asked_address(kind: PortKind, interface: Row, remarks: Remarker) -> int:
    """The device's Ethernet address; 0: any."""
    given = text(interface, "mac")
    if not given:
        return 0
    if kind not in (PortKind.INTERNAL, PortKind.TAP):
        remarks.ignore(f"mac (the device of a {kind} interface keeps its own)")
        return 0
    return remarks.setting({"mac": given}, "mac", station_address, 0, column="")


def asked_namespace(kind: PortKind, interface: Row, remarks: Remarker, *, is_local: bool) -> str:
    """The network namespace that the device is for; "": this one."""
    if kind is PortKind.INTERNAL and not is_local:
        return pairs(interface, "other_config").get("netns", "")
    why = "only the device of an internal interface can be for another namespace"
    remarks.ignore_keys(interface, "other_config", ("netns",), why)
    return ""


def asked_device_name(kind: PortKind, interface: Row, remarks: Remarker, *, is_local: bool) -> str:
    """What the device is called; "": as the port."""
    if kind in (PortKind.INTERNAL, PortKind.TAP) and not is_local:
        return pairs(interface, "other_config").get("device-name", "")
    why = "only a device that is made for an interface can be named"
    remarks.ignore_keys(interface, "other_config", ("device-name",), why)
    return ""


def asked_mtu(kind: PortKind, interface: Row, remarks: Remarker) -> int:
    """The device's MTU; 0: any."""
    asked = number(interface, "mtu_request") or 0
    if asked and kind is PortKind.PATCH:
        remarks.ignore("mtu_request (a patch port has no device)")
        return 0
    if asked and not MINIMUM_MTU <= asked <= MAXIMUM_MTU:
        remarks.ignore(f"mtu_request ({asked} is not in the range {MINIMUM_MTU} to {MAXIMUM_MTU})")
        return 0
    return asked


def asked_peer(kind: PortKind, interface: Row, remarks: Remarker) -> str:
    """The other end of a patch port."""
    options = pairs(interface, "options")
    for key in options:
        if kind is not PortKind.PATCH or key != "peer":
            remarks.ignore(f"options:{key}")
    return options.get("peer", "") if kind is PortKind.PATCH else ""


def asked_hook(interface: Row, remarks: Remarker) -> Hook:
    """Where the device's frames are to be taken."""
    return remarks.setting(pairs(interface, "other_config"), "hook", _hook, Hook.AUTO)


def _hook(given: str) -> Hook:
    try:
        return Hook(given)
    except ValueError:
        raise SettingError(f"it is one of {', '.join(Hook)}") from None
