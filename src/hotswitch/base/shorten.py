"""Messages repeat what was given, which may be of any length."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST = 200
"""Characters of one thing given that a message repeats; names and most paths have less."""


def shorten(message: str, given: Iterable[str]) -> str:
    """The message with each long thing that was given cut where the message repeats it."""
    for each in sorted(given, key=len, reverse=True):
        if len(each) <= LONGEST:
            break
        for form in (each, repr(each)[1:-1]):
            message = message.replace(form, f"{form[:LONGEST]}…")
    return message
