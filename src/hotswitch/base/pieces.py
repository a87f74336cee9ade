"""Long work in pieces: whoever has it done decides what else happens between two of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import TypeAlias, TypeVar

_Result = TypeVar("_Result")

Pieces: TypeAlias = Generator[Callable[[], None] | None, None, _Result]
"""Work that stops where something else may happen, and gives its result in the end.

What it yields, if anything, is a piece that waits for long without a CPU (`aside`): it is to be
called before the work goes on.
"""

_LONGEST = 0.02
"""Seconds after which others have their turn."""


def at_once(pieces: Pieces[_Result]) -> _Result:
    """Do all of it, and let nothing else happen."""
    while True:
        try:
            waits = next(pieces)
        except StopIteration as end:
            result: _Result = end.value
            return result
        if waits:
            waits()


def aside(work: Callable[[], _Result]) -> Pieces[_Result]:
    """A piece that others need not wait for: it may be done in another thread.

    Only it and what does that may touch what it touches. Raises what it raises.
    """
    done: Future[_Result] = Future()

    def do() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    yield do
    return done.result()


async def others_turn() -> None:
    """Return when others have done what they had to do now, also with what has come in only now.

    That, asyncio finds when it goes around once, and puts it behind what is to go on then.
    """
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def by_turns(pieces: Pieces[_Result], longest: float = _LONGEST) -> _Result:
    """Do it while the event loop goes on: others have a turn every `longest` seconds or so.

    If this is cancelled, the rest is not done, but for what is under way.
    """
    began = time.monotonic()
    try:
        while True:
            try:
                waits = next(pieces)
            except StopIteration as end:
                result: _Result = end.value
                return result
            if waits:
                await _in_thread(waits)
                began = time.monotonic()
            elif time.monotonic() - began > longest:
                await others_turn()
                began = time.monotonic()
    finally:
        pieces.close()


async def _in_thread(work: Callable[[], None]) -> None:
    """Return when it is done, also if this is cancelled."""
    done = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        await asyncio.shield(done)
    except asyncio.CancelledError:
        await done
        raise
