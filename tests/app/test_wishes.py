"""Wishes: in order, together where they come together, each with its own answer."""

from __future__ import annotations

import asyncio

import pytest

from hotswitch.app.wishes import Wish, Wishes
from hotswitch.base.errors import HotswitchError
from hotswitch.switch.desired import Desired, DesiredBridge


class RefusedError(HotswitchError):
    pass


class Room:
    """What is wanted, and how it came about. A bridge whose name begins with "bad" can't be."""

    def __init__(self) -> None:
        self.desired = Desired({})
        self.compiler = asyncio.Semaphore(0)
        self.carried_out: list[tuple[str, ...]] = []
        self.wishes = Wishes(lambda: self.desired, self._prepare, self._carry_out)

    async def _prepare(self, desired: Desired) -> None:
        await self.compiler.acquire()

    async def _carry_out(self, desired: Desired, wishes: list[Wish]) -> None:
        self.carried_out.append(tuple(wish.bridge for wish in wishes))
        if any(name.startswith("bad") for name in desired.bridges):
            raise RefusedError("that can't be")
        self.desired = desired

    def ask(self, name: str) -> asyncio.Task[None]:
        def edit(desired: Desired) -> Desired:
            if name in desired.bridges:
                raise RefusedError(f"{name} is there")
            return Desired({**desired.bridges, name: DesiredBridge(name)})

        return asyncio.get_running_loop().create_task(self.wishes.add(Wish(edit, name)))


async def _moment() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_what_comes_while_the_compiler_works_is_carried_out_together() -> None:
    async def story() -> None:
        room = Room()
        first = room.ask("br0")
        await _moment()
        rest = [room.ask(f"br{number}") for number in (1, 2, 3)]
        await _moment()
        assert not first.done()
        room.compiler.release()
        await first
        assert not any(each.done() for each in rest)
        room.compiler.release()
        await asyncio.gather(*rest)
        assert room.carried_out == [("br0",), ("br1", "br2", "br3")]

    asyncio.run(story())


def test_one_that_fails_fails_alone() -> None:
    async def story() -> None:
        room = Room()
        for _ in range(4):
            room.compiler.release()
        asked = [room.ask(name) for name in ("br1", "bad", "br2", "br1")]
        done = await asyncio.gather(*asked, return_exceptions=True)
        assert [str(each) for each in done] == ["None", "that can't be", "None", "br1 is there"]
        assert [*room.desired.bridges] == ["br1", "br2"]

    asyncio.run(story())


def test_a_bug_reaches_who_asked() -> None:
    async def story() -> None:
        room = Room()
        room.compiler.release()

        def edit(desired: Desired) -> Desired:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await room.wishes.add(Wish(edit, "br0"))
        await room.ask("br1")

    asyncio.run(story())


def test_after_the_end_nothing_is_carried_out() -> None:
    async def scenario() -> None:
        room = Room()
        compiling = room.ask("br0")
        await _moment()
        waiting = room.ask("br1")
        await _moment()
        await room.wishes.close()
        room.compiler.release()
        answers = await asyncio.gather(compiling, waiting, return_exceptions=True)
        assert [type(each) for each in answers] == [asyncio.CancelledError] * 2
        assert room.carried_out == []

    asyncio.run(scenario())
