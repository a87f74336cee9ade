"""Where a guest's interface belongs, in one word. Pure.

br0              bridge br0, all VLANs
br0.10           an access port in VLAN 10
br0:20:30        a trunk of VLANs 20 and 30
br0.10:20:30     the same, and what has no tag is in VLAN 10

Xen's vif-openvswitch has the same form. A bridge whose name ends with a dot and a number can't be
said so.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from hotswitch.guests.errors import GuestError

_FORM = re.compile(
    r"(?P<bridge>[^:\s]+?)(?:\.(?P<tag>[0-9]{1,4}))?(?:(?P<trunks>(?::[0-9]{1,4})+))?"
)
_LAST_VLAN = 4095


class Place(NamedTuple):
    """A bridge, and VLANs there; tag: an access VLAN, or with `trunks` the native one."""

    bridge: str
    tag: int | None = None
    trunks: tuple[int, ...] = ()

    def request(self) -> dict[str, Any]:
        """What `port/add` is told of it."""
        asked: dict[str, Any] = {"bridge": self.bridge}
        if self.tag is not None:
            asked["tag"] = self.tag
        if self.trunks:
            asked["trunks"] = sorted(set(self.trunks))
        if self.trunks and self.tag is not None:
            asked["mode"] = "native-untagged"
        return asked


def read_place(text: str) -> Place:
    """Read BRIDGE[.TAG][:TRUNK...]. Raises GuestError."""
    found = _FORM.fullmatch(text)
    if not found or not text.isprintable():
        raise GuestError(
            f"{text[:40]!r} names no bridge", remedy="write BRIDGE, BRIDGE.TAG or BRIDGE:VLAN:VLAN"
        )
    tag = int(found["tag"]) if found["tag"] else None
    trunks = tuple(int(each) for each in (found["trunks"] or "").split(":") if each)
    for vlan in (*trunks, tag or 0):
        if vlan > _LAST_VLAN:
            raise GuestError(f"{text[:40]!r}: there is no VLAN {vlan}", remedy="0 to 4095")
    return Place(found["bridge"], tag, trunks)
