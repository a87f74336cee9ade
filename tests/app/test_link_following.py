"""Whoever reads of links: afterwards they are followed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from unittest import mock

import pytest

from hotswitch.app.link_following import LinkFollowing
from hotswitch.kernel import link_actions
from hotswitch.kernel.error import KernelError
from hotswitch.ports import link_watch
from hotswitch.switch.kernel_links import KernelLinks
from tests.support.namespaces import inside_namespace


@pytest.fixture(autouse=True)
def own_namespace() -> Iterator[None]:
    with inside_namespace():
        yield


class Follower:
    """Notes the names of the links that it sees when it follows them.

    makes: a link that it makes then, and looks at what has become of it.
    """

    def __init__(self, links: KernelLinks) -> None:
        self._links = links
        self.seen: list[set[str]] = []
        self.lost = 0
        self.makes = ""

    def follow(self) -> None:
        self.seen.append(set(self._links.look().by_name))
        if self.makes:
            link_actions.create(self.makes, "bridge")
            self.makes = ""
            self._links.look()

    def lose(self) -> None:
        self.lost += 1

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                await asyncio.sleep(0)

    async def calm(self) -> int:
        """How often it has followed when nothing more comes."""
        before = -1
        while before != len(self.seen):
            before = len(self.seen)
            for _ in range(5):
                await asyncio.sleep(0)
        return before


def run(scene: Callable[[KernelLinks, Follower], Awaitable[None]]) -> Follower:
    links = KernelLinks()
    follower = Follower(links)

    async def main() -> None:
        with LinkFollowing(links, follower.follow, follower.lose):
            await scene(links, follower)

    try:
        asyncio.run(main())
    finally:
        links.close()
    return follower


def test_what_is_there_is_followed_and_then_what_comes() -> None:
    async def scene(links: KernelLinks, follower: Follower) -> None:
        assert await follower.calm() == 1
        link_actions.create("one", "bridge")
        await follower.until(lambda: len(follower.seen) > 1)
        assert await follower.calm() == 2

    assert [each & {"lo", "one"} for each in run(scene).seen] == [{"lo"}, {"lo", "one"}]


def test_what_anothers_look_has_read_is_followed() -> None:
    async def scene(links: KernelLinks, follower: Follower) -> None:
        before = await follower.calm()
        for name in ("one", "two"):
            link_actions.create(name, "bridge")
            assert name in links.look().by_name
        assert len(follower.seen) == before
        assert await follower.calm() == before + 1  # two looks, one change

    assert {"one", "two"} < run(scene).seen[-1]


def test_what_is_found_by_asking_is_followed() -> None:
    """The kernel tells nothing of it, so no descriptor is readable."""
    index = link_actions.create("one", "bridge").index

    async def scene(links: KernelLinks, follower: Follower) -> None:
        before = await follower.calm()
        link_actions.add_alternative_name(index, "also")
        assert await follower.calm() == before
        links.doubt([index])
        links.look()
        assert await follower.calm() == before + 1
        links.doubt([index])
        links.look()
        assert await follower.calm() == before + 1

    assert "also" in run(scene).seen[-1]


def test_what_is_read_amid_following_is_followed_again() -> None:
    async def scene(links: KernelLinks, follower: Follower) -> None:
        before = await follower.calm()
        follower.makes = "two"
        link_actions.create("one", "bridge")
        await follower.until(lambda: not follower.makes)
        assert await follower.calm() == before + 2

    assert [each & {"one", "two"} for each in run(scene).seen[-2:]] == [{"one"}, {"one", "two"}]


def test_a_loss_is_told_when_it_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_watch.LinkWatch.__init__, "__kwdefaults__", {"receive_buffer": 1})

    async def scene(links: KernelLinks, follower: Follower) -> None:
        await follower.calm()
        assert follower.lost == 0
        for number in range(20):
            link_actions.create(f"one{number}", "bridge")
        links.look()
        await follower.calm()

    follower = run(scene)
    assert follower.lost == 1
    assert "one19" in follower.seen[-1]


def test_a_look_that_fails_is_made_up_for() -> None:
    async def scene(links: KernelLinks, follower: Follower) -> None:
        before = await follower.calm()
        link_actions.create("one", "bridge")
        failing = KernelError("ask", 12)
        with (
            mock.patch.object(link_watch.LinkWatch, "_ask_doubtful", side_effect=failing),
            pytest.raises(KernelError),
        ):
            links.look()
        assert await follower.calm() == before + 1

    assert "one" in run(scene).seen[-1]
