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


async def by_turns(pieces: Pieces[_Result]) -> _Result:
    """Do it while the event loop goes on: about every 20 ms others have a turn.

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
            if time.monotonic() - began > _LONGEST:
                await asyncio.sleep(0)
                began = time.monotonic()
    finally:
        pieces.close()
