"""What a port's VLAN settings mean, as plain sets.

The meaning is Open vSwitch's: ovs-vswitchd.conf.db(5), "VLAN Configuration", and what
ofproto/ofproto-dpif-xlate.c does with `vlan-limit` 1 (an inner tag is payload).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from hotswitch.switch.desired import DesiredPort, VlanMode

VLANS = 4096


@dataclass(frozen=True, slots=True)
class PortVlans:
    """The VLANs of a port, inwards and outwards.

    native: the VLAN of frames that come in untagged or priority-tagged (VLAN 0 in the
        tag); None: the port does not take them.
    tagged: the VLANs, 1–4095, that come in by their tag; None: all.
    bare: the VLAN whose frames leave without a tag, or None.
    floods_zero: whether frames of VLAN 0 are flooded to the port.
    """

    native: int | None
    tagged: frozenset[int] | None
    bare: int | None
    floods_zero: bool

    @property
    def is_access(self) -> bool:
        """Whether the port carries a single VLAN and no tags."""
        return self.tagged is not None and not self.tagged and self.bare is not None

    def carries(self, vlan: int) -> bool:
        """Whether a frame of this VLAN can come in here, so that addresses are learned in it."""
        if vlan == self.native:
            return True
        return vlan != 0 and (self.tagged is None or vlan in self.tagged)

    def floods(self, vlan: int) -> bool:
        """Whether a frame of this VLAN with an unknown destination leaves here."""
        if vlan == 0:
            return self.floods_zero
        return self.tagged is None or vlan in self.tagged or (self.is_access and vlan == self.bare)


@lru_cache(maxsize=65536)
def port_vlans(port: DesiredPort) -> PortVlans:
    """The meaning of a port's `tag`, `trunks` and `mode`."""
    mode = port.mode or (VlanMode.TRUNK if port.tag is None else VlanMode.ACCESS)
    native = port.tag or 0
    listed = frozenset(port.trunks)
    tagged = listed - {0} if listed else None
    takes_zero = not listed or 0 in listed
    if mode is VlanMode.ACCESS:
        return PortVlans(native, frozenset(), native, floods_zero=native == 0)
    if mode is VlanMode.TRUNK:
        return PortVlans(0 if takes_zero else None, tagged, None, floods_zero=takes_zero)
    if native:  # always carried; VLAN 0 never is
        tagged = None if tagged is None else tagged | {native}
        takes_zero = False
    bare = native if mode is VlanMode.NATIVE_UNTAGGED else None
    return PortVlans(native, tagged, bare, floods_zero=takes_zero)
