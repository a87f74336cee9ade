"""What is wrong with a text about ports."""

from __future__ import annotations

from hotswitch.base.errors import HotswitchError


class PortTextError(HotswitchError):
    """A lifecycle, a selector or a rule for adoption that says nothing that can be."""
