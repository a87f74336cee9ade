"""Values as the line that a file holds, and back."""

from __future__ import annotations

from typing import Any

from hotswitch.app.cli.render import vlans
from hotswitch.app.cli.words import Word


def show(value: Any) -> str:
    """What a command would take for this value; nothing for none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (list, tuple)):
        return vlans(value) if all(isinstance(each, int) for each in value) else ",".join(value)
    return str(value)


def read(word: Word, text: str) -> Any:
    """The value that a command would read; of an empty line that of `none`. Raises ValueError."""
    return word.read(text.strip() or "none")
