"""While the switch is changed, others go on, also where the kernel keeps it waiting."""

from __future__ import annotations

import asyncio
import threading

import pytest

from hotswitch.base.clock import ManualClock
from hotswitch.base.pieces import by_turns
from hotswitch.headers.registry import Registry
from hotswitch.kernel.links import Link
from hotswitch.switch.desired import DesiredPort, PortKind
from hotswitch.switch.switch import Switch
from tests.switch.fakes import FakeError, FakeLinks, FakeWorld
from tests.switch.wishes import bridge, desired

PATIENCE = 20
"""Seconds."""


class SlowLinks(FakeLinks):
    """Making a device takes until `is_free` is set: somebody else has the kernel's lock."""

    def __init__(self) -> None:
        super().__init__()
        self.is_waiting, self.is_free = threading.Event(), threading.Event()

    def create_veth(self, name: str, peer: str, mtu: int, address: int = 0) -> Link:
        self.is_waiting.set()
        assert self.is_free.wait(PATIENCE)
        return super().create_veth(name, peer, mtu, address)


def test_others_look_at_the_switch_while_the_kernel_keeps_it_waiting(
    registry: Registry,
) -> None:
    links = SlowLinks()
    links.add("tap0")
    world = FakeWorld(registry)
    world.links = links
    switch = Switch(world, ManualClock())
    ports = DesiredPort("tap0"), DesiredPort("br0", kind=PortKind.INTERNAL)

    async def main() -> None:
        work = asyncio.create_task(by_turns(switch.setting_desired(desired(bridge("br0", *ports)))))
        while not links.is_waiting.is_set():
            await asyncio.sleep(0.001)
        assert switch.is_amid
        first = switch.statuses()
        assert set(first["br0"].ports) == {"br0", "tap0"}
        assert switch.statuses()["br0"] is first["br0"]
        assert switch.vif_of("tap0") == ""
        assert switch.links_changed() == []
        links.is_free.set()
        assert await work == []

    asyncio.run(main())
    assert not switch.is_amid
    assert switch.status()["br0"].ports["br0"].ifindex


def test_links_that_change_amid_work_that_fails_are_looked_at_later(registry: Registry) -> None:
    links = FakeLinks()
    world = FakeWorld(registry)
    world.links = links
    switch = Switch(world, ManualClock())
    work = switch.setting_desired(desired(bridge("br0", "tap0")))
    next(work)
    links.add("tap0")
    assert switch.links_changed() == []  # later
    assert switch.is_amid and not switch.is_behind
    with pytest.raises(FakeError):
        work.throw(FakeError("the kernel can't be asked"))
    assert switch.is_behind and not switch.is_amid
    assert switch.links_changed() == []
    assert not switch.is_behind
    assert switch.status()["br0"].ports["tap0"].ifindex
