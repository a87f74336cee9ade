"""What a hypervisor's script can fail of."""

from __future__ import annotations

from hotswitch.base.errors import HotswitchError


class GuestError(HotswitchError):
    """A guest's interface can't be plugged in."""


class RefusedError(GuestError):
    """The daemon has refused a request."""


class AbsentError(GuestError):
    """No daemon answers, or it has ended before it did."""
