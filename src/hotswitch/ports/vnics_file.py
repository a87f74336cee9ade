"""The vNICs over links, in a file: one JSON object, written anew with each change."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from hotswitch.ports.vnics import Macvlan, VnicError

_FORMAT = 1
_log = logging.getLogger(__name__)


class _Content(msgspec.Struct, frozen=True, tag="vnics", tag_field="about"):
    format: int
    vnics: tuple[Macvlan, ...]


def load(path: Path) -> tuple[Macvlan, ...]:
    """What is kept; nothing without a file. A damaged one is logged and put aside.

    Raises VnicError if it can't be read.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise VnicError(f"can't read {path}: {error.strerror}") from None
    try:
        content = msgspec.json.decode(text, type=_Content)
        if content.format != _FORMAT:
            raise msgspec.ValidationError(f"format {content.format} is not known")
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        aside = path.with_name(path.name + ".damaged")
        try:
            path.replace(aside)
        except OSError as failed:
            raise VnicError(f"can't move {path}: {failed.strerror}") from None
        _log.error("%s: %s; it is %s now, and its vNICs are not known any more", path, error, aside)
        return ()
    return content.vnics


def save(path: Path, vnics: Iterable[Macvlan]) -> None:
    """Keep these in the place of what was kept: all of it or, at a power cut, nothing.

    Raises VnicError.
    """
    text = msgspec.json.encode(_Content(_FORMAT, tuple(vnics))) + b"\n"
    temporary = path.with_name(path.name + ".new")
    try:
        with temporary.open("wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise VnicError(f"can't write {path}: {error.strerror}") from None
