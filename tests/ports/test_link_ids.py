"""Link ids: the same for the same link, never the same for two."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, strategies

from hotswitch.kernel.link_monitor import Departure
from hotswitch.kernel.links import Link
from hotswitch.ports import link_id_records
from hotswitch.ports.link_changes import Appeared, Changed, Disappeared, Renamed
from hotswitch.ports.link_id_records import Kept, LinkIdError
from hotswitch.ports.link_ids import LinkIds

_numbers = itertools.count(1)


def software(name: str = "tap0") -> Link:
    """A new one."""
    number = next(_numbers)
    return Link(number, name, "tun", incarnation=1000 + number)


def card(address: int = 0, bus: str = "", name: str = "eth0") -> Link:
    """A new life of hardware."""
    return replace(software(name), kind="", permanent_address=address, bus=bus)


def started(text: bytes = b"", boot: str = "boot") -> LinkIds:
    ids = LinkIds(link_id_records.decode(text, boot) if text else Kept())
    ids.kept()
    return ids


def saved(ids: LinkIds, boot: str = "boot") -> bytes:
    return link_id_records.encode((link_id_records.head(boot), *ids.everything()))


def follow(ids: LinkIds, *links: Link) -> list[int]:
    """All appear; their ids."""
    ids.follow(Appeared(each) for each in links)
    ids.kept()
    found = [ids.id_of(each) for each in links]
    assert None not in found
    return [each for each in found if each]


def test_an_id_and_a_link_convert_both_ways() -> None:
    ids = started()
    one, two = software("one"), software("two")
    assert follow(ids, one, two) == [1, 2]
    assert (ids.link_of(1), ids.link_of(2)) == (one, two)
    assert ids.link_of(3) is None
    assert ids.id_of(software()) is None
    assert ids.record_of(3) is None


def test_an_id_lives_through_a_rename() -> None:
    ids = started()
    one = software("one")
    follow(ids, one)
    two = replace(one, name="two", mtu=1400)
    ids.follow([Renamed(one, two), Changed(one, two)])
    assert ids.id_of(two) == 1
    assert ids.link_of(1) == two
    record = ids.record_of(1)
    assert record
    assert record.name == "two"


def test_what_changes_without_a_rename_writes_nothing() -> None:
    ids = started()
    one = software("one")
    follow(ids, one)
    ids.follow([Changed(one, replace(one, mtu=1400, up=True))])
    assert ids.pending() == ()
    assert ids.link_of(1) == replace(one, mtu=1400, up=True)


def test_the_next_life_of_a_name_is_another_link() -> None:
    ids = started()
    first, second = software("tap0"), software("tap0")
    follow(ids, first)
    ids.follow([Disappeared(first), Appeared(second)])
    assert ids.id_of(second) == 2
    assert ids.link_of(1) is None
    assert ids.record_of(1) is not None


def test_a_link_that_comes_back_from_another_namespace_has_its_id() -> None:
    ids = started()
    one = software("one")
    follow(ids, one)
    ids.follow([Disappeared(one)])
    assert ids.link_of(1) is None
    assert follow(ids, replace(one, index=77, name="other")) == [1]


def test_after_a_restart_links_have_their_ids() -> None:
    ids = started()
    one, two, nic = software("one"), software("two"), card(5, "pci/1")
    follow(ids, one, two, nic)
    again = started(saved(ids))
    assert follow(again, nic, two, one) == [3, 2, 1]
    assert follow(again, software())[0] > 3


def test_after_a_boot_only_hardware_has_its_ids() -> None:
    ids = started()
    one, nic, other = software("one"), card(5, "pci/1"), card(0, "pci/2")
    before = follow(ids, one, nic, other)
    again = started(saved(ids), boot="next")
    # Incarnations count from the beginning again: the same number is another link.
    new = software("new")
    new = replace(new, incarnation=one.incarnation)
    nic = replace(card(5, "pci/1"), incarnation=other.incarnation)
    other = replace(card(0, "pci/2"), incarnation=5)
    found = follow(again, new, nic, other)
    assert found[1:] == before[1:]
    assert found[0] not in before


def test_a_card_that_was_moved_keeps_its_id_and_its_place_gets_another() -> None:
    ids = started()
    first, second = follow(ids, card(5, "pci/1"), card(6, "pci/2"))
    again = started(saved(ids), boot="next")
    swapped = follow(again, card(6, "pci/1"), card(5, "pci/2"))
    assert swapped == [second, first]


def test_a_card_that_was_replaced_has_the_id_of_its_place() -> None:
    ids = started()
    (before,) = follow(ids, card(5, "pci/1"))
    again = started(saved(ids), boot="next")
    assert follow(again, card(7, "pci/1")) == [before]
    # And from then on it is the new card's.
    third = started(saved(again, "next"), boot="third")
    found = follow(third, card(7, "pci/9"), card(5, "pci/1"))
    assert found[0] == before
    assert found[1] != before


def test_what_is_not_clear_is_not_guessed() -> None:
    """A card with two ports in one place; two links with one address."""
    ids = started()
    before = follow(ids, card(0, "pci/1"), card(0, "pci/1"), card(9), card(9))
    again = started(saved(ids), boot="next")
    found = follow(again, card(0, "pci/1"), card(0, "pci/1"), card(9), card(9))
    assert not set(before) & set(found)
    one_of_two = follow(started(saved(ids), boot="next"), card(0, "pci/1"))
    assert one_of_two[0] not in before


def test_the_order_of_events_does_not_decide() -> None:
    ids = started()
    follow(ids, card(5, "pci/1"), card(6, "pci/2"))
    links = [card(6, "pci/3"), card(7, "pci/1"), software(), software()]
    text = saved(ids)
    found = set()
    for order in itertools.permutations(links):
        again = started(text, boot="next")
        follow(again, *order)
        found.add(tuple(again.id_of(each) for each in links))
    assert len(found) == 1


def test_software_on_top_of_hardware_is_not_taken_for_it() -> None:
    ids = started()
    nic = card(5, "pci/1")
    vlan = replace(software("eth0.5"), kind="vlan", permanent_address=5)
    before = follow(ids, nic, vlan)
    again = started(saved(ids), boot="next")
    found = follow(again, replace(vlan, incarnation=7), replace(nic, incarnation=8))
    assert found[1] == before[0]
    assert found[0] not in before


def test_the_loopback_of_a_namespace_is_no_hardware() -> None:
    ids = started()
    follow(ids, replace(card(5, "pci/1"), device_type=772))
    record = ids.record_of(1)
    assert record
    assert record.hardware == ()


def test_ids_that_could_not_be_kept_are_not_told() -> None:
    ids = LinkIds(Kept())
    one = software()
    ids.follow([Appeared(one)])
    assert ids.id_of(one) is None
    assert ids.link_of(1) is None
    assert ids.record_of(1) is None
    ids.kept()
    assert ids.id_of(one) == 1
    text = saved(ids)
    many = [software() for _ in range(3000)]
    ids.follow([Appeared(each) for each in many])
    told = [each for each in map(ids.id_of, many) if each]
    assert 0 < len(told) < len(many)
    # Killed here, what is kept is older than that: none of those that were told is given again.
    assert follow(started(text), software())[0] > max(told)
    ids.kept()
    assert None not in map(ids.id_of, many)


def test_what_is_absent_is_not_kept_for_ever() -> None:
    ids = started()
    nic = card(5)
    follow(ids, nic)
    ids.follow([Disappeared(nic)])
    links = [software() for _ in range(1100)]
    follow(ids, *links)
    ids.follow([Disappeared(each) for each in links])
    assert ids.count == 1025
    assert ids.record_of(2) is None
    assert ids.id_of(links[0]) is None
    assert ids.id_of(links[-1]) == 1101
    assert follow(ids, nic) == [1]
    assert follow(started(saved(ids)), links[-1]) == [1101]


def test_what_lives_elsewhere_outlives_a_storm() -> None:
    ids = started()
    moved = software()
    follow(ids, moved)
    ids.follow([Disappeared(moved, Departure(1, 2, 0))])
    for life in (ids, started(saved(ids))):
        storm = [software() for _ in range(1100)]
        follow(life, *storm)
        life.follow([Disappeared(each) for each in storm])
        assert life.id_of(moved) == 1
    follow(ids, moved)
    ids.follow([Disappeared(moved)])
    storm = [software() for _ in range(1100)]
    follow(ids, *storm)
    ids.follow([Disappeared(each) for each in storm])
    assert ids.id_of(moved) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "line 1: no head"),
        (b"\n", "line 1: "),
        (b"{}\n", "line 1: "),
        (b'{"about":"link","id":1,"incarnation":1}\n', "line 1: a head belongs"),
        (b'{"about":"link-ids","format":2,"boot":""}\n', "line 1: format 2"),
        (b'{"about":"link-ids","format":1,"boot":""}\nnonsense\n', "line 2: "),
        (b'{"about":"link-ids","format":1,"boot":""}\n' * 2, "line 2: a head"),
        (
            b'{"about":"link-ids","format":1,"boot":""}\n{"about":"reserved","below":0}\n',
            "line 2: 0 can't be",
        ),
        (
            b'{"about":"link-ids","format":1,"boot":""}\n'
            b'{"about":"link","id":4294967296,"incarnation":1}\n',
            "line 2: 4294967296 can't be",
        ),
    ],
)
def test_what_is_wrong_with_a_text_is_said(text: bytes, words: str) -> None:
    with pytest.raises(LinkIdError, match=words):
        link_id_records.decode(text, "boot")


@given(strategies.binary())
def test_any_bytes_are_decoded_or_refused(text: bytes) -> None:
    head = b'{"about":"link-ids","format":1,"boot":""}\n'
    for each in (text, head + text):
        try:
            link_id_records.decode(each, "boot")
        except LinkIdError as error:
            assert str(error).startswith("line ")
        assert link_id_records.salvage(each) >= 1


@given(strategies.integers(0, 2000))
def test_a_text_cut_anywhere_still_says_what_was_whole(cut: int) -> None:
    ids = started()
    links = [software(), card(5, "pci/1"), software()]
    follow(ids, *links)
    text = saved(ids)
    head, lines = text.split(b"\n", 1)
    kept = link_id_records.decode(head + b"\n" + lines[:cut], "boot")
    whole = lines[:cut].count(b"\n")
    assert len(kept.records) == max(0, whole - 1)
    assert (kept.reserved > 3) == (whole > 0)
    assert link_id_records.salvage(text[:cut]) <= kept.reserved


_steps = strategies.lists(
    strategies.tuples(
        strategies.sampled_from(("come", "go", "restart", "crash", "boot", "keep")),
        strategies.integers(0, 5),
    ),
    max_size=60,
)


@given(_steps)
def test_no_two_links_ever_have_one_id(steps: list[tuple[str, int]]) -> None:
    """Whatever is lost: an id that was told once means the same link for ever."""
    ids = started()
    text = saved(ids)
    boot = "boot 0"
    owners: dict[int, object] = {}
    told: dict[int, int] = {}
    there: dict[int, Link] = {}

    def owner(link: Link) -> object:
        return link.permanent_address or (boot, link.incarnation)

    def restart() -> None:
        nonlocal ids, text
        ids = started(text, boot)
        text = saved(ids, boot)
        ids.follow([Appeared(each) for each in there.values()])

    for step, which in steps:
        match step:
            case "come":
                if which not in there:
                    there[which] = card(which) if which in (1, 2) else software()
                    ids.follow([Appeared(there[which])])
            case "go":
                if which in there:
                    ids.follow([Disappeared(there.pop(which))])
            case "keep":
                text = saved(ids, boot)
                ids.kept()
            case "restart":
                text = saved(ids, boot)
                restart()
            case "crash":
                restart()
            case _:
                boot = f"boot {next(_numbers)}"
                there.clear()
                restart()
        if step in ("crash", "boot"):
            told.clear()
        for link in there.values():
            link_id = ids.id_of(link)
            if link_id is None:
                continue
            assert owners.setdefault(link_id, owner(link)) == owner(link)
            assert told.setdefault(link.incarnation, link_id) == link_id
            assert ids.link_of(link_id) == link
