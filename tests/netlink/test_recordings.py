"""Real messages: every one is understood whole, and is written again as it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.codec import Codec
from hotswitch.netlink.families.controller import CONTROLLER
from hotswitch.netlink.families.socket import SOCKET
from hotswitch.netlink.family import Family
from hotswitch.netlink.message import HEADER_SIZE, Acknowledgement, Done, Message
from tests.netlink.recorded import NAMES, everything, recording

MESSAGES = {"dpctl": 1550, "vswitchd": 858}


def _nameless(value: Any, where: str = "") -> Iterator[str]:
    """The attributes for which the table has no name."""
    if isinstance(value, Attributes):
        for name, inner in value:
            if isinstance(name, int) and not where.endswith(("operations", "groups", "bands")):
                yield f"{where}.{name}"
            yield from _nameless(inner, f"{where}.{name}")


@pytest.mark.parametrize("name", NAMES)
def test_all_of_it_has_names(name: str) -> None:
    found = recording(name)
    assert len(found) == MESSAGES[name]
    for each in found:
        message = each.message
        assert isinstance(message, Message | Acknowledgement | Done)
        assert list(_nameless(message.attributes)) == []


@pytest.mark.parametrize("name", NAMES)
def test_it_is_written_as_it_was(name: str) -> None:
    for each in recording(name):
        assert each.codec.encode(each.message) == each.data


def test_refused_requests_are_whole_in_their_acknowledgements() -> None:
    refused = [each for each in everything() if isinstance(each.message, Acknowledgement)]
    assert len(refused) == 600
    for each in refused:
        assert isinstance(each.message, Acknowledgement)
        if each.message.error:
            request = each.codec.decode(each.message.request)
            assert each.codec.encode(request) == each.message.request
        else:
            assert len(each.message.request) == HEADER_SIZE


def test_the_recordings_have_what_they_should() -> None:
    kinds: Counter[str] = Counter()
    for each in everything():
        if isinstance(each.message, Message):
            kinds[f"{each.message.family.name}.{each.message.command}"] += 1
    assert kinds["ovs_packet.miss"] == 4
    assert kinds["ovs_packet.execute"] == 10
    assert kinds["ovs_meter.set"] == 4
    assert kinds["ovs_ct_limit.get"] == 2
    assert kinds["ovs_flow.new"] == 33


def _announced(codec: Codec) -> Iterator[tuple[Family, Attributes]]:
    by_name = {family.name: family for family in codec.families.values()}
    for each in everything():
        if isinstance(each.message, Message) and each.message.command == "newfamily":
            yield by_name[each.message.attributes["family_name"]], each.message.attributes


def test_the_kernel_announces_the_commands_of_the_table() -> None:
    seen = set()
    for family, said in _announced(Codec()):
        seen.add(family.name)
        operations = {each["id"]: each["flags"] for _, each in said["operations"]}
        assert operations == {each.number: each.flags for each in family.commands if each.flags}
        assert said["version"] == family.version
        assert said["header_size"] == family.header
        groups = tuple(each["name"] for _, each in said.get("groups", Attributes()))
        assert groups == family.groups
    own = {CONTROLLER.name, SOCKET.name}
    assert seen == {family.name for family in Codec().families.values()} - own
