"""The one error that this package declares."""

from __future__ import annotations

import json

from hotswitch.base.errors import HotswitchError

#: Characters of wrong JSON that are sent back.
SYNTAX_MAX = 65536


class OvsdbError(HotswitchError):
    """An `<error>` of RFC 7047 section 3.1, with Open vSwitch's `syntax` member.

    `error` is the short tag that clients compare, `details` the sentence for people,
    `syntax` the offending JSON, if the fault is in what was sent.
    """

    def __init__(self, error: str, details: str = "", *, syntax: object = ...) -> None:
        super().__init__(f"{error}: {details}" if details else error)
        self.error = error
        self.details = details
        # Kept as it was sent and written out only when someone asks: it may be large.
        self._syntax = syntax

    @property
    def syntax(self) -> str | None:
        """The offending JSON as text with sorted members (its beginning, if it is very long);
        None if there is none, or if it can't be written (nested too deeply, huge numbers)."""
        if self._syntax is ...:
            return None
        try:
            text = json.dumps(
                self._syntax, sort_keys=True, separators=(",", ":"), ensure_ascii=False
            )
        except (RecursionError, ValueError):
            return None
        return text[:SYNTAX_MAX].encode("utf-8", "replace").decode()

    def to_json(self) -> dict[str, object]:
        """Return the `<error>` object as clients get it."""
        result: dict[str, object] = {"error": self.error}
        if self.details:
            result["details"] = self.details
        syntax = self.syntax
        if syntax is not None:
            result["syntax"] = syntax
        return result


def syntax_error(json_value: object, details: str, error: str = "syntax error") -> OvsdbError:
    """Return the error for `json_value`, which isn't what it should be."""
    return OvsdbError(error, details, syntax=json_value)
