"""The daemon is killed at any step of a request about a vport or a datapath, which is repeated.

A step is a write to the memory, or something done to datapath or devices. Whatever was done until
then, the request that comes again is answered as if it came for the first time, and done once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import BUILT_IN
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.families.datapath import DATAPATH
from hotswitch.netlink.families.vport import INTERNAL, VPORT
from hotswitch.netlink.flags import ECHO
from hotswitch.netlink.message import Acknowledgement, Message
from hotswitch.netlink.server.journal_file import JournalError
from tests.netlink.asked import new_datapath, new_vport
from tests.netlink.outside import Client, World
from tests.netlink.really_killed import REQUESTS, new_vxlan, said

REGISTRY = Registry(BUILT_IN)
_STEPS = ("make_internal", "make_vxlan", "delete_made", "take", "give_back", "make_datapath")
_MOST = 12


class Killed(BaseException):
    """The process is no more."""


class Countdown:
    """Kills before or after a step, when so many have been."""

    def __init__(self, left: int, *, after: bool) -> None:
        self.left = left
        self.after = after

    def around(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*words: Any, **more: Any) -> Any:
            self.left -= 1
            if self.left == 0 and not self.after:
                raise Killed
            done = step(*words, **more)
            if self.left == 0:
                raise Killed
            return done

        return counted


def _world() -> tuple[World, int]:
    world = World(REGISTRY)
    for name in ("p1", "p2"):
        world.outside.add_device(name)
    client = world.client()
    datapath = client.ask(DATAPATH, "new", new_datapath()).datapath
    for wanted in (new_vport("p1"), new_vport("int0", INTERNAL), new_vxlan("vx0", 4789)):
        client.ask(VPORT, "new", wanted, datapath=datapath)
    return world, datapath


def _send(client: Client, what: str, datapath: int) -> Message:
    family, command, said = REQUESTS[what]
    said += Attributes(transaction=b"once")
    number = 0 if family is DATAPATH else datapath
    return client.ask(family, command, said, datapath=number, flags=ECHO)


def _state(world: World) -> Any:
    """Everything but numbers of devices."""
    return (
        {
            name: (own.features, sorted(each.name for each in own.vports.values()))
            for name, own in ((own.name, own) for own in world.server.datapaths.values())
        },
        {name: device.promiscuous for name, device in world.outside.devices.items()},
        sorted(world.outside.made_devices),
        {name: sorted(each.ports()) for name, each in world.outside.made.items()},
    )


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("what", REQUESTS)
def test_a_repeated_request_is_done_once(
    what: str, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm, datapath = _world()
    expected = said(_send(calm.client(), what, datapath))
    kills = 0
    for left in range(1, _MOST):
        world, datapath = _world()
        countdown = Countdown(left, after=after)
        with monkeypatch.context() as patch:
            patch.setattr(world.memory, "append", countdown.around(world.memory.append))
            for name in _STEPS:
                patch.setattr(world.outside, name, countdown.around(getattr(world.outside, name)))
            for each in world.outside.made.values():
                for name in ("add_port", "delete_port", "destroy"):
                    patch.setattr(each, name, countdown.around(getattr(each, name)))
            try:
                _send(world.client(), what, datapath)
            except Killed:
                kills += 1
        if countdown.left > 0:
            break
        world.restart()
        for _ in range(2):
            assert said(_send(world.client(), what, datapath)) == expected, left
            assert _state(world) == _state(calm), left
            world.restart()
    assert 0 < kills < _MOST - 1


@pytest.mark.parametrize("what", ["add a device", "add an internal port", "add a datapath"])
def test_what_cannot_be_kept_is_taken_back(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world, datapath = _world()
    before = _state(world)

    def full(_: object) -> None:
        raise JournalError("can't write netlink.journal: No space left on device")

    family, command, said = REQUESTS[what]
    said += Attributes(transaction=b"once")
    number = 0 if family is DATAPATH else datapath
    with monkeypatch.context() as patch:
        patch.setattr(world.memory, "append", full)
        (refused,) = world.client().request(family, command, said, datapath=number, flags=ECHO)
    assert isinstance(refused, Acknowledgement) and refused.error
    assert _state(world) == before
    assert _send(world.client(), what, datapath)


def test_a_name_that_is_used_again_does_not_change_an_old_answer() -> None:
    world, datapath = _world()
    answer = said(_send(world.client(), "let a device go", datapath))
    world.client().ask(VPORT, "new", new_vport("p1"), datapath=datapath)
    for _ in range(2):
        world.restart()
        assert said(_send(world.client(), "let a device go", datapath)) == answer
        (own,) = world.server.datapaths.values()
        assert own.by_name("p1") is not None
