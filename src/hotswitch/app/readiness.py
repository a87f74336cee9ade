"""Tells a service manager how the daemon is: systemd's protocol, sd_notify(3)."""

from __future__ import annotations

import logging
import os
import socket

VARIABLE = "NOTIFY_SOCKET"
_log = logging.getLogger(__name__)


def notify(*assignments: str) -> None:
    """Send assignments such as READY=1. Without a service manager nothing happens."""
    address = os.environ.get(VARIABLE, "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.sendto("\n".join(assignments).encode(), address)
    except OSError as error:
        _log.warning("can't reach the service manager: %s", error)
