"""Requests about flows with several faults: the first that the kernel finds is what is told.

The order is that of net/openvswitch/datapath.c: what has to be there, key and mask, actions, the
datapath, the flow.
"""

import errno

import pytest

from hotswitch.headers.registry import Registry
from hotswitch.netlink.attributes import NONE, Attributes
from hotswitch.netlink.families.datapath import DATAPATH
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.families.keys import Ethernet
from hotswitch.netlink.families.vport import VPORT
from hotswitch.netlink.flags import CREATE, ECHO
from tests.netlink.asked import flow, key, mask, new_datapath, new_vport
from tests.netlink.outside import Client, World

NOWHERE = 4711
UFID, KNOWN = Attributes(ufid=b"n" * 16), Attributes(ufid=b"k" * 16)

GOOD = Attributes(key=key(1, 6), mask=mask())
THERE = Attributes(key=key(1, 5), mask=mask())
BAD_KEY = Attributes(key=Attributes(in_port=1))  # no Ethernet header
BAD_MASK = Attributes(key=key(1, 6), mask=mask() + Attributes(priority=1))  # not in the key
DO, BAD = Attributes(actions=Attributes(output=2)), Attributes(actions=Attributes(trunc=1))


@pytest.fixture
def client(registry: Registry) -> Client:
    world = World(registry)
    for name in ("p1", "p2"):
        world.outside.add_device(name)
    return world.client()


@pytest.fixture
def datapath(client: Client) -> int:
    """With a flow for `THERE`, whose UFID is `KNOWN`, and one with a key for an identity."""
    number = client.ask(DATAPATH, "new", new_datapath()).datapath
    for name in ("p1", "p2"):
        client.ask(VPORT, "new", new_vport(name), datapath=number)
    client.ask(FLOW, "new", KNOWN + THERE + DO, datapath=number, flags=CREATE | ECHO)
    client.ask(FLOW, "new", flow(2, 5, 1), datapath=number, flags=CREATE | ECHO)
    return number


@pytest.mark.parametrize(
    ("command", "asked", "flags", "here", "nowhere"),
    [
        # Faults of the request itself come before the datapath, and that before the flow.
        ("new", GOOD, CREATE, "EINVAL no actions", "EINVAL no actions"),
        ("new", DO, CREATE, "EINVAL no key", "EINVAL no key"),
        ("new", BAD_KEY, CREATE, "EINVAL no actions", "EINVAL no actions"),
        ("new", BAD_KEY + DO, CREATE, "EINVAL key", "EINVAL key"),
        ("new", BAD_MASK + DO, CREATE, "EINVAL mask", "EINVAL mask"),
        ("new", BAD_KEY + BAD, CREATE, "EINVAL key", "EINVAL key"),
        ("new", GOOD + BAD, CREATE, "EINVAL actions", "EINVAL actions"),
        ("new", GOOD + DO, CREATE, "", "ENODEV"),
        ("new", THERE + DO, CREATE, "EEXIST", "ENODEV"),
        ("new", THERE + BAD, CREATE, "EINVAL actions", "EINVAL actions"),
        ("new", KNOWN + THERE + BAD, CREATE, "EINVAL actions", "EINVAL actions"),
        ("new", KNOWN + BAD_KEY + DO, CREATE, "EINVAL key", "EINVAL key"),
        ("new", KNOWN + BAD_MASK + BAD, 0, "EINVAL mask", "EINVAL mask"),
        # One that may change a flow finds it by either, but it has to be that flow.
        ("new", KNOWN + THERE + DO, 0, "", "ENODEV"),
        ("new", KNOWN + GOOD + DO, 0, "ENOENT", "ENODEV"),
        ("new", KNOWN + GOOD + DO, CREATE, "EEXIST", "ENODEV"),
        ("new", UFID + THERE + DO, 0, "", "ENODEV"),
        ("new", UFID + THERE + DO, CREATE, "EEXIST", "ENODEV"),
        ("new", UFID + flow(2, 5, 1), 0, "ENOENT", "ENODEV"),
        ("set", NONE, 0, "EINVAL nothing", "EINVAL nothing"),
        ("set", DO, 0, "EINVAL nothing", "EINVAL nothing"),
        ("set", BAD_KEY, 0, "EINVAL key", "EINVAL key"),
        ("set", KNOWN + BAD_KEY + DO, 0, "EINVAL key", "EINVAL key"),
        ("set", UFID + BAD_MASK + BAD, 0, "EINVAL mask", "EINVAL mask"),
        ("set", GOOD + BAD, 0, "EINVAL actions", "EINVAL actions"),
        ("set", UFID + THERE + BAD, 0, "EINVAL actions", "EINVAL actions"),
        ("set", GOOD + DO, 0, "ENOENT", "ENODEV"),
        ("set", UFID + THERE + DO, 0, "ENOENT", "ENODEV"),
        ("set", KNOWN + THERE + DO, 0, "", "ENODEV"),
        ("get", NONE, 0, "EINVAL nothing", "EINVAL nothing"),
        ("get", BAD_KEY, 0, "EINVAL key", "EINVAL key"),
        ("get", KNOWN + BAD_KEY, 0, "EINVAL key", "EINVAL key"),
        ("get", KNOWN + THERE, 0, "", "ENODEV"),
        ("get", Attributes(key=key(1, 6)), 0, "ENOENT", "ENODEV"),
        ("del", BAD_KEY, 0, "EINVAL key", "EINVAL key"),
        ("del", KNOWN + BAD_KEY, 0, "EINVAL key", "EINVAL key"),
        ("del", UFID, 0, "ENOENT", "ENODEV"),
        ("del", KNOWN + Attributes(key=key(1, 5)), 0, "", "ENODEV"),
        ("del", NONE, 0, "", "ENODEV"),
    ],
)  # fmt: skip
def test_the_first_fault(
    client: Client,
    datapath: int,
    command: str,
    asked: Attributes,
    flags: int,
    here: str,
    nowhere: str,
) -> None:
    assert _errno(client, command, asked, NOWHERE, flags) == _number(nowhere)
    before = list(client.world.server.records())
    assert _errno(client, command, asked, datapath, flags) == _number(here)
    if here:
        assert list(client.world.server.records()) == before


def _errno(client: Client, command: str, asked: Attributes, number: int, flags: int) -> int:
    found = client.request(FLOW, command, asked, datapath=number, flags=flags | 4)
    error: int = found[-1].error  # type: ignore[union-attr]
    return error


def _number(said: str) -> int:
    return int(getattr(errno, said.split()[0])) if said else 0


def test_what_may_change_a_flow_changes_it(client: Client, datapath: int) -> None:
    """Without CREATE, a flow with the same masked key gets the actions; its UFID stays."""
    asked = UFID + THERE + Attributes(actions=Attributes(output=1))
    client.request(FLOW, "new", asked, datapath=datapath)
    changed = client.ask(FLOW, "get", KNOWN, datapath=datapath).attributes
    assert changed["actions"] == Attributes(output=1) and changed["ufid"] == b"k" * 16


def test_what_the_mask_leaves_out_names_the_flow(client: Client, datapath: int) -> None:
    """A key with what can't be matched here names the flow that was made with it all the same."""
    ethernet = Ethernet.value(src=0, dst=9)
    odd = Attributes(in_port=1, ethernet=ethernet, ct_state=1)
    seen = Attributes(in_port=0xFFFFFFFF, ethernet=Ethernet.value(src=0, dst=1))
    client.ask(
        FLOW, "new", Attributes(key=odd, mask=seen) + DO, datapath=datapath, flags=CREATE | ECHO
    )
    assert client.ask(FLOW, "get", Attributes(key=odd), datapath=datapath)
    other = Attributes(in_port=2, ethernet=ethernet, ct_state=1)
    assert client.refused(FLOW, "get", Attributes(key=other), datapath=datapath) == errno.ENOENT
