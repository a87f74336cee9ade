"""The number of a device's life, in own namespaces."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hotswitch.kernel import ethtool, link_actions, netns
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.links import list_links
from hotswitch.kernel.sysfs import NetworkDevices


def test_a_life_has_one_number_through_renames_and_moves(
    inside: str, unique: Callable[[str], str]
) -> None:
    index = link_actions.create("one", "bridge").index
    away = unique("hsk")
    netns.create(away)
    try:
        with NetworkDevices() as devices:
            first = devices.incarnation("one", index)
            assert first
            assert devices.has("one", first)
            link_actions.rename(index, "two")
            assert devices.incarnation("two", index) == first
            assert devices.incarnation("one", index) == 0
            assert not devices.has("one", first)
            veth = link_actions.create_veth("three", "four").index
            second = devices.incarnation("three", veth)
            descriptor = netns.open_namespace(away)
            link_actions.move(veth, descriptor)
            os.close(descriptor)
            assert devices.incarnation("three", veth) == 0
            with netns.inside(away), NetworkDevices() as others:
                assert others.incarnation("three", veth) == second
                # Each stays with its own namespace.
                assert devices.incarnation("three", veth) == 0
                assert others.incarnation("two", index) == 0
    finally:
        netns.delete(away)


def test_the_next_life_has_another(inside: str) -> None:
    with NetworkDevices() as devices:
        seen = set()
        for _ in range(5):
            index = link_actions.create("one", "bridge", index=500).index
            seen.add(devices.incarnation("one", index))
            link_actions.delete(index)
        assert len(seen) == 5
        assert 0 not in seen
        assert devices.incarnation("one", 500) == 0


def test_name_and_index_must_fit(inside: str) -> None:
    index = link_actions.create("one", "bridge").index
    with NetworkDevices() as devices:
        assert devices.incarnation("one", index + 1) == 0
        for name in ("nothing", "one\0", "", "..", "bonding_masters"):
            assert devices.incarnation(name, index) == 0
            assert not devices.has(name, 1)
            assert devices.driver(name) == ""


def test_drivers() -> None:
    """As `ethtool -i` says it, for the hardware that is there; software has no driver here."""
    with NetworkDevices() as devices, ethtool.asker() as asker:
        for link in list_links():
            found = ethtool.driver(link.name, asker)
            if link.bus and found:
                assert devices.driver(link.name) == found.name
            elif not link.bus:
                assert devices.driver(link.name) == ""


def test_places() -> None:
    """Where a message says it of hardware, and sysfs says the same except for virtio."""
    with NetworkDevices() as devices:
        for link in list_links():
            bus = devices.bus(link.name)
            if link.bus.startswith("virtio/"):
                place = Path(f"/sys/class/net/{link.name}/device").resolve().parent
                assert bus == f"{(place / 'subsystem').resolve().name}/{place.name}"
            else:
                assert bus == link.bus


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))  # noqa: PTH208


def test_it_leaves_nothing_behind(inside: str) -> None:
    def mounts() -> str:
        with open("/proc/self/mountinfo") as file:
            return file.read()

    before, open_before = mounts(), descriptors()
    with NetworkDevices():
        assert mounts() == before
    assert descriptors() == open_before


def test_without_privilege(inside: str) -> None:
    """In a child, as nobody: a clear error, and no descriptor is left."""
    child = os.fork()
    if not child:
        try:
            os.setgid(65534)
            os.setuid(65534)
            before = descriptors()
            with pytest.raises(KernelError, match=r"look into sysfs.*needs CAP_SYS_ADMIN"):
                NetworkDevices()
            assert descriptors() == before
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
