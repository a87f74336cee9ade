"""Whatever happens to real links, and whatever is lost, they become what is there."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from hypothesis import Phase, given, settings, strategies

from hotswitch.kernel.links import Link
from hotswitch.ports.link_watch import LinkWatch
from tests.ports.link_lab import (
    Operation,
    differences_between,
    fresh,
    lab,
    operations,
    perform,
    relist,
    replayed,
)

_BUFFERS = (1, 8192, 1 << 20)
"""The first is raised to the least that the kernel allows: about one message."""


@settings(max_examples=40, phases=(Phase.reuse, Phase.generate))  # shrinking would take for ever
@given(
    script=strategies.lists(
        strategies.one_of(operations, operations, operations, strategies.integers(1, 30)),
        min_size=1,
        max_size=40,
    ),
    buffer=strategies.sampled_from(_BUFFERS),
)
def test_the_links_converge(script: list[Operation | int], buffer: int) -> None:
    with lab() as here, LinkWatch(receive_buffer=buffer) as watch:
        links: dict[int, Link] = {}
        for step in script:
            if isinstance(step, int):
                replayed(links, watch.read(limit=step))
                assert watch.links == links
            else:
                perform(step, here)

        def differences() -> list[str]:
            replayed(links, watch.read())
            assert watch.links == links
            return differences_between(told(links), told(fresh()))

        deadline = time.monotonic() + 5
        while found := differences():
            assert time.monotonic() < deadline, found
            time.sleep(0.01)
        replayed(links, relist(watch))
        assert watch.links == links
        assert watch.links == fresh()


def told(links: Mapping[int, Link]) -> Mapping[int, Link]:
    """The links without what the kernel does not tell of them."""
    return {
        index: link if link.up else replace(link, alternative_names=(), carrier=False, details=())
        for index, link in links.items()
    }
