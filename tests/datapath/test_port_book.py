"""The ports' book against the plain way to look: all ports, one after another."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hotswitch.datapath.contract import DatapathError
from hotswitch.datapath.port_book import PortBook
from hotswitch.model.action import MAXIMUM_PORT
from hotswitch.model.port import LinkLife, Port

_ports = some.builds(
    Port,
    some.integers(1, 5),
    some.sampled_from("abcd"),
    some.sampled_from((0, 0, 7, 8, 9)),
    standby=some.lists(some.builds(LinkLife, some.integers(10, 13)), max_size=2, unique=True).map(
        tuple
    ),
).flatmap(lambda port: some.sampled_from((port, _flipped(port))))


def _flipped(port: Port) -> Port:
    """With the last link as the active one."""
    *rest, last = port.links or (LinkLife(0),)
    return replace(port, ifindex=last.ifindex, standby=tuple(rest))


_steps = some.lists(some.one_of(_ports, some.integers(1, 5)), max_size=30)


def _refused(book: PortBook, port: Port) -> bool:
    try:
        book.check_unique(port)
    except DatapathError:
        return True
    return False


@given(_steps, _ports)
def test_it_knows_what_is_taken(steps: list[Port | int], asked: Port) -> None:
    book, plain = PortBook(), dict[int, Port]()
    for step in steps:
        if isinstance(step, int):
            book.delete(step)
            plain.pop(step, None)
        elif not _refused(book, step):
            book.put(step)
            plain[step.number] = step
    assert dict(book.by_number) == plain
    assert book.free_number() == min(set(range(1, 7)) - set(plain))
    others = [port for port in plain.values() if port.number != asked.number]
    taken = any(port.name == asked.name or set(port.links) & set(asked.links) for port in others)
    assert _refused(book, asked) == taken


def test_the_numbers_end() -> None:
    book = PortBook(Port(number, f"p{number}") for number in range(1, MAXIMUM_PORT + 1))
    assert book.free_number() == 0
    book.delete(77)
    assert book.free_number() == 77


def test_it_says_who_has_it() -> None:
    book = PortBook([Port(1, "tap0", 5)])
    with pytest.raises(DatapathError, match="there is a port tap0 already, number 1"):
        book.check_unique(Port(2, "tap0"))
    with pytest.raises(DatapathError, match="its link 5 belongs to port tap0"):
        book.check_unique(Port(2, "tap1", 5))
    with pytest.raises(DatapathError, match="its link 5 belongs to port tap0"):
        book.check_unique(Port(2, "tap1", 6, standby=(LinkLife(5),)))
