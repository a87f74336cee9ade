"""The root of hotswitch's declared errors.

Each boundary declares one error type that derives from `HotswitchError`. Whatever
else is raised is a bug.
"""

from __future__ import annotations


class HotswitchError(Exception):
    """Something that a person can understand and mend.

    `remedy` says what to do about it, as one short sentence, or is empty.
    """

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} ({self.remedy})" if self.remedy else self.message
