"""What is known of real links: lives, renames, what was lost, and what nobody tells."""

from __future__ import annotations

import errno
import itertools
import select
from collections.abc import Iterator
from unittest import mock

import pytest

from hotswitch.kernel import link_actions, netlink, netns, sysfs
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.links import Link, get_link
from hotswitch.kernel.netlink import NetlinkSocket
from hotswitch.ports.incarnation import KernelIncarnations, OwnIncarnations
from hotswitch.ports.link_changes import Appeared, Changed, Disappeared, LinkChange, Renamed
from hotswitch.ports.link_watch import Heard, LinkWatch
from tests.ports.link_lab import Lab, by_name, fresh, lab, relist
from tests.support.wait import until


@pytest.fixture
def here() -> Iterator[Lab]:
    with lab() as found:
        yield found


@pytest.fixture
def watch(here: Lab) -> Iterator[LinkWatch]:
    """It has listed the links."""
    with LinkWatch() as found:
        found.read()
        yield found


def known(watch: LinkWatch, name: str) -> Link:
    return by_name(watch.links)[name]


def test_the_first_read_lists(here: Lab) -> None:
    link_actions.create("one", "bridge")
    with LinkWatch() as watch:
        assert watch.namespace == netns.identity()
        assert watch.links == {}
        changes = watch.read()
        assert [type(each) for each in changes] == [Appeared, Appeared]
        assert sorted(known(watch, each).name for each in ("lo", "one")) == ["lo", "one"]
        assert all(each.incarnation for each in watch.links.values())
        assert watch.read() == []


@pytest.mark.parametrize("number", [errno.ENOMEM, errno.EMSGSIZE, errno.EIO])
def test_no_error_of_the_socket_leaves_a_link_unknown(
    watch: LinkWatch, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The kernel says so when it can't make a message; what was read before it is lost too."""
    link_actions.create("one", "bridge")
    receive, calls = NetlinkSocket.receive, itertools.count()

    def fails_once(socket: NetlinkSocket) -> bytes | None:
        if next(calls) == 1:
            raise KernelError("receive netlink messages", number)
        return receive(socket)

    monkeypatch.setattr(NetlinkSocket, "receive", fails_once)
    if number == errno.EIO:
        with pytest.raises(KernelError):
            watch.read()
    watch.read()
    assert known(watch, "one").incarnation


def test_it_is_readable_when_something_happens(watch: LinkWatch) -> None:
    poll = select.poll()
    poll.register(watch, select.POLLIN)
    assert poll.poll(0) == []
    link_actions.create("one", "bridge")
    assert poll.poll(5000)
    assert [type(each) for each in watch.read()] == [Appeared]
    assert poll.poll(0) == []


def test_a_link_is_the_same_through_a_rename(watch: LinkWatch) -> None:
    index = link_actions.create("one", "bridge").index
    (appeared,) = watch.read()
    assert isinstance(appeared, Appeared)
    link_actions.rename(index, "two")
    (renamed,) = watch.read()
    assert isinstance(renamed, Renamed)
    assert renamed.old == appeared.link
    assert (renamed.new.name, renamed.new.incarnation) == ("two", appeared.link.incarnation)
    assert "one" not in by_name(watch.links)
    assert watch.links[index] is renamed.new


def test_a_rename_and_more_are_two_changes(watch: LinkWatch) -> None:
    index = link_actions.create("one", "bridge").index
    watch.read()
    link_actions.rename(index, "two")
    link_actions.set_mtu(index, 1400)
    first, second = watch.read()
    assert isinstance(first, Renamed)
    assert isinstance(second, Changed)
    assert (first.old, first.new) == (second.old, second.new)


def test_the_same_name_and_index_are_not_the_same_link(watch: LinkWatch) -> None:
    made = link_actions.create("one", "bridge", index=500)
    watch.read()
    before = known(watch, "one")
    link_actions.delete(made.index)
    link_actions.create("one", "bridge", index=500)
    gone, come = watch.read()
    assert gone == Disappeared(before)
    assert isinstance(come, Appeared)
    assert (come.link.index, come.link.name) == (before.index, before.name)
    assert come.link.incarnation != before.incarnation


def test_a_name_goes_from_hand_to_hand_in_one_flock(watch: LinkWatch) -> None:
    first = link_actions.create("one", "bridge").index
    second = link_actions.create("two", "bridge").index
    watch.read()
    link_actions.rename(first, "three")
    link_actions.rename(second, "one")
    link_actions.rename(first, "two")
    watch.read()
    assert {name: link.index for name, link in by_name(watch.links).items() if name != "lo"} == {
        "one": second,
        "two": first,
    }


def test_what_came_and_went_unseen_is_no_change(watch: LinkWatch) -> None:
    before = dict(watch.links)
    link_actions.delete(link_actions.create("one", "bridge").index)
    assert watch.read() == []
    assert watch.links == before


def test_a_link_keeps_its_life_in_another_namespace(here: Lab, watch: LinkWatch) -> None:
    index = link_actions.create_veth("one", "two").index
    watch.read()
    before = known(watch, "one")
    link_actions.move(index, here.away)
    gone, changed = watch.read()
    assert isinstance(gone, Disappeared)
    assert gone.link == before
    assert gone.departure
    with netns.inside(here.away_name):
        assert get_link(gone.departure.index)
    assert isinstance(changed, Changed)
    assert (changed.new.name, changed.new.peer_namespace) == ("two", 0)
    with netns.inside(here.away_name):
        there = by_name(fresh())["one"]
        assert there.incarnation == before.incarnation
        link_actions.move(there.index, here.home)
    assert {type(each) for each in watch.read()} == {Appeared, Changed}
    assert known(watch, "one").incarnation == before.incarnation
    assert known(watch, "two").peer_namespace == -1


def test_a_base_that_moves_is_noticed(here: Lab, watch: LinkWatch) -> None:
    base = link_actions.create_veth("one", "two").index
    link_actions.create("upper", "macvlan", base=base, data=netlink.u32(1, 4))
    watch.read()
    assert (known(watch, "upper").peer, known(watch, "upper").peer_namespace) == (base, -1)
    link_actions.move(base, here.away)
    watch.read()
    assert known(watch, "upper").peer_namespace == 0
    with netns.inside(here.away_name):
        link_actions.move(base, here.home)
    watch.read()
    assert known(watch, "upper").peer_namespace == -1
    assert watch.links == fresh()


def test_lost_messages_are_made_up_for(here: Lab) -> None:
    with LinkWatch(receive_buffer=1) as watch:
        watch.read()
        for number in range(20):
            link_actions.create(f"one{number}", "bridge")
        link_actions.delete(known_index("one3"))
        link_actions.create("one3", "bridge", index=700)
        changes = watch.read()
        assert len(changes) == 20
        assert {type(each) for each in changes} == {Appeared}
        assert watch.links == fresh()


def test_what_was_read_is_told_once(watch: LinkWatch) -> None:
    assert watch.take_heard() is Heard.NOTHING
    index = link_actions.create("one", "bridge").index
    assert watch.take_heard() is Heard.NOTHING
    watch.read()
    assert watch.take_heard() is Heard.SOMETHING
    assert watch.take_heard() is Heard.NOTHING
    link_actions.set_mtu(index, 1300)
    watch.look(index)
    watch.read()
    assert watch.take_heard() is Heard.SOMETHING


def test_that_messages_were_lost_is_told_once(here: Lab) -> None:
    with LinkWatch(receive_buffer=1) as watch:
        watch.read()
        assert watch.take_heard() is Heard.NOTHING
        for number in range(20):
            link_actions.create(f"one{number}", "bridge")
        watch.read()
        link_actions.create("another", "bridge")
        watch.read()
        assert watch.take_heard() is Heard.TOO_MUCH
        assert watch.take_heard() is Heard.NOTHING


def test_a_life_that_was_replaced_while_messages_were_lost(here: Lab) -> None:
    made = link_actions.create("one", "bridge", index=500)
    with LinkWatch(receive_buffer=1) as watch:
        watch.read()
        before = known(watch, "one")
        link_actions.create("noise", "bridge")
        link_actions.delete(made.index)
        link_actions.create("one", "bridge", index=500)
        changes = watch.read()
        assert changes[0] == Disappeared(before)
        assert known(watch, "one").incarnation != before.incarnation
        assert watch.links == fresh()


def known_index(name: str) -> int:
    link = get_link(name)
    assert link
    return link.index


def test_what_nobody_tells_is_seen_when_looked_at(watch: LinkWatch) -> None:
    index = link_actions.create("one", "bridge").index
    watch.read()
    link_actions.add_alternative_name(index, "another")
    assert watch.read() == []
    (changed,) = watch.look(index)
    assert isinstance(changed, Changed)
    assert changed.new.alternative_names == ("another",)
    assert known(watch, "another").index == index
    link_actions.delete_alternative_name(index, "another")
    (changed,) = relist(watch)
    assert isinstance(changed, Changed)
    assert "another" not in by_name(watch.links)
    assert watch.look(4711) == []


def test_listing_again_changes_nothing(watch: LinkWatch) -> None:
    link_actions.create_veth("one", "two")
    watch.read()
    before = dict(watch.links)
    for _ in range(3):
        assert relist(watch) == []
        assert watch.links == before


def test_what_a_kind_says(watch: LinkWatch) -> None:
    base = link_actions.create_veth("one", "two").index
    link_actions.create("upper", "macvlan", base=base, data=netlink.u32(1, 4))
    watch.read()
    assert dict(known(watch, "upper").details)["mode"] == 4


def test_a_name_that_is_not_utf8(watch: LinkWatch) -> None:
    index = link_actions.create("one", "bridge").index
    body = link_actions.information.pack(0, 0, index, 0, 0) + netlink.attribute(3, b"\xff\xfe\0")
    with netlink.NetlinkSocket(netlink.ROUTE) as asker:
        asker.request(19, 0, body, "rename")
    (appeared,) = watch.read()
    assert isinstance(appeared, Appeared)
    assert appeared.link.incarnation
    assert relist(watch) == []


def test_a_watch_stays_with_its_namespace(here: Lab, watch: LinkWatch) -> None:
    with netns.inside(here.away_name):
        link_actions.create("elsewhere", "bridge")
        assert relist(watch) == []
    link_actions.create("one", "bridge")
    with netns.inside(here.away_name):
        (appeared,) = watch.read()
    assert isinstance(appeared, Appeared)
    assert appeared.link.incarnation == by_name(fresh())["one"].incarnation


def test_without_sysfs_lives_are_told_apart_all_the_same(
    here: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    refused = KernelError("look into sysfs", 1)
    with mock.patch.object(sysfs, "_mount", side_effect=refused), LinkWatch() as watch:
        assert "can't be told" in caplog.text
        watch.read()
        link_actions.create("one", "bridge", index=500)
        watch.read()
        before = known(watch, "one")
        assert before.incarnation
        assert relist(watch) == []
        link_actions.delete(500)
        link_actions.create("one", "bridge", index=500)
        changes: list[LinkChange] = watch.read()
        assert [type(each) for each in changes] == [Disappeared, Appeared]
        assert known(watch, "one").incarnation != before.incarnation


def test_own_numbers_are_this_process_s_only() -> None:
    link = Link(5, "one")
    first, second = OwnIncarnations(), OwnIncarnations()
    found = first.identify(link, None)
    assert found.incarnation != second.identify(link, None).incarnation
    assert first.identify(link, found).incarnation == found.incarnation
    assert first.identify(link, None).incarnation != found.incarnation


def test_a_link_that_has_gone_meanwhile_is_not_identified(here: Lab) -> None:
    link = link_actions.create("one", "bridge")
    with sysfs.NetworkDevices() as devices:
        incarnations = KernelIncarnations(devices)
        found = incarnations.identify(link, None)
        assert found
        assert incarnations.is_still(found)
        link_actions.rename(link.index, "two")
        assert incarnations.identify(link, None) is None
        assert not incarnations.is_still(found)
        # Another one has taken the name.
        link_actions.create("one", "bridge")
        assert incarnations.identify(link, None) is None
        link_actions.delete(link.index)
        assert incarnations.identify(link, None) is None


def test_a_burst(here: Lab) -> None:
    with LinkWatch() as watch:
        watch.read()
        links: set[str] = set()
        for number in range(300):
            link_actions.create_veth(f"one{number}", f"two{number}")

        def all_there() -> bool:
            links.update(each.link.name for each in watch.read(64) if isinstance(each, Appeared))
            return len(links) == 600

        until(all_there, "600 links")
        assert watch.links == fresh()
