"""The recorded requests again: the server answers as the kernel did.

What is compared: how many answers and of what kind, their order, flags, sequence numbers, errno,
attributes in their order, and their values. What differs, and why, is in `REFUSED`, `MACHINE` and
`TRAFFIC`, and in docs/netlink.md for people.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any, NamedTuple

import pytest

from hotswitch.headers.registry import Registry
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.message import Acknowledgement, Message, Received
from tests.netlink.outside import Client, World
from tests.netlink.recorded import NAMES, recording

REFUSED = {
    "key.ct_state": 2,
    "key.ct_zone": 1,
    "key.ct_mark": 1,
    "key.ct_labels": 1,
    "key.ct_tuple_ipv4": 1,
    "key.ct_tuple_ipv6": 1,
    "actions.ct": 4,
    "actions.ct_clear": 1,
    "actions.add_mpls": 1,
    "ovs_meter": 8,
    "ovs_ct_limit": 1,
}
"""What hotswitch can't do, so often asked for in the recordings. Then there are no such flows to
ask about or to delete."""

FOLLOWING = 18
"""Requests about flows that were refused."""

MACHINE = {"ifindex", "megaflow_statistics", "masks_cache_size", "family_id", "groups"}
"""Attributes whose values depend on the machine, or on the cache that hotswitch does not have."""
LATER = {"maximum_attribute"}
"""Those that count what the kernel knows; newer kernels know more."""
TRAFFIC = {"statistics", "used"}
"""Attributes that depend on what was forwarded; where nothing was they are left out of flows."""


class Asked(NamedTuple):
    """A recorded request, and what the kernel answered."""

    message: Message
    answers: list[Received]


def _asked(name: str) -> list[Asked]:
    found: list[Asked] = []
    latest: dict[tuple[int, int], Asked] = {}
    for each in recording(name):
        message = each.message
        if isinstance(message, Message) and message.flags & 1:
            found.append(Asked(message, []))
            latest[message.port, message.sequence] = found[-1]
        elif message.port:
            answers = latest[message.port, message.sequence].answers
            # What went to the group's members too was recorded more than once.
            if message.flags & 2 or message not in answers:
                answers.append(message)
    return found


def _shape(answer: Received) -> tuple[Any, ...]:
    names = tuple(each for each in answer.attributes.names if each not in TRAFFIC)
    command = getattr(answer, "command", "")
    error = getattr(answer, "error", 0)
    return type(answer), command, error, answer.flags, answer.sequence, answer.port, names


def _values(answer: Received) -> list[tuple[Any, Any]]:
    left_out = MACHINE | TRAFFIC | LATER
    return [pair for pair in answer.attributes if pair[0] not in left_out]


def _reason(answers: list[Received]) -> str:
    """What the refusal names, without the place of an action."""
    (answer,) = answers
    assert isinstance(answer, Acknowledgement)
    said = str(answer.attributes["message"])
    if answer.error == 95:
        return said.partition(":")[0]
    assert answer.error == 22 and "; it takes" in said, said
    path = said.partition(":")[0].split(".")[:2]
    return ".".join(path).partition("[")[0]


def _is_newer(message: Message) -> bool:
    """What newer kernels than the recorded one take: OVS_HASH_ALG_SYM_L4, since Linux 6.6."""
    actions = message.attributes.get("actions", Attributes())
    return "hash" in actions and actions["hash"].algorithm == 1


class Replay:
    """A client for each port id, and the datapaths' numbers, which are others here."""

    def __init__(self, registry: Registry) -> None:
        self.world = World(registry)
        for name in ("p1", "p2"):
            self.world.outside.add_device(name)
        self.clients: dict[int, Client] = {}
        self.numbers: dict[int, int] = {}
        self.refused: list[Message] = []
        self.reasons: Counter[str] = Counter()
        self.following = 0
        self.newer = 0

    def run(self, asked: Asked) -> None:
        message = asked.message
        client = self.clients.get(message.port) or self._new_client(message.port)
        ours = dataclasses.replace(
            message, datapath=self.numbers.get(message.datapath, message.datapath)
        )
        answers = client.send(self.world.codec.encode(ours))
        self._learn(asked, answers)
        if list(map(_shape, answers)) == list(map(_shape, asked.answers)):
            self._compare(asked.answers, answers)
        elif message.command in ("get", "del") and self._was_refused(message):
            assert [getattr(each, "error", 0) for each in answers] == [2]
            self.following += 1
        elif not answers and _is_newer(message):
            self.newer += 1
        else:
            client.session.extended = True
            (again,) = client.send(self.world.codec.encode(ours))
            client.session.extended = False
            self.reasons[_reason([again])] += 1
            self.refused.append(message)

    def _new_client(self, port: int) -> Client:
        self.clients[port] = self.world.client(port)
        return self.clients[port]

    def _learn(self, asked: Asked, answers: list[Received]) -> None:
        if (asked.message.family.name, asked.message.command) == ("ovs_datapath", "new"):
            for theirs, ours in zip(asked.answers, answers, strict=True):
                if isinstance(theirs, Message) and isinstance(ours, Message):
                    self.numbers[theirs.datapath] = ours.datapath

    def _was_refused(self, message: Message) -> bool:
        key = message.attributes.get("key")
        return key is not None and any(each.attributes.get("key") == key for each in self.refused)

    def _compare(self, theirs: list[Received], ours: list[Received]) -> None:
        theirs_values, ours_values = list(map(_values, theirs)), list(map(_values, ours))
        if any(isinstance(each, Message) and each.family is FLOW for each in theirs):
            # A listing of flows is in the order of the kernel's hash.
            theirs_values.sort(key=repr)
            ours_values.sort(key=repr)
        assert ours_values == theirs_values


@pytest.mark.parametrize("name", NAMES)
def test_the_server_answers_as_the_kernel(registry: Registry, name: str) -> None:
    replay = Replay(registry)
    asked = _asked(name)
    assert len(asked) == {"dpctl": 719, "vswitchd": 426}[name]
    for each in asked:
        replay.run(each)
    if name == "dpctl":
        assert replay.reasons == {"ovs_ct_limit": 1}
        assert replay.following == 0
    else:
        rest = {key: number for key, number in REFUSED.items() if key != "ovs_ct_limit"}
        assert replay.reasons == rest
        assert replay.newer == 1
        assert replay.following == FOLLOWING
