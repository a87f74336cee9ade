"""Two scratch namespaces, and random things that can be done to links in them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, fields

from hypothesis import strategies

from hotswitch.kernel import link_actions, netlink, netns, tap
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.links import Link, get_link, list_links
from hotswitch.ports.link_changes import Appeared, Changed, Disappeared, LinkChange, Renamed
from hotswitch.ports.link_watch import LinkWatch
from hotswitch.switch.link_table import LinkTable
from tests.support.namespaces import namespace

NAMES = ("one", "two", "three", "four", "five")
INDEXES = (0, 0, 501, 502)


@dataclass(frozen=True)
class Lab:
    """The thread is in `home`; `away` is a namespace to move links to."""

    home: int
    away: int
    away_name: str


@contextmanager
def lab() -> Iterator[Lab]:
    """Two namespaces that go at the end; the thread is in the first one meanwhile."""
    with ExitStack() as cleanup:
        first, second = (cleanup.enter_context(namespace()) for _ in range(2))
        home, away = (netns.open_namespace(each) for each in (first, second))
        for each in (home, away):
            cleanup.callback(os.close, each)
        with netns.inside(first):
            yield Lab(home, away, second)


def fresh() -> Mapping[int, Link]:
    """The links by index, as somebody sees them who has just come."""
    with LinkWatch() as watch:
        watch.read()
        return watch.links


def relist(watch: LinkWatch) -> list[LinkChange]:
    """Have all links listed, as when messages were lost."""
    watch._book.stale = True
    return watch.read()


def by_name(links: Mapping[int, Link]) -> Mapping[str, Link]:
    """The links by name and by alternative name."""
    return LinkTable.of(links.values()).by_name


def replayed(links: dict[int, Link], changes: list[LinkChange]) -> None:
    """Do to `links` what the changes say; they must fit."""
    for change in changes:
        match change:
            case Disappeared(link):
                assert links.pop(link.index) == link
            case Renamed(old, new):
                assert old.name != new.name
                assert links[old.index] in (old, new)
                links[old.index] = new
            case Changed(old, new):
                assert links[old.index] in (old, new)
                links[old.index] = new
            case Appeared(link):
                assert link.index not in links
                links[link.index] = link


def differences_between(known: Mapping[int, Link], there: Mapping[int, Link]) -> list[str]:
    """In words, what is known otherwise than it is."""
    words = []
    for index in known.keys() | there.keys():
        one, other = known.get(index), there.get(index)
        if one is None or other is None:
            words.append(f"{one} is known, {other} is there")
            continue
        for each in fields(Link):
            values = getattr(one, each.name), getattr(other, each.name)
            if values[0] != values[1]:
                words.append(f"{one.kind} {index} {each.name}: {values[0]!r}, not {values[1]!r}")
    return words


Operation = Callable[[Lab], None]

_names = strategies.sampled_from(NAMES)
_indexes = strategies.sampled_from(INDEXES)


def _each(index: int) -> int:
    """The index of a link that is there, or one that is not."""
    there = [each.index for each in list_links() if each.name != "lo"]
    return there[index % len(there)] if there else 4711


def _create(kind: str, name: str, index: int) -> Operation:
    return lambda _: link_actions.create(name, kind, index=index) and None


def _veth(name: str, other: str, far: bool) -> Operation:
    return lambda lab: (
        link_actions.create_veth(name, other, peer_namespace=lab.away if far else None) and None
    )


def _macvlan(name: str, base: int, mode: int, index: int) -> Operation:
    data = netlink.u32(1, mode)
    return lambda _: (
        link_actions.create(name, "macvlan", data=data, base=_each(base), index=index) and None
    )


def _again(which: int, kind: str) -> Operation:
    """Delete a link, and make one of the same name and index."""

    def operation(_: Lab) -> None:
        link = get_link(_each(which))
        if link:
            link_actions.delete(link.index)
            link_actions.create(link.name, kind, index=link.index)

    return operation


def _back(which: int) -> Operation:
    def operation(lab: Lab) -> None:
        with netns.inside(lab.away_name):
            link_actions.move(_each(which), lab.home)

    return operation


def _out_and_back(which: int) -> Operation:
    def operation(lab: Lab) -> None:
        index = _each(which)
        link = get_link(index)
        link_actions.move(index, lab.away)
        with netns.inside(lab.away_name):
            moved = get_link(link.name) if link else None
            link_actions.move(moved.index if moved else 4711, lab.home)

    return operation


def _on(action: Callable[[int], None]) -> Callable[[int], Operation]:
    return lambda which: lambda _: action(_each(which))


_which = strategies.integers(0, 9)
_kinds = strategies.sampled_from(("bridge", "veth"))


def _settings(which: int, number: int) -> Operation:
    def operation(_: Lab) -> None:
        index = _each(which)
        match number % 5:
            case 0:
                link_actions.set_up(index, bool(number // 5))
            case 1:
                link_actions.set_mtu(index, 1300 + number)
            case 2:
                link_actions.set_promiscuous(index, bool(number // 5))
            case 3:
                link_actions.set_address(index, 0x020000000000 + number)
            case _:
                bridges = [each.index for each in list_links() if each.kind == "bridge"]
                link_actions.set_master(index, bridges[0] if number // 5 and bridges else 0)

    return operation


def _alternative(which: int, name: str, add: bool) -> Operation:
    action = link_actions.add_alternative_name if add else link_actions.delete_alternative_name
    return lambda _: action(_each(which), name)


operations: strategies.SearchStrategy[Operation] = strategies.one_of(
    strategies.builds(_create, _kinds, _names, _indexes),
    strategies.builds(_veth, _names, _names, strategies.booleans()),
    strategies.builds(_macvlan, _names, _which, strategies.sampled_from((1, 2, 4)), _indexes),
    strategies.builds(
        lambda name: lambda _: tap.create_tap(name, f"mark-of-{name}") and None, _names
    ),
    strategies.builds(_again, _which, _kinds),
    strategies.builds(_on(link_actions.delete), _which),
    strategies.builds(
        lambda which, name: lambda _: link_actions.rename(_each(which), name), _which, _names
    ),
    strategies.builds(_settings, _which, strategies.integers(0, 9)),
    strategies.builds(
        _alternative,
        _which,
        strategies.sampled_from(("six", "a-name-longer-than-fifteen", *NAMES)),
        strategies.booleans(),
    ),
    strategies.builds(lambda which: lambda lab: link_actions.move(_each(which), lab.away), _which),
    strategies.builds(_back, _which),
    strategies.builds(_out_and_back, _which),
)


def perform(operation: Operation, lab: Lab) -> None:
    """Do it, unless the kernel refuses."""
    with suppress(KernelError):
        operation(lab)
