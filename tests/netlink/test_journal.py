"""The journal is written anew while requests go on: it knows what the old one would have known."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hotswitch.headers.registry import Registry
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.families.datapath import DATAPATH
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.families.vport import VPORT
from hotswitch.netlink.flags import CREATE, ECHO
from hotswitch.netlink.server import journal_file
from hotswitch.netlink.server.book import Book
from hotswitch.netlink.server.journal_file import JournalFile
from tests.netlink.asked import flow, new_datapath, new_vport
from tests.netlink.outside import Client, World

_NAMES = ("dp1", "dp2")
_PORTS = {"dp1": ("p1", "p2"), "dp2": ("p3", "p4")}
_FLOWS = 6


class _World(World):
    """One whose memory is a file."""

    def __init__(self, registry: Registry, path: Path) -> None:
        super().__init__(registry)
        self.memory = self.journal = JournalFile(path)  # type: ignore[assignment]
        self.numbers = count(1)
        self.restart()


_Step = Callable[[Client], object]


def _datapath(client: Client, name: str) -> int:
    """Its number; 0: there is none."""
    found = client.world.server.datapaths.values()
    return next((own.number for own in found if own.name == name), 0)


def _more(client: Client) -> Attributes:
    """Every second request is a transaction."""
    assert isinstance(client.world, _World)
    number = next(client.world.numbers)
    return Attributes(transaction=number.to_bytes(4, "big")) if number % 2 else Attributes()


def _turn_datapath(name: str) -> _Step:
    def step(client: Client) -> None:
        number = _datapath(client, name)
        if number:
            client.request(DATAPATH, "del", _more(client), datapath=number)
        else:
            client.request(DATAPATH, "new", new_datapath(name) + _more(client), flags=ECHO)

    return step


def _turn_port(name: str, port: str) -> _Step:
    def step(client: Client) -> None:
        number = _datapath(client, name)
        own = client.world.server.datapaths.get(number)
        if own is not None and own.by_name(port):
            client.request(VPORT, "del", Attributes(name=port) + _more(client), datapath=number)
        else:
            client.request(VPORT, "new", new_vport(port) + _more(client), datapath=number)

    return step


def _turn_flow(name: str, which: int, command: str) -> _Step:
    def step(client: Client) -> None:
        asked = flow(1, which, 2 if command == "new" else 0)
        if command == "del":
            asked = Attributes(key=asked["key"])
        number = _datapath(client, name)
        client.request(FLOW, command, asked + _more(client), datapath=number, flags=CREATE)

    return step


def _flush(name: str) -> _Step:
    return lambda client: client.request(FLOW, "del", datapath=_datapath(client, name))


_STEPS = st.lists(
    st.one_of(
        st.sampled_from(_NAMES).map(_turn_datapath),
        st.sampled_from(_NAMES).map(_flush),
        st.sampled_from([_turn_port(name, port) for name in _NAMES for port in _PORTS[name]]),
        st.builds(
            _turn_flow,
            st.sampled_from(_NAMES),
            st.integers(1, _FLOWS),
            st.sampled_from(("new", "set", "del")),
        ),
    ),
    max_size=6,
)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_file, "_AT_ONCE", 2)


@given(between=st.lists(_STEPS, max_size=12))
@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_what_happens_between_pieces_is_known(
    between: list[list[_Step]], registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal"
    world = _World(registry, path)
    for name in _PORTS["dp1"] + _PORTS["dp2"]:
        world.outside.add_device(name)
    client = world.client()
    for name in _NAMES:
        for make in (_turn_datapath(name), *(_turn_port(name, each) for each in _PORTS[name])):
            make(client)
        for number in range(1, _FLOWS):
            _turn_flow(name, number, "new")(client)
    left = iter(between)
    for _ in world.journal.rewriting(world.server.records()):
        for step in next(left, ()):
            step(client)
    for steps in left:
        for step in steps:
            step(client)
    _is_known(world, path)


def _is_known(world: World, path: Path) -> None:
    """The file says just what the server does."""
    there, told = Book(world.server.records()), Book(JournalFile(path).known())
    assert told.datapaths == there.datapaths
    assert told.vports == there.vports
    assert told.flows == there.flows
    assert _holding(told) == _holding(there) == set(there.answers)


def _holding(book: Book) -> set[bytes]:
    """The transactions whose answers hold, as what they are about is there, or is gone."""
    return {
        identity
        for identity, each in book.answers.items()
        if each.flow is None or (each.flow[1] in book.flows.get(each.flow[0], ())) is not each.gone
    }


def test_who_gives_up_leaves_the_old_one(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    world = _World(registry, path)
    client = world.client()
    client.ask(DATAPATH, "new", new_datapath("dp1"))
    pieces = world.journal.rewriting(world.server.records())
    next(pieces)
    client.ask(DATAPATH, "new", new_datapath("dp2"))
    pieces.close()
    client.ask(DATAPATH, "new", new_datapath("dp3"))
    _is_known(world, path)
    world.journal.rewrite(world.server.records())
    _is_known(world, path)
