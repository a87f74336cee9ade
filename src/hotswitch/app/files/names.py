"""File names for keys, which may have any letters."""

from __future__ import annotations

from urllib.parse import quote, unquote_to_bytes

_LONGEST = 255
"""Bytes of a file's name (NAME_MAX, include/uapi/linux/limits.h)."""


def file_name(key: str) -> str:
    """The key, with "/" as %2F, "%" as %25, and so on where a file can't be called so.

    Empty if there is no such name: it would be too long.
    """
    name = "".join(quote(each, safe="") if each in "/%\0" else each for each in key)
    if name in ("", ".", ".."):
        name = name.replace(".", "%2E") or "%"
    return name if len(name.encode()) <= _LONGEST else ""


def key_of(name: str) -> str | None:
    """The key whose file has this name; None if no key's file is called so."""
    try:
        key = "" if name == "%" else unquote_to_bytes(name).decode()
    except UnicodeError:
        return None
    return key if file_name(key) == name else None
