"""What a person is told when a measurement can't be made."""

from __future__ import annotations

from hotswitch.base.errors import HotswitchError


class BenchError(HotswitchError):
    """A program that is missing, a lab that does not come up, a measurement that fails."""
