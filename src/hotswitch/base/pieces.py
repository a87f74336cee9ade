"""Long work in pieces: whoever has it done decides what else happens between two of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from typing import TypeAlias, TypeVar

_Result = TypeVar("_Result")

Pieces: TypeAlias = Generator[None, None, _Result]
"""Work that stops where something else may happen, and gives its result in the end."""

_LONGEST = 0.02
"""Seconds after which others have their turn."""


def at_once(pieces: Pieces[_Result]) -> _Result:
    """Do all of it, and let nothing else happen."""
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            result: _Result = end.value
            return result


async def others_turn() -> None:
    """Return when others have done what they had to do now, also with what has come in only now.

    That, asyncio finds when it goes around once, and puts it behind what is to go on then.
    """
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def by_turns(pieces: Pieces[_Result], longest: float = _LONGEST) -> _Result:
    """Do it while the event loop goes on: others have a turn every `longest` seconds or so.

    If this is cancelled, the rest is not done.
    """
    began = time.monotonic()
    try:
        while True:
            try:
                next(pieces)
            except StopIteration as end:
                result: _Result = end.value
                return result
            if time.monotonic() - began > longest:
                await others_turn()
                began = time.monotonic()
    finally:
        pieces.close()
