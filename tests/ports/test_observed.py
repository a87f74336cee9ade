"""The book of links, told by hand: what real kernels do only now and then."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hotswitch.kernel.link_monitor import Changed as Told
from hotswitch.kernel.link_monitor import Departure, Overflow, Removed
from hotswitch.kernel.links import Link
from hotswitch.ports.incarnation import known_as
from hotswitch.ports.link_changes import Appeared, Changed, Disappeared, Renamed
from hotswitch.ports.observed import LinkBook
from tests.ports.link_lab import by_name


@dataclass
class Lives:
    """What sysfs would say: incarnations by name and index."""

    by_place: dict[tuple[str, int], int] = field(default_factory=dict)

    def identify(self, link: Link, before: Link | None) -> Link | None:
        found = self.by_place.get((link.name, link.index))
        if before and found == before.incarnation:
            return known_as(before, link)
        return replace(link, incarnation=found, driver="known") if found else None

    def is_still(self, link: Link) -> bool:
        return self.by_place.get((link.name, link.index)) == link.incarnation

    def close(self) -> None:
        pass


def book(*links: Link) -> tuple[LinkBook, Lives]:
    """One that has listed these, with incarnations from 101 on."""
    lives = Lives({(link.name, link.index): 100 + link.index for link in links})
    found = LinkBook(lives)
    assert found.stale
    found.listed(links)
    assert not found.stale
    assert len(found.take_changes()) == len(links)
    return found, lives


def names(found: LinkBook) -> set[str]:
    return set(by_name(found.links))


def test_a_link_that_is_not_found_is_left_to_its_next_message() -> None:
    found, lives = book(Link(1, "lo"))
    found.apply([Told(Link(2, "one"))])
    assert found.take_changes() == []
    lives.by_place["two", 2] = 102
    found.apply([Told(Link(2, "two"))])
    (appeared,) = found.take_changes()
    assert appeared == Appeared(Link(2, "two", incarnation=102, driver="known"))


def test_a_known_link_is_not_looked_up_again() -> None:
    found, lives = book(Link(1, "lo"), Link(2, "one"))
    lives.by_place.clear()
    found.apply([Told(Link(2, "two", mtu=1400))])
    renamed, changed = found.take_changes()
    assert isinstance(renamed, Renamed)
    assert isinstance(changed, Changed)
    assert renamed.new == Link(2, "two", mtu=1400, incarnation=102, driver="known")


def test_removing_what_is_not_known_is_nothing() -> None:
    found, _ = book(Link(1, "lo"))
    before = dict(found.links)
    found.apply([Removed(5, "five"), Removed(5, "five", Departure(0, 5, 1))])
    assert found.take_changes() == []
    assert found.links == before


def test_a_loss_makes_it_stale_until_the_list() -> None:
    found, lives = book(Link(1, "lo"), Link(2, "one"), Link(3, "two"))
    found.apply([Overflow()])
    assert found.stale
    assert found.take_changes() == []
    lives.by_place |= {("two", 3): 203, ("new", 4): 104}
    found.listed([Link(4, "new"), Link(3, "two"), Link(1, "lo")])
    assert not found.stale
    changes = found.take_changes()
    assert [type(each) for each in changes] == [Disappeared] * 2 + [Appeared] * 2
    lives_told = [
        each.link.incarnation for each in changes if not isinstance(each, Renamed | Changed)
    ]
    assert (set(lives_told[:2]), set(lives_told[2:])) == ({102, 103}, {203, 104})


def test_what_a_list_lacks_is_asked_for_if_it_may_be_incomplete() -> None:
    found, _ = book(Link(1, "lo"), Link(2, "one"), Link(3, "two"))
    found.listed([Link(1, "lo")], complete=False)
    assert set(found.take_doubtful()) == {2, 3}
    assert not found.take_doubtful()
    found.apply([Told(Link(2, "one")), Removed(3, "")])
    (gone,) = found.take_changes()
    assert isinstance(gone, Disappeared)
    assert gone.link.name == "two"


def test_a_listed_link_that_is_renamed_meanwhile_stays_as_it_was() -> None:
    found, lives = book(Link(1, "lo"), Link(2, "one"))
    del lives.by_place["one", 2]
    found.listed([Link(1, "lo"), Link(2, "one")])
    assert found.take_changes() == []
    assert names(found) == {"lo", "one"}


def test_the_same_list_finds_another_life_of_the_same_name_and_index() -> None:
    links = [Link(1, "lo"), Link(2, "one")]
    found, lives = book(*links)
    found.listed(links)
    assert found.take_changes() == []
    lives.by_place["one", 2] = 202
    found.listed(links)
    gone, come = found.take_changes()
    assert isinstance(gone, Disappeared)
    assert isinstance(come, Appeared)
    assert (gone.link.incarnation, come.link.incarnation) == (102, 202)


def test_a_list_in_the_same_words_mends_what_was_told_since() -> None:
    links = [Link(1, "lo"), Link(2, "one")]
    found, _ = book(*links)
    found.apply([Told(Link(2, "one", mtu=1400))])
    found.listed(links)
    assert found.take_changes() == []
    assert found.links[2].mtu == 0


def test_gone_and_there_again_is_no_change_if_it_is_the_same() -> None:
    found, _ = book(Link(1, "lo"), Link(2, "one"))
    found.apply([Removed(2, "one", Departure(0, 2, 0)), Told(Link(2, "one"))])
    assert found.take_changes() == []


def test_names_that_change_hands_in_any_order() -> None:
    found, _ = book(Link(1, "one", alternative_names=("first",)), Link(2, "two"))
    found.apply([Told(Link(2, "first")), Told(Link(1, "two"))])
    found.take_changes()
    assert {name: link.index for name, link in by_name(found.links).items()} == {
        "first": 2,
        "two": 1,
    }


def test_the_end_of_a_pair_that_stays_knows_where_the_other_went() -> None:
    pair = Link(2, "one", "veth", peer=3), Link(3, "two", "veth", peer=2)
    found, lives = book(*pair)
    found.apply([Removed(2, "one", Departure(namespace=7, index=22, peer=3))])
    found.take_changes()
    there = found.links[3]
    assert (there.peer, there.peer_namespace) == (22, 7)
    lives.by_place["one", 5] = 102
    found.apply([Told(Link(5, "one", "veth", peer=3))])
    found.take_changes()
    there = found.links[3]
    assert (there.peer, there.peer_namespace) == (5, -1)


def test_what_is_tied_to_an_index_used_again_is_asked_for() -> None:
    base, upper = Link(2, "base"), Link(3, "upper", "macvlan", peer=2)
    found, lives = book(base, upper)
    lives.by_place["base", 2] = 202
    found.apply([Removed(2, "base", Departure(0, 2, 0)), Told(Link(2, "base"))])
    assert set(found.take_doubtful()) == {3}
    assert found.links[3].peer_namespace == -1


def test_a_new_link_may_be_the_base_of_those_whose_base_is_elsewhere() -> None:
    upper = Link(3, "upper", "macvlan", peer=2, peer_namespace=0)
    found, lives = book(upper)
    found.apply([Told(replace(upper, mtu=1400))])
    assert not found.take_doubtful()
    lives.by_place["base", 2] = 102
    found.apply([Told(Link(2, "base"))])
    assert set(found.take_doubtful()) == {3}
    # Thousands are left to the next list.
    many = [Link(each, f"m{each}", "macvlan", peer=2, peer_namespace=0) for each in range(10, 110)]
    lives.by_place |= {(link.name, link.index): link.index for link in many}
    found.apply([Told(each) for each in many])
    assert not found.take_doubtful()
