"""What an interface's row is to say of the interface (ovs-vswitchd.conf.db(5), Interface). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from hotswitch.config.devices import UNKNOWN, Device
from hotswitch.config.notes import NONE, Remarks
from hotswitch.config.rows import Value
from hotswitch.headers.text import MAC
from hotswitch.kernel.link_counters import LinkCounters
from hotswitch.kernel.links import Link
from hotswitch.model.port import PortStatistics
from hotswitch.ports.selector import show_incarnation
from hotswitch.switch.desired import PortKind
from hotswitch.switch.pipeline import LOCAL_PORT
from hotswitch.switch.status import LinkStatus, PortState, PortStatus

OPENFLOW_LOCAL = 65534
"""The local port's number in OpenFlow (OFPP_LOCAL), which is what the column `ofport` holds."""

NOT_BUILT: Mapping[str, Value] = MappingProxyType(
    {
        "bfd_status": {},
        "cfm_fault": None,
        "cfm_fault_status": (),
        "cfm_flap_count": None,
        "cfm_health": None,
        "cfm_remote_mpids": (),
        "cfm_remote_opstate": None,
        "lacp_current": None,
    }
)
"""Columns about what hotswitch does not do: empty, whoever may have filled them before."""

_NOTHING: Mapping[str, Value] = MappingProxyType(
    {
        **NOT_BUILT,
        "ofport": -1,
        "error": None,
        "ifindex": None,
        "mac_in_use": None,
        "mtu": None,
        "admin_state": None,
        "link_state": None,
        "link_speed": None,
        "duplex": None,
        "link_resets": None,
        "status": {},
    }
)


@dataclass(frozen=True, slots=True)
class InterfaceFacts:
    """All that the row depends on.

    port: None if there is no such port. error: what is wrong with its bridge.
    name: the interface's, which is a VIF's link's.
    resets: how often its carrier was seen to come or go.
    """

    port: PortStatus | None
    error: str = ""
    remarks: Remarks = NONE
    device: Device = UNKNOWN
    resets: int = 0
    name: str = ""

    @property
    def links(self) -> tuple[LinkStatus, ...]:
        """What is known of the link of a system port: one, or none."""
        links = self.port.links if self.port else ()
        return tuple(each for each in links if each.name == self.name)

    @property
    def link(self) -> Link | None:
        """What people know the interface by."""
        if self.links:
            return self.links[0].link
        return self.port.device if self.port else None


def interface_columns(facts: InterfaceFacts) -> Mapping[str, Value]:
    """All columns that hotswitch writes, but for `statistics`."""
    error = _error(facts)
    port = facts.port
    ignored = [facts.remarks.not_acted_on, port.shortfall if port else ""]
    notes = {"not_acted_on": "; ".join(filter(None, ignored))} if any(ignored) else {}
    if port is None or error:
        return {**_NOTHING, "error": error, "status": notes}
    is_patch = port.kind is PortKind.PATCH
    link = facts.link
    carrier = link.carrier if link else port.state is PortState.FORWARDING
    return {
        **NOT_BUILT,
        "ofport": OPENFLOW_LOCAL if port.number == LOCAL_PORT else port.number,
        "error": port.error or None,
        "ifindex": link.index if link and not is_patch else 0,
        "mac_in_use": MAC.show(link.address) if link else None,
        "mtu": link.mtu if link and not is_patch else None,
        "admin_state": None if link is None else "up" if link.up else "down",
        "link_state": "up" if carrier else "down",
        "link_speed": None if is_patch else facts.device.speed,
        "duplex": None if is_patch else facts.device.duplex,
        "link_resets": facts.resets,
        "status": {
            **({} if link is None or is_patch else facts.device.status),
            **_life(facts, port),
            **notes,
        },
    }


def _life(facts: InterfaceFacts, port: PortStatus) -> dict[str, str]:
    """Which device a system port has, in which life, and what becomes of it without one."""
    said: dict[str, str] = {}
    for each in facts.links:
        if each.link:
            said["device_name"] = each.link.name
            if each.link.incarnation:
                said["incarnation"] = show_incarnation(each.link.incarnation)
        if port.is_vif:
            said["vif"] = "active" if each.forwards else "standby" if each.link else "missing"
    if port.lifecycle:
        said["lifecycle"] = str(port.lifecycle)
    return said


def _error(facts: InterfaceFacts) -> str:
    """Why there is no port to speak of, or nothing."""
    if facts.remarks.error or facts.error:
        return facts.remarks.error or facts.error
    port = facts.port
    if port is None:
        return "it is not in force"
    if port.is_in_force:
        return ""
    return port.error or f"could not open network device {port.name} (No such device)"


def statistics(
    port: PortStatus, counted: PortStatistics, counters: LinkCounters | None
) -> dict[str, int]:
    """The column `statistics`, with Open vSwitch's keys.

    Packets and bytes are those that the switch took from or gave to the port. What the device
    itself dropped counts as dropped too.
    """
    found = {
        "rx_packets": counted.rx_packets,
        "rx_bytes": counted.rx_bytes,
        "tx_packets": counted.tx_packets,
        "tx_bytes": counted.tx_bytes,
    }
    if port.kind is PortKind.PATCH:
        return found
    device = counters or LinkCounters()
    return {
        **found,
        "rx_dropped": counted.rx_dropped + device.rx_dropped,
        "rx_errors": device.rx_errors,
        "rx_frame_err": device.rx_frame_errors,
        "rx_over_err": device.rx_over_errors,
        "rx_crc_err": device.rx_crc_errors,
        "rx_missed_errors": device.rx_missed_errors,
        "rx_multicast_packets": device.multicast,
        "tx_dropped": counted.tx_dropped + device.tx_dropped,
        "tx_errors": device.tx_errors,
        "collisions": device.collisions,
    }
