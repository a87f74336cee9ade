"""Internal ports whose device is for another network namespace."""

from __future__ import annotations

import pytest

from hotswitch.base.clock import ManualClock
from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import BUILT_IN
from hotswitch.switch.check import SwitchError, check
from hotswitch.switch.desired import Desired, DesiredPort, PortKind
from hotswitch.switch.plan import plan
from hotswitch.switch.status import PortState
from hotswitch.switch.switch import Switch
from hotswitch.switch.world import observe
from tests.switch.fakes import FakeWorld
from tests.switch.wishes import bridge, desired

REGISTRY = Registry(BUILT_IN)
NIC = DesiredPort("vnic0", kind=PortKind.INTERNAL, mac=0x02000000000A, namespace="web")
WANTED = desired(bridge("br0", NIC))


def begun() -> tuple[FakeWorld, Switch]:
    """A switch that has looked once: later ports are new."""
    world = FakeWorld(REGISTRY)
    switch = Switch(world, ManualClock())
    assert switch.set_desired(desired(bridge("br0"))) == []
    return world, switch


def names(world: FakeWorld) -> set[str]:
    return {each.name for each in world.kernel.links.values()}


def test_the_device_is_made_and_moved() -> None:
    world, switch = begun()
    before = names(world)
    assert switch.set_desired(WANTED) == []
    (inner,) = names(world) - before
    assert inner.startswith("hs-") and world.kernel.named(inner).peer_namespace != -1
    assert plan(switch.desired, observe(world)) == []
    assert switch.status()["br0"].ports["vnic0"].device is None
    # Another life finds it again, and it goes when it is wanted no longer.
    later = Switch(world, ManualClock())
    assert later.set_desired(WANTED) == [] and later.desired == WANTED
    assert later.set_desired(desired(bridge("br0"))) == []
    assert names(world) == before


def test_the_port_goes_with_its_device() -> None:
    world, switch = begun()
    before = names(world)
    switch.set_desired(WANTED)
    (inner,) = names(world) - before
    world.kernel.delete(world.kernel.named(inner).index)
    assert switch.links_changed() == []
    assert switch.take_departed() == [("br0", "vnic0")]
    assert names(world) == before and "vnic0" not in switch.desired.bridges["br0"].ports


def test_what_has_gone_while_nobody_looked_is_not_made_again() -> None:
    world, switch = begun()
    before = names(world)
    switch.set_desired(WANTED)
    (inner,) = names(world) - before
    world.kernel.delete(world.kernel.named(inner).index)
    later = Switch(world, ManualClock())
    assert later.set_desired(WANTED) == []
    assert later.take_departed() == [("br0", "vnic0")] and names(world) == before


def test_without_the_namespace_the_port_is_in_error_and_tried_again() -> None:
    world, switch = begun()
    world.kernel.broken.add("web")
    assert "no namespace web" in str(switch.set_desired(WANTED)[0])
    assert switch.status()["br0"].ports["vnic0"].state is PortState.ERROR
    world.kernel.broken.clear()
    assert switch.reconcile() == [] and "vnic0" not in names(world)


@pytest.mark.parametrize(
    "port",
    [
        DesiredPort("tap0", namespace="web"),
        DesiredPort("tap0", kind=PortKind.TAP, namespace="web"),
        DesiredPort("br0", kind=PortKind.INTERNAL, namespace="web"),
        DesiredPort("x", kind=PortKind.INTERNAL, namespace="a\nb"),
        DesiredPort("x", kind=PortKind.INTERNAL, namespace="x" * 256),
        DesiredPort("x", kind=PortKind.INTERNAL, namespace=".."),
    ],
)
def test_what_can_not_be_is_refused(port: DesiredPort) -> None:
    with pytest.raises(SwitchError, match="namespace"):
        check(desired(bridge("br0", port)))
    check(Desired())
