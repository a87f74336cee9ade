"""Links are listed, changed and watched, in own namespaces."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from hotswitch.kernel import link_actions, netlink, netns
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.link_actions import FlagChange
from hotswitch.kernel.link_deletion import delete_many
from hotswitch.kernel.link_monitor import (
    Changed,
    LinkEvent,
    LinkMonitor,
    Overflow,
    Removed,
)
from hotswitch.kernel.links import (
    RTM_NEWLINK,
    OperationalState,
    check_name,
    get_link,
    get_links,
    information,
    list_links,
    parse,
)
from hotswitch.kernel.xdp_features import xdp_features
from tests.kernel.conftest import wait_for


def events_until(monitor: LinkMonitor, last: LinkEvent | type) -> list[LinkEvent]:
    events: list[LinkEvent] = []

    def there() -> bool:
        events.extend(monitor.read())
        return last in events or last in map(type, events)

    wait_for(there)
    return events


def test_a_veth_pair(inside: str) -> None:
    made = link_actions.create_veth("one", "two", mtu=1400)
    assert (made.name, made.kind, made.mtu, made.up) == ("one", "veth", 1400, False)
    other = get_link("two")
    assert other is not None
    assert (made.peer, other.peer) == (other.index, made.index)
    assert other.mtu == 1400
    link_actions.set_up(made.index)
    link_actions.set_up(other.index)
    link_actions.set_address(made.index, 0x020000000042)
    link_actions.set_mtu(made.index, 1300)
    now = wait_for(lambda: (got := get_link("one")) and got.carrier and got)
    assert now.address == 0x020000000042
    assert now.mtu == 1300
    assert now.up
    assert wait_for(lambda: (got := get_link("one")) and got.state == OperationalState.UP)
    link_actions.set_up(made.index, False)
    assert not get_link(made.index).up  # type: ignore[union-attr]
    assert {each.name for each in list_links() if each.kind == "veth"} == {"one", "two"}
    link_actions.delete(made.index)
    assert get_link("two") is None
    assert get_link(made.index) is None


def test_a_peer_in_another_namespace(inside: str, unique: Callable[[str], str]) -> None:
    name = unique("hsk")
    netns.create(name)
    try:
        descriptor = netns.open_namespace(name)
        made = link_actions.create_veth("here", "there", peer_namespace=descriptor)
        assert made.peer_namespace >= 0
        assert get_link("there") is None
        with netns.inside(name):
            assert get_link("there") is not None
        moved = link_actions.create_veth("moving", "stays")
        link_actions.move(moved.index, descriptor)
        assert get_link("moving") is None
        with netns.inside(name):
            assert get_link("moving") is not None
    finally:
        netns.delete(name)


def test_names(inside: str) -> None:
    index = link_actions.create_veth("one", "two").index
    link_actions.rename(index, "first")
    link_actions.add_alternative_name(index, "a-name-longer-than-fifteen")
    got = get_link("first")
    assert got is not None
    assert got.index == index
    assert got.alternative_names == ("a-name-longer-than-fifteen",)
    with pytest.raises(KernelError, match="exists"):
        link_actions.rename(index, "two")
    link_actions.delete_alternative_name(index, "a-name-longer-than-fifteen")
    assert get_link(index).alternative_names == ()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a b", "a:b", "sixteen-bytes-it", "ä" * 8, "a\0b", "a\nb"]
)
def test_bad_names_are_refused_before_the_kernel_is_asked(name: str) -> None:
    with pytest.raises(KernelError, match="can't be a link's name"):
        check_name(name)
    with pytest.raises(KernelError, match="can't be a link's name"):
        link_actions.create(name, "dummy")


def test_what_is_not_there(inside: str) -> None:
    assert get_link("nothing") is None
    with pytest.raises(KernelError, match="delete the link 4711: No such device"):
        link_actions.delete(4711)
    with pytest.raises(KernelError, match="No such device"):
        link_actions.set_up(4711)
    with pytest.raises(KernelError, match=r"Unknown device type.*not supported"):
        link_actions.create("x", "no-such-kind")


def test_the_monitor_tells_of_a_life(inside: str) -> None:
    with LinkMonitor() as monitor:
        index = link_actions.create_veth("one", "two").index
        names = [each.link.name for each in monitor.read() if isinstance(each, Changed)]
        assert sorted(names) == ["one", "two"]
        link_actions.rename(index, "first")
        assert [each.link.name for each in monitor.read() if isinstance(each, Changed)] == ["first"]
        link_actions.delete(index)
        events = events_until(monitor, Removed(index, "first"))
    assert {each.name for each in events if isinstance(each, Removed)} == {"first", "two"}
    assert not [each for each in events if isinstance(each, Changed) and each.link.index == index]


def test_the_monitor_tells_only_the_last_of_each_link(inside: str) -> None:
    with LinkMonitor() as monitor:
        index = link_actions.create_veth("one", "two").index
        for mtu in range(1300, 1310):
            link_actions.set_mtu(index, mtu)
        link_actions.rename(index, "first")
        assert [
            (each.link.name, each.link.mtu)
            for each in monitor.read()
            if isinstance(each, Changed) and each.link.index == index
        ] == [("first", 1309)]
        bridge = link_actions.create("bridge", "bridge").index
        link_actions.delete(bridge)
        again = link_actions.create("other", "bridge", index=bridge)
        assert again.index == bridge
        removed, changed = monitor.read()
        assert removed == Removed(bridge, "bridge")
        assert isinstance(changed, Changed)
        assert (changed.link.index, changed.link.name) == (bridge, "other")


def test_leaving_a_bridge_is_not_going(inside: str) -> None:
    index = link_actions.create_veth("one", "two").index
    bridge = link_actions.create("bridge", "bridge").index
    with LinkMonitor() as monitor:
        link_actions.set_master(index, bridge)
        assert get_link(index).master == bridge  # type: ignore[union-attr]
        assert Changed(get_link(index)) in monitor.read()  # type: ignore[arg-type]
        link_actions.set_master(index, 0)
        link_actions.delete(bridge)
        events = events_until(monitor, Removed(bridge, "bridge"))
    assert [each for each in events if isinstance(each, Removed)] == [Removed(bridge, "bridge")]
    assert Changed(get_link(index)) in events  # type: ignore[arg-type]
    assert get_link(index).master == 0  # type: ignore[union-attr]


def test_the_monitor_says_that_it_lost_events(inside: str) -> None:
    index = link_actions.create_veth("one", "two").index
    with LinkMonitor(receive_buffer=4096) as monitor:
        for number in range(64):
            link_actions.set_mtu(index, 1300 + number)
        events = events_until(monitor, Overflow)
        # It goes on after that.
        link_actions.delete(index)
        events = events_until(monitor, Removed(index, "one"))
    assert Removed(index, "one") in events


def test_the_monitor_never_waits_and_works_in_a_running_loop(inside: str) -> None:
    async def main() -> list[LinkEvent]:
        loop = asyncio.get_running_loop()
        there = asyncio.Event()
        with LinkMonitor() as monitor:
            assert monitor.read() == []
            loop.add_reader(monitor.fileno(), there.set)
            link_actions.create_veth("one", "two")  # a request within the loop
            assert len(list_links()) >= 3
            await asyncio.wait_for(there.wait(), 5)
            loop.remove_reader(monitor.fileno())
            return monitor.read()

    assert any(isinstance(each, Changed) for each in asyncio.run(main()))


@pytest.mark.parametrize("size", range(0, 60, 7))
def test_truncated_messages_break_nothing(size: int) -> None:
    whole = (
        information.pack(0, 1, 5, 1, 0)
        + netlink.text(3, "name")
        + netlink.u32(4, 1500)
        + netlink.attribute(1, bytes(6))
    )
    cut = parse(whole[:size])
    assert cut is None or cut.index == 5
    datagram = (16 + len(whole)).to_bytes(4, "little") + bytes([RTM_NEWLINK, 0]) + bytes(10)
    assert list(netlink.messages((datagram + whole)[:size])) == []
    assert [each.body for each in netlink.messages(datagram + whole)] == [whole]


def test_namespaces(unique: Callable[[str], str]) -> None:
    name = unique("hsk")
    outside = netns.identity()
    netns.create(name)
    try:
        with pytest.raises(KernelError, match="exists"):
            netns.create(name)
        with netns.inside(name):
            assert netns.identity() != outside
            assert [each.name for each in list_links() if each.index == 1] == ["lo"]
            assert not any(each.name == "eth0" for each in list_links())
        assert netns.identity() == outside
        with netns.inside(str(netns.path_of(name))):
            assert netns.identity() != outside
        with pytest.raises(ZeroDivisionError), netns.inside(name):
            _ = 1 / 0
        assert netns.identity() == outside
    finally:
        netns.delete(name)
    assert not Path(f"/run/netns/{name}").exists()
    with pytest.raises(KernelError, match="open the network namespace"):
        netns.enter(name)
    with pytest.raises(KernelError, match="delete the network namespace"):
        netns.delete(name)


def test_many_links_at_once(inside: str) -> None:
    """What fails among them fails alone, and more than fit into one message are asked for."""
    made = [link_actions.create_veth(f"a{each}", f"b{each}") for each in range(50)]
    indexes = [link.index for link in made]
    changes = [FlagChange(index, up=True, promiscuous=True) for index in indexes]
    changes.insert(20, FlagChange(4711, up=True))
    errors = link_actions.change_flags(changes)
    assert [error for error in errors if error] == [errors[20]]
    assert str(errors[20]).startswith("set the link 4711 up")
    now = get_links([*indexes, 4711])
    assert list(now) == indexes
    assert all(link.up and link.promiscuous for link in now.values())
    assert link_actions.change_flags([FlagChange(indexes[0], promiscuous=False)]) == [None]
    first = get_links(indexes[:1])[indexes[0]]
    assert first.up
    assert not first.promiscuous
    assert get_links([]) == {}


def test_many_links_are_deleted_at_once(inside: str) -> None:
    """Both ends of pairs, also if both are named; what fails fails alone; all others stay."""
    made = [link_actions.create_veth(f"a{each}", f"b{each}") for each in range(50)]
    other = link_actions.create_veth("c", "d")
    assert delete_many([]) == []
    gone, *errors = delete_many([4711, *(link.index for link in made), made[0].peer])
    assert str(gone).startswith("delete the link 4711: No such device")
    assert errors == [None] * 51
    assert {link.name for link in list_links()} == {"lo", "c", "d"}
    loopback = get_link("lo")
    assert loopback
    refused, done = delete_many([loopback.index, other.index])
    assert str(refused).startswith(f"delete the link {loopback.index}: ") and done is None
    assert {link.name for link in list_links()} == {"lo"}


@pytest.mark.parametrize("count", [1, 50])
def test_xdp_features_of_some_and_of_many(inside: str, count: int) -> None:
    made = [link_actions.create_veth(f"a{each}", f"b{each}") for each in range(count)]
    indexes = [index for link in made for index in (link.index, link.peer)]
    assert xdp_features([]) == {}
    few, many = xdp_features(indexes[:2]), xdp_features(indexes)
    assert all(many[index] == few[index] for index in few)
    assert many.keys() >= set(indexes) or not few
