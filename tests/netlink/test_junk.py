"""Requests that are almost right: answered or refused, no exception, no half change."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import BUILT_IN
from hotswitch.netlink.families.datapath import DATAPATH
from hotswitch.netlink.families.vport import VPORT
from hotswitch.netlink.message import Acknowledgement, Message
from tests.netlink.asked import new_datapath, new_vport
from tests.netlink.outside import Client, World
from tests.netlink.recorded import everything

REGISTRY = Registry(BUILT_IN)
_DATAPATH = slice(20, 24)


def _requests() -> list[bytes]:
    """The recorded requests, each once, with the message types that they have here."""
    world = World(REGISTRY)
    found = {}
    for each in everything():
        message = each.message
        if isinstance(message, Message) and message.flags & 1:
            found[message.family.name, message.command, message.attributes] = message
    return [world.codec.encode(message) for message in found.values()]


REQUESTS = _requests()


@st.composite
def junk(draw: st.DrawFn) -> bytes:
    """A request with some bytes changed, cut off, or doubled."""
    data = bytearray(draw(st.sampled_from(REQUESTS)))
    for _ in range(draw(st.integers(0, 4))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    match draw(st.integers(0, 4)):
        case 0:
            del data[draw(st.integers(0, len(data))) :]
        case 1:
            data += data[draw(st.integers(0, len(data))) :]
        case 2:
            data[:4] = len(data).to_bytes(4, "little")
    return bytes(data)


def _client() -> Client:
    world = World(REGISTRY)
    for name in ("p1", "p2"):
        world.outside.add_device(name)
    client = world.client()
    number = client.ask(DATAPATH, "new", new_datapath()).datapath
    for name in ("p1", "p2"):
        client.ask(VPORT, "new", new_vport(name), datapath=number)
    return client


def _consistent(world: World) -> None:
    """What the server knows is what is there."""
    assert {own.name for own in world.server.datapaths.values()} == set(world.outside.made)
    for own in world.server.datapaths.values():
        entries = {key for key, entry in own.datapath.entries().items() if entry.cookie}
        assert {flow.key for flow in own.flows} == entries
        assert len(own.vports) == len(own.datapath.ports())


@given(st.lists(st.tuples(junk(), st.booleans()), max_size=12))
@settings(max_examples=150, deadline=None)
def test_whatever_comes(sent: list[tuple[bytes, bool]]) -> None:
    client = _client()
    for data, ours in sent:
        given_bytes = bytearray(data)
        if ours and len(given_bytes) >= _DATAPATH.stop:
            (number, *_) = client.world.server.datapaths or [0]
            given_bytes[_DATAPATH] = number.to_bytes(4, "little")
        before = list(client.world.server.records())
        answers = client.send(bytes(given_bytes))
        _consistent(client.world)
        refused = answers and all(isinstance(a, Acknowledgement) and a.error for a in answers)
        if refused and len(answers) == 1 and int.from_bytes(data[:4], "little") == len(data):
            assert list(client.world.server.records()) == before
    client.world.restart()
    _consistent(client.world)
