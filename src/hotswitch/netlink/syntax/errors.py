"""The error type of this package."""

from __future__ import annotations

from hotswitch.base.errors import HotswitchError

_SHOWN = 24


class FlowSyntaxError(HotswitchError):
    """A text that is no flow, or no actions.

    position: characters from its start to what is wrong.
    expected: what should have been there.
    """

    def __init__(self, what: str, text: str, position: int, expected: str) -> None:
        found = text[position : position + _SHOWN]
        more = "..." * (len(text) - position > _SHOWN)
        where = f"at {found + more!r}" if found else "at its end"
        super().__init__(f"{what}, column {position + 1}, {where}: {expected} is expected")
        self.position = position
        self.expected = expected
