"""What is known of a device beside what every list of links says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from hotswitch.kernel.link_counters import LinkCounters
from hotswitch.kernel.links import Link


@dataclass(frozen=True, slots=True)
class Device:
    """What a device's driver says of itself.

    speed: bits a second, or None if it has none. duplex: "full", "half" or None.
    """

    driver: str = ""
    driver_version: str = ""
    firmware: str = ""
    speed: int | None = None
    duplex: str | None = None

    @property
    def status(self) -> dict[str, str]:
        """In the keys of ovs-vswitchd.conf.db(5), Interface: status."""
        return {
            "driver_name": self.driver,
            "driver_version": self.driver_version,
            "firmware_version": self.firmware,
        }


UNKNOWN = Device()


class Devices(Protocol):
    """Asks the kernel about devices. Raises HotswitchError only from `counters`."""

    def device(self, link: Link) -> Device:
        """What the link's driver says; `UNKNOWN` if it says nothing."""

    def counters(self) -> Mapping[int, LinkCounters]:
        """What the kernel has counted, by the links' indexes."""

    def host(self) -> Mapping[str, str]:
        """What the host is doing, in the keys of Open_vSwitch: statistics. It may block."""
