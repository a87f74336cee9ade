"""Which life of a device a link is: its incarnation.

The kernel's own number is in sysfs (`kernel.sysfs`). Where that can't be read, this process gives
numbers of its own, which mean nothing to the next one.
"""

from __future__ import annotations

import itertools
import logging
import secrets
from dataclasses import replace
from typing import Protocol

from hotswitch.kernel.error import KernelError
from hotswitch.kernel.links import Link
from hotswitch.kernel.sysfs import NetworkDevices

_log = logging.getLogger(__name__)

_UNREADABLE = "\ufffd"
"""In the name of a link that is not UTF-8: no file is found by it."""


def known_as(known: Link, link: Link) -> Link:
    """`link`, which is the same link at another moment, with what messages do not tell."""
    return replace(link, incarnation=known.incarnation, driver=known.driver, bus=known.bus)


class Incarnations(Protocol):
    """Tells one life of a device from the next."""

    def identify(self, link: Link, before: Link | None) -> Link | None:
        """The link with its incarnation, and driver and bus of hardware.

        None: it has this name no more, or has gone.

        before: what had its index at the last look, if nothing tells that it has gone since.
        """

    def is_still(self, link: Link) -> bool:
        """Whether an identified link is still there, by its name."""

    def close(self) -> None:
        """Let go of what is needed for it."""


class OwnIncarnations:
    """Numbers that this process gives: a random part, so that no other one gives them, and a count.

    The same index and kind is taken for the same device as long as nothing tells otherwise.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count(secrets.randbits(63) | 1 << 63)

    def identify(self, link: Link, before: Link | None) -> Link:
        """The link with its incarnation; it never lacks one."""
        if before and before.kind == link.kind and before.incarnation:
            return known_as(before, link)
        return replace(link, incarnation=next(self._numbers) % (1 << 64))

    def is_still(self, link: Link) -> bool:
        """Yes: nothing tells otherwise."""
        return True

    def close(self) -> None:
        """Do nothing."""


class KernelIncarnations:
    """Numbers that the kernel gives, the same for all processes from boot to shutdown."""

    def __init__(self, devices: NetworkDevices) -> None:
        self._devices = devices
        self._own = OwnIncarnations()

    def identify(self, link: Link, before: Link | None) -> Link | None:
        """The link with its incarnation, driver and bus; None if it is not found by its name."""
        incarnation = self._devices.incarnation(link.name, link.index)
        if before and incarnation == before.incarnation:
            return known_as(before, link)
        if not incarnation:
            return self._own.identify(link, before) if _UNREADABLE in link.name else None
        if link.kind:
            return replace(link, incarnation=incarnation)
        return replace(
            link,
            incarnation=incarnation,
            driver=self._devices.driver(link.name),
            bus=self._devices.bus(link.name) or link.bus,
        )

    def is_still(self, link: Link) -> bool:
        """Whether an identified link is still there, by its name."""
        return self._devices.has(link.name, link.incarnation)

    def close(self) -> None:
        """Let go of sysfs."""
        self._devices.close()


def incarnations() -> Incarnations:
    """The best that can be had for this thread's network namespace; what is lacking is logged."""
    try:
        return KernelIncarnations(NetworkDevices())
    except KernelError as error:
        _log.warning("after a restart, links can't be told from others of their name: %s", error)
        return OwnIncarnations()
