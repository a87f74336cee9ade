"""A guest's interface as xl describes it in XenStore.

libxl writes the interface's folder (tools/libs/light/libxl_nic.c, libxl__set_xenstore_nic); the
guest can't. What is read: bridge, vifname, mac, mtu, type, vlan, frontend, frontend-id. Not
`rate`, which the kernel's netback acts on itself, and not `ip`, for which Xen's own scripts would
make rules of iptables.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from hotswitch.guests.errors import GuestError
from hotswitch.guests.place import Place, read_place
from hotswitch.guests.plug import EPHEMERAL
from hotswitch.guests.xen_call import Call
from hotswitch.guests.xenstore import Store

_BOTH = "vif_ioemu"
"""libxl_nic_type VIF_IOEMU: the guest has an emulated device too."""
_MTU = re.compile(r"[0-9]{1,5}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface of a guest.

    vif, tap: the names that its devices are to have; tap is empty if there is no emulated one.
    place: None if no bridge is named. mtu: in bytes, 0 if none is given.
    frontend: the guest's folder in XenStore for it. metadata: of the guest, for others.
    """

    vif: str
    tap: str
    place: Place | None
    mtu: int
    frontend: str
    metadata: dict[str, str]

    def device(self, call: Call) -> str:
        """The name that the device of this call is to have."""
        return self.tap if call.is_emulated else self.vif

    def request(self, place: Place, mtu: int) -> dict[str, Any]:
        """What `port/add` is told: one port of one or two devices, which come in any order.

        The paravirtual one forwards as soon as the guest has connected to it: before, it has no
        carrier.
        """
        asked: dict[str, Any] = {"name": self.vif, **place.request(), **EPHEMERAL}
        if self.tap:
            asked |= {"vif": [self.tap, self.vif], "absent_ok": True}
        if mtu:
            asked["mtu"] = mtu
        return {**asked, "metadata": self.metadata}


def names(store: Store, call: Call) -> tuple[str, str]:
    """The names that the vif and the tap are to have. Raises GuestError."""
    if wanted := store.read(f"{call.path}/vifname"):
        return wanted, f"{wanted}-emu"
    return call.vif, call.tap


def read_interface(store: Store, call: Call, bridge: str) -> Interface:
    """Read what is said of the interface. bridge: if that says of none. Raises GuestError."""

    def read(key: str) -> str:
        return store.read(f"{call.path}/{key}")

    if vlan := read("vlan"):
        raise GuestError(
            f"vlan={vlan[:40]} is not understood", remedy="say it with the bridge: bridge=br0.10"
        )
    vif, tap = names(store, call)
    has_both = call.is_emulated or read("type") == _BOTH
    where = read("bridge") or bridge
    return Interface(
        vif=vif,
        tap=tap if has_both else "",
        place=read_place(where) if where else None,
        mtu=_mtu(read("mtu")),
        frontend=read("frontend"),
        metadata=_metadata(store, read("frontend-id"), read("mac")),
    )


def _mtu(text: str) -> int:
    if text and not _MTU.fullmatch(text):
        raise GuestError(f"mtu={text[:40]} is no number of bytes")
    return int(text or 0)


def _metadata(store: Store, domain: str, mac: str) -> dict[str, str]:
    """Whose it is, with the keys of Xen's vif-openvswitch, and libvirt's vm-id."""
    machine = store.read(f"/local/domain/{domain}/vm") if domain else ""
    uuid = store.read(f"{machine}/uuid") if machine else ""
    name = store.read(f"{machine}/name") if machine else ""
    known = {"attached-mac": mac, "vm-id": uuid, "xen-vm-uuid": uuid, "xen-vm-name": name}
    return {key: value for key, value in known.items() if value}
