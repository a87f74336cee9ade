"""Somebody else changes links all the while: what is looked up may be gone or renamed by then."""

from __future__ import annotations

import multiprocessing
import random
import select
import time
from contextlib import suppress

import pytest

from hotswitch.kernel import link_actions
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.links import Link, get_link
from hotswitch.ports.link_changes import Appeared, Disappeared
from hotswitch.ports.link_watch import LinkWatch
from tests.ports.link_lab import Lab, differences_between, fresh, lab, relist, replayed


def disturb(seed: int, lab: Lab) -> None:
    """Do many things to links; many are refused."""
    chance = random.Random(seed)
    names = ("one", "two", "three", "four")
    for _ in range(400):
        name, other = chance.sample(names, 2)
        link = get_link(name)
        with suppress(KernelError):
            match chance.choice(("make", "pair", "delete", "rename", "rename", "set", "move")):
                case "make" if not link:
                    link_actions.create(name, "bridge", index=chance.choice((0, 500, 501)))
                case "pair" if not link:
                    link_actions.create_veth(name, other)
                case "delete" if link:
                    link_actions.delete(link.index)
                    link_actions.create(name, "bridge", index=link.index)
                case "rename" if link:
                    link_actions.rename(link.index, f"between{seed}")
                    link_actions.rename(link.index, other)
                case "set" if link:
                    link_actions.set_up(link.index, chance.choice((True, False)))
                    link_actions.add_alternative_name(link.index, other)
                    link_actions.delete_alternative_name(link.index, other)
                case "move" if link:
                    link_actions.move(link.index, lab.away)
                case _:
                    pass


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("buffer", [1, 1 << 20])
def test_races_are_lost_gracefully(seed: int, buffer: int) -> None:
    links: dict[int, Link] = {}
    with lab() as here, LinkWatch(receive_buffer=buffer) as watch:
        other = multiprocessing.get_context("fork").Process(target=disturb, args=(seed, here))
        other.start()
        appeared = disappeared = 0
        while other.is_alive():
            select.select([watch], [], [], 0.01)
            changes = watch.read()
            appeared += sum(isinstance(each, Appeared) for each in changes)
            disappeared += sum(isinstance(each, Disappeared) for each in changes)
            replayed(links, changes)
            assert watch.links == links
            assert all(each.incarnation for each in links.values())
            assert len({each.incarnation for each in links.values()}) == len(links)
        assert other.exitcode == 0
        assert min(appeared, disappeared) > 5, "it was to be a race"

        def differences() -> list[str]:
            replayed(links, relist(watch))
            return differences_between(links, fresh())

        deadline = time.monotonic() + 5
        while found := differences():
            assert time.monotonic() < deadline, found
            time.sleep(0.01)
        assert watch.links == fresh()
