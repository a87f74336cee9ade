"""What the kernel knows of devices, for the database."""

from __future__ import annotations

from collections.abc import Mapping

from hotswitch.app.host import host_statistics
from hotswitch.config.devices import Device
from hotswitch.kernel import ethtool, link_counters
from hotswitch.kernel.link_counters import LinkCounters
from hotswitch.kernel.links import Link

_MEGA = 1_000_000
_MOST = 16384
"""Devices to remember at once."""


class KernelDevices:
    """Asks once for each state of a device: drivers don't change, speeds do with the carrier."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str, bool], Device] = {}

    def device(self, link: Link) -> Device:
        """See `config.devices.Devices`."""
        key = link.index, link.name, link.carrier
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _MOST:
                self._known.clear()
            found = self._known[key] = _ask(link.name)
        return found

    def counters(self) -> Mapping[int, LinkCounters]:
        """See `config.devices.Devices`. Raises KernelError."""
        return link_counters.list_counters()

    def host(self) -> Mapping[str, str]:
        """See `config.devices.Devices`."""
        try:
            return host_statistics("hotswitchd")
        except OSError:  # without /proc nothing is known
            return {}


def _ask(name: str) -> Device:
    driver = ethtool.driver(name) or ethtool.Driver("", "", "")
    mode = ethtool.link_mode(name) or ethtool.LinkMode(0, None)
    duplex = {True: "full", False: "half", None: None}[mode.full_duplex]
    return Device(driver.name, driver.version, driver.firmware, mode.speed * _MEGA or None, duplex)
