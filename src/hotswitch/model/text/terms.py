"""What matches and actions have in common as text: terms with commas, fields, numbers, braces."""

from __future__ import annotations

from collections.abc import Iterator

from hotswitch.headers.field_text import TextError
from hotswitch.headers.registry import FieldInfo, HeaderError, Registry
from hotswitch.headers.text import read_number


def parts(text: str, nothing: str) -> list[str]:
    """What is between commas; nothing is in an empty text, and where the word for it stands.

    Raises TextError.
    """
    if text.strip() in ("", nothing):
        return []
    found = [part.strip() for part in _split(text)]
    if "" in found:
        raise TextError(f"{text[:60]!r}: nothing between two commas, or before or after one")
    return found


def _split(text: str) -> Iterator[str]:
    """What is between commas that are not in braces."""
    depth = start = 0
    for place, letter in enumerate(text):
        depth += (letter == "{") - (letter == "}")
        if letter == "," and depth == 0:
            yield text[start:place]
            start = place + 1
    yield text[start:]


def read_field(registry: Registry, name: str) -> FieldInfo:
    """The field of that name. Raises TextError."""
    try:
        return registry.field(name)
    except HeaderError as error:
        raise TextError(error.message) from None


def number(what: str, text: str) -> int:
    """The number that a text stands for; what: is told of it if it is none. Raises TextError."""
    try:
        return read_number(text)
    except ValueError:
        raise TextError(f"{what}: {text[:60]!r} is not a number") from None


def braced(text: str) -> list[str]:
    """What is in each of some pairs of braces that follow each other. Raises TextError."""
    found = []
    while text:
        if text[0] != "{":
            raise TextError(f"{text[:60]!r}: something stands behind a brace")
        end = _closing(text)
        found.append(text[1:end])
        text = text[end + 1 :].strip()
    return found


def _closing(text: str) -> int:
    """Where the first brace is closed."""
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "{") - (letter == "}")
        if not depth:
            return place
    raise TextError(f"{text[:60]!r}: a brace is not closed")
