"""What xl calls a vif's script with. Pure.

For each interface of a guest, libxl (tools/libs/light/libxl_linux.c, libxl__hotplug_nic) calls

    SCRIPT online type_if=vif       the paravirtual device is there
    SCRIPT add type_if=tap          and so is the emulated one, if the guest has that too
    SCRIPT offline type_if=vif      and, when they go
    SCRIPT remove type_if=tap

with XENBUS_PATH (the interface's folder in XenStore, relative to this domain), vif and INTERFACE
(the two devices' names) in the environment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hotswitch.guests.errors import GuestError

_ONES = {"vif": ("online", "offline"), "tap": ("add", "remove")}
"""The commands for each type of device. Those for the other say nothing new, and are ignored."""

_USUAL_NAME = re.compile(r"(?:vif|tap)(?P<domain>[0-9]+)\.(?P<device>[0-9]+)(?:-emu)?", re.ASCII)
"""By libxl, vif1.0 and vif1.0-emu; by others before it, vif1.0 and tap1.0."""


@dataclass(frozen=True, slots=True)
class Call:
    """What is to be done.

    comes: else it goes. is_emulated: it is the tap. device: its name as it was made.
    path: the interface's folder in XenStore. vif, tap: the names that the devices were made with.
    """

    comes: bool
    is_emulated: bool
    path: str
    vif: str
    tap: str

    @property
    def device(self) -> str:
        """The name with which the device that is meant was made."""
        return self.tap if self.is_emulated else self.vif


def read_call(arguments: Sequence[str], environment: Mapping[str, str]) -> Call | None:
    """Understand the script's arguments and environment; None: nothing is to be done.

    Arguments with "=" take the place of the environment. Raises GuestError.
    """
    settings = (each.partition("=") for each in arguments if "=" in each)
    given = {**environment, **{name: value for name, _, value in settings}}
    command = next((each for each in arguments if "=" not in each), "")
    kind = given.get("type_if") or "vif"
    if kind not in _ONES:
        raise GuestError(f"unknown type of interface {kind[:40]!r}", remedy="vif or tap")
    if not any(command in each for each in _ONES.values()):
        raise GuestError(f"unknown command {command[:40]!r}", remedy="online, offline, add, remove")
    if command not in _ONES[kind]:
        return None
    vif, tap = given.get("vif", ""), given.get("INTERFACE", "")
    device, variable = (tap, "INTERFACE") if kind == "tap" else (vif, "vif")
    if not device:
        raise GuestError(f"{variable} is not set", remedy="this is a script for xl to call")
    usual = _USUAL_NAME.fullmatch(device)
    path = given.get("XENBUS_PATH", "")
    if not path and kind == "tap" and usual:
        path = f"/local/domain/0/backend/vif/{usual['domain']}/{usual['device']}"
    if not path:
        raise GuestError("XENBUS_PATH is not set", remedy="this is a script for xl to call")
    if usual:
        vif = vif or f"vif{usual['domain']}.{usual['device']}"
    return Call(
        comes=command in ("online", "add"),
        is_emulated=kind == "tap",
        path=path.rstrip("/"),
        vif=vif,
        tap=tap or f"{vif}-emu",
    )
