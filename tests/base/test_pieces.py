"""Long work in pieces: what happens between two of them."""

from __future__ import annotations

import asyncio
import os
import time

from hotswitch.base.pieces import Pieces, at_once, by_turns, others_turn


def _work(pieces: int) -> Pieces[int]:
    for _ in range(pieces):
        yield
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
            yield
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
