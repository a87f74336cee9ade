"""Long work in pieces: what happens between two of them."""

from __future__ import annotations

import asyncio
import os
import threading
import time

import pytest

from hotswitch.base.pieces import Pieces, aside, at_once, by_turns, others_turn

PATIENCE = 20
"""Seconds."""


def _work(pieces: int) -> Pieces[int]:
    for _ in range(pieces):
        yield None
    return pieces


def test_the_result_is_that_of_the_work() -> None:
    assert at_once(_work(3)) == 3
    assert asyncio.run(by_turns(_work(3))) == 3


def test_what_comes_in_amid_a_piece_is_seen_to_before_the_next() -> None:
    seen: list[int] = []
    reading, writing = os.pipe()

    def work() -> Pieces[None]:
        for number in range(3):
            os.write(writing, bytes([number]))
            time.sleep(0.03)
            yield None
            assert seen == [*range(number + 1)]

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(reading, lambda: seen.extend(os.read(reading, 9)))
        await by_turns(work())
        os.write(writing, b"\x09")
        await others_turn()
        assert seen[-1] == 9
        loop.remove_reader(reading)

    try:
        asyncio.run(main())
    finally:
        os.close(reading)
        os.close(writing)


def _aside(done: list[str]) -> Pieces[str]:
    first = yield from aside(lambda: "one")
    done.append(first)
    try:
        yield from aside(lambda: 1 // 0)
    except ZeroDivisionError:
        return "two"
    return "never"


def test_what_is_done_aside_has_its_result_and_its_error() -> None:
    done: list[str] = []
    assert at_once(_aside(done)) == "two"
    assert asyncio.run(by_turns(_aside(done))) == "two"
    assert done == ["one", "one"]


def test_others_go_on_while_something_is_done_aside() -> None:
    has_turned = threading.Event()

    async def main() -> bool:
        asyncio.get_running_loop().call_later(0.01, has_turned.set)
        return await by_turns(aside(lambda: has_turned.wait(PATIENCE)))

    assert asyncio.run(main())


def test_what_is_under_way_aside_is_done_before_a_cancellation_is() -> None:
    has_begun, may_end = threading.Event(), threading.Event()
    done: list[str] = []

    def wait() -> None:
        has_begun.set()
        may_end.wait(PATIENCE)
        done.append("what was under way")

    def work() -> Pieces[None]:
        yield from aside(wait)
        done.append("the rest")

    async def main() -> None:
        task = asyncio.create_task(by_turns(work()))
        while not has_begun.is_set():
            await asyncio.sleep(0.001)
        task.cancel()
        await others_turn()
        assert not done
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert done == ["what was under way"]
