"""A port's device goes to another network namespace: it is promiscuous no more, there and back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from hotswitch.base.clock import ManualClock
from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.headers.registry import Registry
from hotswitch.kernel import link_actions, netns
from hotswitch.kernel.links import Link, get_link
from hotswitch.ports.lifecycle import EPHEMERAL, STATIC, Lifecycle
from hotswitch.switch.desired import DesiredPort
from hotswitch.switch.kernel_links import KernelLinks
from hotswitch.switch.switch import Switch
from hotswitch.switch.world import World
from tests.support import process
from tests.support.namespaces import inside_namespace, namespace
from tests.support.wait import until
from tests.switch.fakes import FakeEngine
from tests.switch.wishes import bridge, desired


@pytest.fixture
def switch(registry: Registry) -> Iterator[Switch]:
    """A switch over real links, in a namespace of its own."""
    with inside_namespace(), closing(KernelLinks()) as links:
        made = World(
            links,
            lambda name, limit: EntryDatapath(name, registry, FakeEngine(limit, lambda: None)),
            owner="test",
        )
        yield Switch(made, ManualClock())


def link(name: str) -> Link:
    found = get_link(name)
    assert found is not None
    return found


@contextmanager
def nobody_s_name() -> Iterator[str]:
    """A namespace without a name, in which a process is; a way there."""
    child = process.start(["unshare", "--net", "sleep", "1000"])
    try:
        way = Path(f"/proc/{child.pid}/ns/net")
        own = netns.identity()[1]
        until(lambda: way.stat().st_ino != own, "it is in a namespace of its own")
        yield str(way)
    finally:
        process.stop(child)


def move(index: int, way: str, name: str = "") -> None:
    descriptor = netns.open_namespace(way)
    try:
        link_actions.move(index, descriptor, name)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("elsewhere", [namespace, nobody_s_name])
@pytest.mark.parametrize("lifecycle", [STATIC, EPHEMERAL])
def test_it_is_promiscuous_no_more(switch: Switch, lifecycle: Lifecycle, elsewhere: object) -> None:
    made = link_actions.create_veth("eth0", "far")
    here, descriptor = netns.identity(), netns.open_namespace("/proc/thread-self/ns/net")
    switch.set_desired(desired(bridge("br0", DesiredPort("eth0", lifecycle=lifecycle))))
    assert link("eth0").promiscuous
    with elsewhere() as way:  # type: ignore[operator]
        move(made.index, way, "web0")
        assert switch.links_changed() == []
        with netns.inside(way):
            assert not link("web0").promiscuous
            link_actions.move(link("web0").index, descriptor)
    os.close(descriptor)
    assert here == netns.identity()
    assert switch.links_changed() == []
    # A port that has stayed finds it, by its life; else it is nobody's.
    assert link("web0").promiscuous == (lifecycle is STATIC)


def test_where_there_is_no_way_it_stays_as_it_is(switch: Switch) -> None:
    link_actions.create_veth("eth0", "far")
    link_actions.create_veth("eth1", "far1")
    switch.set_desired(desired(bridge("br0", "eth0", "eth1")))
    with namespace() as name:
        descriptor = netns.open_namespace(name)
    try:
        link_actions.move(link("eth0").index, descriptor)
        assert switch.links_changed() == []
        assert switch.status()["br0"].ports["eth0"].ifindex == 0
        with netns.inside(f"/proc/self/fd/{descriptor}"):
            assert link("eth0").promiscuous
        assert link("eth1").promiscuous
    finally:
        os.close(descriptor)


def test_another_device_of_that_index_is_left_alone(switch: Switch) -> None:
    first = link_actions.create_veth("eth0", "far")
    switch.set_desired(desired(bridge("br0", DesiredPort("eth0", lifecycle=STATIC))))
    with namespace() as way:
        move(first.index, way)
        with netns.inside(way):
            link_actions.delete(first.index)
            made = link_actions.create_veth("other", "far", index=first.index)
            link_actions.set_promiscuous(made.index, True)
        assert switch.links_changed() == []
        with netns.inside(way):
            assert link("other").promiscuous
