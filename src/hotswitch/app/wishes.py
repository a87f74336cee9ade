"""Changes to what is wanted, gathered: those that come while a program compiles share the next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from hotswitch.base.errors import HotswitchError
from hotswitch.switch.desired import Desired


@dataclass(frozen=True, slots=True, eq=False)
class Wish:
    """One change.

    edit: from what is wanted to what is wanted instead; raises HotswitchError if that can't be.
    bridge, port: whom it concerns: an error there that is new afterwards refuses it.
    device_needed: it is refused if then the port has no device.
    """

    edit: Callable[[Desired], Desired]
    bridge: str
    port: str | None = None
    device_needed: bool = False
    _done: asyncio.Future[None] = field(default_factory=lambda: asyncio.Future())

    def grant(self) -> None:
        """It is in force and kept."""
        if not self._done.done():
            self._done.set_result(None)

    def refuse(self, error: BaseException) -> None:
        """Nothing of it has changed anything."""
        if not self._done.done():
            self._done.set_exception(error)

    async def answer(self) -> None:
        """Return when it is granted; raises why it was refused."""
        await self._done


class Wishes:
    """Carries out wishes in the order in which they come.

    prepare: returns when this can be made so without waiting.
    carry_out: make this so for these wishes, all of them or none. Both raise HotswitchError.
    turns: held from thought to deed, where others change what is wanted too.
    """

    def __init__(
        self,
        now: Callable[[], Desired],
        prepare: Callable[[Desired], Awaitable[None]],
        carry_out: Callable[[Desired, list[Wish]], Awaitable[None]],
        turns: asyncio.Lock | None = None,
    ) -> None:
        self._now = now
        self._prepare = prepare
        self._carry_out = carry_out
        self._turns = turns or asyncio.Lock()
        self._waiting: list[Wish] = []
        self._work: asyncio.Task[None] | None = None

    async def add(self, wish: Wish) -> None:
        """Return when the wish is in force. Raises HotswitchError if it is refused."""
        self._waiting.append(wish)
        if self._work is None or self._work.done():
            self._work = asyncio.get_running_loop().create_task(self._run())
        await wish.answer()

    async def close(self) -> None:
        """Let what is not carried out yet be refused."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                async with self._turns:
                    await self._together(batch)
            except BaseException as error:
                for wish in (*batch, *self._waiting):
                    wish.refuse(error)
                raise

    async def _together(self, batch: list[Wish]) -> None:
        """All at once if that works; else one by one, so that one alone bears its error."""
        before = wanted = self._now()
        possible = []
        for wish in batch:
            try:
                wanted = wish.edit(wanted)
                possible.append(wish)
            except HotswitchError as error:
                wish.refuse(error)
        if not possible:
            return
        try:
            await self._prepare(wanted)
            if self._now() is not before:  # ports went with their devices meanwhile
                await self._together(possible)
                return
            await self._carry_out(wanted, possible)
        except HotswitchError as error:
            if len(possible) == 1:
                possible[0].refuse(error)
                return
            for wish in possible:
                await self._together([wish])
        else:
            for wish in possible:
                wish.grant()
