"""What a fuzzer calls: bytes to the decoder and to a server, and what must hold afterwards."""

from __future__ import annotations

import struct

from msgspec import structs

from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import BUILT_IN
from hotswitch.netlink.codec import Codec
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.families.datapath import DATAPATH, FEATURES_SINCE
from hotswitch.netlink.families.vport import VPORT
from hotswitch.netlink.message import HEADER_SIZE, Acknowledgement, Message
from hotswitch.netlink.server.core import Server
from hotswitch.netlink.server.records import Answered, DatapathKept, Record
from tests.netlink.asked import new_datapath, new_vport
from tests.netlink.outside import Client, World

_LIFE = 500
"""Inputs for one server: what it may remember is bounded by time, too."""
_DATAPATH = slice(20, 24)
_codec = Codec()
_registry = Registry(BUILT_IN)


def decode(data: bytes) -> None:
    """An error that can be told, or a message that has the same meaning written anew."""
    try:
        message = _codec.decode(data)
    except NetlinkError as error:
        assert error.errno > 0 and str(error)
        assert error.offset is None or 0 <= error.offset <= max(len(data), HEADER_SIZE)
        return
    if isinstance(message, Message):
        again = _codec.decode(_codec.encode(message))
        assert isinstance(again, Message) and again.attributes == message.attributes


class Target:
    """A server; takes inputs, one after another. A broken rule is an AssertionError."""

    def __init__(self) -> None:
        self._left = 0

    def take(self, data: bytes) -> None:
        """One datagram, as it may come from anybody."""
        decode(data)
        if not self._left:
            self._begin()
        self._left -= 1
        server = self._client.world.server
        changed = bytearray(data)
        if len(data) >= _DATAPATH.stop and server.datapaths:
            # Else hardly anything would be about a datapath that there is.
            changed[_DATAPATH] = next(iter(server.datapaths)).to_bytes(4, "little")
        before = _there_is(server)
        self._client.session.extended = True
        answers = self._client.send(bytes(changed))
        self._consistent()
        refused = [each for each in answers if isinstance(each, Acknowledgement) and each.error]
        if self._client.session.extended:  # it may have asked for none
            assert all(each.attributes.get("message") for each in refused)
        if len(answers) == len(refused) == 1 and _is_one_message(data):
            after = _there_is(server)
            if _is_of_old_client(data):
                before, after = _without_features(before), _without_features(after)
            assert after == before, "a refused request has changed something"

    def _begin(self) -> None:
        world = World(_registry)
        for name in ("p1", "p2", "p3"):
            world.outside.add_device(name)
        self._client = Client(world, world.server.connect())
        datapath = self._client.ask(DATAPATH, "new", new_datapath()).datapath
        for name in ("p1", "p2"):
            self._client.ask(VPORT, "new", new_vport(name), datapath=datapath)
        self._left = _LIFE

    def _consistent(self) -> None:
        """What the server knows is what is there."""
        world = self._client.world
        datapaths = world.server.datapaths.values()
        assert {own.name for own in datapaths} == set(world.outside.made)
        for own in datapaths:
            entries = {key for key, entry in own.datapath.entries().items() if entry.cookie}
            assert {flow.key for flow in own.flows} == entries
            assert len(own.vports) == len(own.datapath.ports())


def _there_is(server: Server) -> list[Record]:
    """All but stored answers: a refusal of a transaction is one."""
    return [each for each in server.records() if not isinstance(each, Answered)]


def _is_of_old_client(data: bytes) -> bool:
    """Who is older than features and finds its datapath there ends them, as in the kernel."""
    return len(data) > HEADER_SIZE + 1 and data[HEADER_SIZE + 1] < FEATURES_SINCE


def _without_features(records: list[Record]) -> list[Record]:
    return [
        structs.replace(each, features=0) if isinstance(each, DatapathKept) else each
        for each in records
    ]


def _is_one_message(data: bytes) -> bool:
    return len(data) >= 4 and struct.unpack_from("=I", data)[0] == len(data)
