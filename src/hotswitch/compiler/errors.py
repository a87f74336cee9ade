"""The error type of this package."""

from __future__ import annotations

from hotswitch.base.errors import HotswitchError


class CompileError(HotswitchError):
    """A pipeline that can't become a program."""
