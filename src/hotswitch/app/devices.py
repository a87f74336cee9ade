"""What the kernel knows of devices, for the database."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from hotswitch.app.host import host_statistics
from hotswitch.config.devices import Device
from hotswitch.kernel import ethtool, link_counters
from hotswitch.kernel.ethtool import Driver, LinkMode
from hotswitch.kernel.link_counters import LinkCounters
from hotswitch.kernel.links import Link

_MEGA = 1_000_000
_MOST = 16384
"""Devices to remember at once."""
_VETH = LinkMode(10_000, full_duplex=True)
"""Of every pair (veth_get_link_ksettings, drivers/net/veth.c); asking waits for other changes."""


class KernelDevices:
    """Asks once for each state of a device: drivers don't change, speeds do with the carrier.

    All devices of a kind that is made in software ("veth", "tun") have the same driver.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, str, bool], Device] = {}
        self._drivers: dict[str, Driver] = {}
        self._asker: socket.socket | None = None

    def device(self, link: Link) -> Device:
        """See `config.devices.Devices`."""
        key = link.index, link.name, link.carrier
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _MOST:
                self._known.clear()
            found = self._known[key] = self._ask(link)
        return found

    def _ask(self, link: Link) -> Device:
        if self._asker is None:
            self._asker = ethtool.asker()
        driver = self._drivers.get(link.kind)
        if driver is None:
            driver = ethtool.driver(link.name, self._asker) or Driver("", "", "")
            if link.kind and driver.name:
                self._drivers[link.kind] = driver
        mode = _VETH if link.kind == "veth" else ethtool.link_mode(link.name, self._asker)
        speed = mode.speed * _MEGA if mode else 0
        duplex = {True: "full", False: "half", None: None}[mode.full_duplex if mode else None]
        return Device(driver.name, driver.version, driver.firmware, speed or None, duplex)

    def counters(self) -> Mapping[int, LinkCounters]:
        """See `config.devices.Devices`. Raises KernelError."""
        return link_counters.list_counters()

    def host(self) -> Mapping[str, str]:
        """See `config.devices.Devices`."""
        try:
            return host_statistics("hotswitchd")
        except OSError:  # without /proc nothing is known
            return {}
