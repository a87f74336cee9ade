"""The kernel's links are followed at once, whoever has read of what happened to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from hotswitch.base.closing import Closing
from hotswitch.kernel.error import KernelError
from hotswitch.ports.link_watch import Heard
from hotswitch.switch.kernel_links import KernelLinks


class LinkFollowing(Closing):
    """Has links followed, in the running loop, after everything that is read of them.

    There is one socket. Its descriptor tells of messages that nobody has read. Those that somebody
    else's look has read, a command's or one amid following, are followed in the loop's next turn.
    What has come until then is one change.
    """

    def __init__(
        self, links: KernelLinks, follow: Callable[[], None], lost: Callable[[], None]
    ) -> None:
        """Begin, with what has happened until now. Raises KernelError.

        follow: looks at the links and does what is to be done. lost: told that messages were lost.
        """
        self._links = links
        self._follow = follow
        self._lost = lost
        self._next: asyncio.Handle | None = None
        self._loop = asyncio.get_running_loop()
        self._descriptor = links.fileno()
        self._loop.add_reader(self._descriptor, self._now)
        links.watch(self._heard)
        self._soon()

    def _heard(self, heard: Heard) -> None:
        self._soon()
        if heard is Heard.TOO_MUCH:
            self._loop.call_soon(self._lost)  # after what is done about it

    def _soon(self) -> None:
        if self._next is None:
            self._next = self._loop.call_soon(self._now)

    def _now(self) -> None:
        with suppress(KernelError):  # whoever looks next will say so
            self._links.look()
        self._unplan()  # all that was heard until here is followed now
        self._follow()

    def _unplan(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def close(self) -> None:
        """Follow no more."""
        self._loop.remove_reader(self._descriptor)
        self._links.watch(lambda heard: None)
        self._unplan()
