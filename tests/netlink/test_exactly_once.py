"""A request with a transaction id is carried out once, whatever breaks and how often it is sent."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hotswitch.datapath.contract import DeleteEntry, PutEntry
from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import BUILT_IN
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.families.datapath import DATAPATH
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.families.vport import VPORT
from hotswitch.netlink.flags import CREATE, ECHO
from hotswitch.netlink.message import Acknowledgement, Message, Received
from hotswitch.netlink.server.records import Answered, FlowKept, Record
from hotswitch.netlink.server.records import decode as records
from hotswitch.netlink.server.transactions import Transactions, addressed, digest
from tests.netlink.asked import flow, frame, new_datapath, new_vport
from tests.netlink.outside import Client, World

REGISTRY = Registry(BUILT_IN)
DESTINATIONS = st.integers(1, 4)
LOST = st.integers(0, 2)


def without_address(answers: list[Received]) -> list[Any]:
    """Answers but for whom they are."""
    return [
        (type(each), getattr(each, "command", ""), getattr(each, "error", 0), each.attributes)
        for each in answers
    ]


class Exchange(RuleBasedStateMachine):
    """A client that adds, changes and deletes flows, some of whose answers are lost.

    What it does is kept in `flows` (by destination: packets counted), as if nothing ever broke.
    """

    def __init__(self) -> None:
        super().__init__()
        self.world = World(REGISTRY)
        self.world.outside.add_device("p1")
        self.world.outside.add_device("p2")
        self.client = self.world.client()
        self.datapath = self.client.ask(DATAPATH, "new", new_datapath()).datapath
        for name in ("p1", "p2"):
            self.client.ask(VPORT, "new", new_vport(name), datapath=self.datapath)
        self.flows: dict[int, int] = {}
        self.returned = 0
        self.forwarded = 0
        self.number = 0
        self.earlier: list[tuple[str, Attributes, list[Any]]] = []

    @initialize()
    def begin(self) -> None:
        """Nothing is there yet."""

    def _once(self, command: str, attributes: Attributes, lost: int, restarted: bool) -> list[Any]:
        """Send a request until its answer arrives: `lost` answers do not."""
        self.number += 1
        attributes += Attributes(transaction=self.number.to_bytes(8, "big"))
        answers = self._send(command, attributes)
        for _ in range(lost):
            if restarted:
                self.world.restart()
            self.client = self.world.client()
            again = self._send(command, attributes)
            assert again == answers
        self.earlier.append((command, attributes, answers))
        return answers

    def _send(self, command: str, attributes: Attributes) -> list[Any]:
        flags = ECHO | (CREATE if command == "new" else 0)
        return without_address(
            self.client.request(FLOW, command, attributes, datapath=self.datapath, flags=flags)
        )

    @rule(dst=DESTINATIONS, lost=LOST, restarted=st.booleans())
    def add(self, dst: int, lost: int, restarted: bool) -> None:
        ((kind, _, error, _),) = self._once("new", flow(1, dst, 2), lost, restarted)
        if dst in self.flows:
            assert (kind, error) == (Acknowledgement, errno.EEXIST)
        else:
            assert kind is Message
            self.flows[dst] = 0

    @rule(dst=DESTINATIONS, lost=LOST, restarted=st.booleans())
    def delete(self, dst: int, lost: int, restarted: bool) -> None:
        named = Attributes(key=flow(1, dst, 2)["key"])
        ((kind, _, error, attributes),) = self._once("del", named, lost, restarted)
        if dst in self.flows:
            counted = attributes.get("statistics")
            packets = counted.packets if counted else 0
            assert packets == self.flows.pop(dst)
            self.returned += packets
        else:
            assert (kind, error) == (Acknowledgement, errno.ENOENT)

    @rule(
        dst=DESTINATIONS, output=st.integers(0, 2), lost=st.integers(0, 1), restarted=st.booleans()
    )
    def change(self, dst: int, output: int, lost: int, restarted: bool) -> None:
        self._once("set", flow(1, dst, output), lost, restarted)

    @rule(dst=DESTINATIONS)
    def forward(self, dst: int) -> None:
        self.world.outside.engines["dp1"].process(1, frame(dst))
        if dst in self.flows:
            self.flows[dst] += 1
            self.forwarded += 1

    @precondition(lambda self: self.earlier)
    @rule(data=st.data(), restarted=st.booleans())
    def an_old_request_comes_again(self, data: st.DataObject, restarted: bool) -> None:
        if restarted:
            self.world.restart()
            self.client = self.world.client()
        command, attributes, answers = data.draw(st.sampled_from(self.earlier))
        assert self._send(command, attributes) == answers

    @invariant()
    def nothing_is_lost_or_done_twice(self) -> None:
        own = self.world.server.datapaths[self.datapath]
        keys = {each.key for each in own.flows}
        assert len(keys) == len(self.flows)
        assert set(own.datapath.entries()) == keys
        assert self.returned + sum(self.flows.values()) == self.forwarded


TestExactlyOnce = Exchange.TestCase
TestExactlyOnce.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)


@pytest.fixture
def client() -> Client:
    world = World(REGISTRY)
    world.outside.add_device("p1")
    client = world.client()
    client.ask(DATAPATH, "new", new_datapath())
    return client


def test_other_requests_are_carried_out_once_too(client: Client) -> None:
    world = client.world
    (datapath,) = world.server.datapaths
    wanted = new_vport("p1") + Attributes(transaction=b"1")
    first = client.ask(VPORT, "new", wanted, datapath=datapath)
    again = world.client().ask(VPORT, "new", wanted, datapath=datapath)
    assert again.attributes == first.attributes
    gone = Attributes(port=1, transaction=b"2")
    client.ask(VPORT, "del", gone, datapath=datapath)
    world.restart()
    client = world.client(4711)
    again = client.ask(VPORT, "del", gone, datapath=datapath)
    assert again.command == "del" and again.attributes["name"] == "p1"
    assert again.port == 4711


def test_an_identity_is_for_one_request(client: Client) -> None:
    (datapath,) = client.world.server.datapaths
    client.ask(VPORT, "new", new_vport("p1") + Attributes(transaction=b"1"), datapath=datapath)
    other = Attributes(port=1, transaction=b"1")
    assert client.refused(VPORT, "del", other, datapath=datapath) == errno.EEXIST
    assert client.ask(VPORT, "get", Attributes(port=1), datapath=datapath)


def test_a_refusal_that_may_pass_is_not_kept(client: Client) -> None:
    world = client.world
    (datapath,) = world.server.datapaths
    device = world.outside.devices["p1"]
    world.outside.busy[device.port] = "bridge br0"
    wanted = new_vport("p1") + Attributes(transaction=b"1")
    assert client.refused(VPORT, "new", wanted, datapath=datapath) == errno.EBUSY
    world.outside.busy.clear()
    assert client.ask(VPORT, "new", wanted, datapath=datapath).attributes["port"] == 1


@pytest.mark.parametrize("cut", range(4))
def test_killed_anywhere_while_a_flow_is_added(client: Client, cut: int) -> None:
    """The records are written before the change is made: then both are there, or none."""
    world = client.world
    (datapath,) = world.server.datapaths
    client.ask(VPORT, "new", new_vport("p1"), datapath=datapath)
    before = world.memory.data
    entries = dict(world.outside.made["dp1"].entries())
    wanted = flow(1, 5, 0) + Attributes(transaction=b"1")
    client.request(FLOW, "new", wanted, datapath=datapath, flags=CREATE | ECHO)
    written = world.memory.data[len(before) :]
    assert any(isinstance(each, FlowKept) for each in records(written))
    world.memory.data = before + written[: len(written) * cut // 3]
    if cut < 3:
        # Not in force yet: the change comes after the last byte.
        (new,) = set(world.outside.made["dp1"].entries()) - set(entries)
        world.outside.made["dp1"].change([DeleteEntry(new)])
    world.restart()
    client = world.client()
    again = client.request(FLOW, "new", wanted, datapath=datapath, flags=CREATE | ECHO)
    assert isinstance(again[0], Message), again
    assert len(world.outside.made["dp1"].entries()) == 1


@pytest.mark.parametrize("done", [False, True])
def test_killed_while_a_flow_is_deleted(client: Client, done: bool) -> None:
    """Between the change and its record: the answer then has the statistics of just before."""
    world = client.world
    (datapath,) = world.server.datapaths
    client.ask(VPORT, "new", new_vport("p1"), datapath=datapath)
    client.request(FLOW, "new", flow(1, 5, 0), datapath=datapath, flags=CREATE)
    world.outside.engines["dp1"].process(1, frame(5))
    (entry,) = world.outside.made["dp1"].entries().values()
    appended: list[bytes] = []
    append = world.memory.append

    def note(kept: Sequence[Record]) -> None:
        append(kept)
        appended.append(world.memory.data)

    world.memory.append = note  # type: ignore[method-assign]
    gone = Attributes(key=flow(1, 5, 0)["key"], transaction=b"1")
    (answer,) = client.request(FLOW, "del", gone, datapath=datapath, flags=ECHO)
    world.memory.append = append  # type: ignore[method-assign]
    world.memory.data = appended[0]
    if not done:
        world.outside.made["dp1"].change([PutEntry(entry)])
        world.outside.engines["dp1"].process(1, frame(5))
    world.restart()
    client = world.client()
    (again,) = client.request(FLOW, "del", gone, datapath=datapath, flags=ECHO)
    assert without_address([again]) == without_address([answer])
    assert not world.outside.made["dp1"].entries()


def test_stored_answers_are_bounded() -> None:
    kept = Transactions(kept=3, kept_bytes=10_000)
    for number in range(5):
        kept.keep(Answered(bytes([number]), digest(b"x" * 16), (b"answer",)))
    assert [each.identity for each in kept] == [b"\2", b"\3", b"\4"]
    kept.keep(Answered(b"big", digest(b"x" * 16), (bytes(9_000),)))
    assert sum(len(each.answers[0]) for each in kept) <= 10_000
    assert kept.find(b"\0", b"x" * 16) is None
    with pytest.raises(NetlinkError):
        kept.find(b"big", b"another request!")


def test_an_answer_is_addressed_anew() -> None:
    header = bytes(4) + b"\x20\0\0\0" + b"1111" + b"2222" + b"rest"
    (again,) = addressed((header,), 7, 8)
    assert (
        again
        == bytes(4)
        + b"\x20\0\0\0"
        + (7).to_bytes(4, "little")
        + (8).to_bytes(4, "little")
        + b"rest"
    )
