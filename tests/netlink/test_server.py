"""The server's core: what is answered, told and kept."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest

from hotswitch.headers.registry import Registry
from hotswitch.netlink.attributes import NONE, Attributes
from hotswitch.netlink.families.actions import ALWAYS
from hotswitch.netlink.families.controller import CONTROLLER
from hotswitch.netlink.families.ct_limit import CT_LIMIT
from hotswitch.netlink.families.datapath import DATAPATH, PER_CPU
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.families.meter import METER
from hotswitch.netlink.families.packet import PACKET
from hotswitch.netlink.families.socket import SOCKET
from hotswitch.netlink.families.vport import GENEVE, GRE, INTERNAL, VPORT, VXLAN
from hotswitch.netlink.flags import ACK, CREATE, DUMP, DUMP_INTERRUPTED, ECHO, REQUEST
from hotswitch.netlink.message import Acknowledgement, Done, Message, Received, split
from hotswitch.netlink.server.session import EVENTS, PACKETS
from tests.netlink.asked import flow, frame, key, mask, new_datapath, new_vport
from tests.netlink.outside import Client, World


@pytest.fixture
def world(registry: Registry) -> World:
    world = World(registry)
    for name in ("p1", "p2"):
        world.outside.add_device(name)
    return world


@pytest.fixture
def client(world: World) -> Client:
    return world.client()


@pytest.fixture
def datapath(client: Client) -> int:
    """One with the ports 1 (p1) and 2 (p2)."""
    number = client.ask(DATAPATH, "new", new_datapath()).datapath
    for name in ("p1", "p2"):
        client.ask(VPORT, "new", new_vport(name), datapath=number)
    return number


def group(client: Client, name: str) -> int:
    answer = client.ask(CONTROLLER, "getfamily", Attributes(family_name=name))
    return int(answer.attributes["groups"][1]["id"])


def listed(client: Client, datapath: int) -> list[Message]:
    *found, done = client.request(FLOW, "get", datapath=datapath, flags=DUMP)
    assert isinstance(done, Done) and done.error == 0
    return [each for each in found if isinstance(each, Message)]


# One answer to each request


def test_what_is_answered_depends_on_what_is_asked_for(client: Client, datapath: int) -> None:
    def answers(flags: int, dst: int) -> list[str]:
        found = client.request(FLOW, "new", flow(1, dst, 2), datapath=datapath, flags=flags)
        return [type(each).__name__ for each in found]

    assert answers(CREATE, 1) == []
    assert answers(CREATE | ACK, 2) == ["Acknowledgement"]
    assert answers(CREATE | ECHO, 3) == ["Message"]
    assert answers(CREATE | ECHO | ACK, 4) == ["Message", "Acknowledgement"]
    assert answers(CREATE, 4) == ["Acknowledgement"]  # there is one


def test_a_request_that_is_not_netlink_is_refused(client: Client) -> None:
    (answer,) = client.send(b"GET / HTTP/1.1\r\n\r\n")
    assert isinstance(answer, Acknowledgement)
    assert answer.error == errno.EINVAL
    (answer,) = client.send(b"x")
    assert isinstance(answer, Acknowledgement)
    assert answer.error == errno.EINVAL


@pytest.mark.parametrize(
    ("family", "command", "attributes", "error"),
    [
        (DATAPATH, "get", Attributes(name="none"), errno.ENODEV),
        (DATAPATH, "new", Attributes(name="dp2"), errno.EINVAL),
        (DATAPATH, "new", new_datapath("p1"), errno.EEXIST),
        (DATAPATH, "new", new_datapath("dp1"), errno.EEXIST),
        (DATAPATH, "new", new_datapath("dp2", user_features=4), errno.EOPNOTSUPP),
        (DATAPATH, "set", Attributes(name="dp1", masks_cache_size=256), errno.EOPNOTSUPP),
        (VPORT, "get", Attributes(name="none"), errno.ENODEV),
        (VPORT, "get", Attributes(port=9), errno.ENODEV),
        (VPORT, "get", Attributes(port=0xFFFF), errno.EFBIG),
        (VPORT, "get", NONE, errno.EINVAL),
        (VPORT, "get", Attributes(ifindex=1), errno.EOPNOTSUPP),
        (VPORT, "new", new_vport("none"), errno.ENODEV),
        (VPORT, "new", new_vport("p1"), errno.EBUSY),
        (VPORT, "new", new_vport("dp1", INTERNAL), errno.EEXIST),
        (VPORT, "new", new_vport("dp1"), errno.EINVAL),
        (VPORT, "new", new_vport("vx", VXLAN), errno.EINVAL),
        (VPORT, "new", new_vport("gn", GENEVE), errno.EAFNOSUPPORT),
        (VPORT, "new", new_vport("gr", GRE), errno.EAFNOSUPPORT),
        (VPORT, "new", new_vport("p3", port=1), errno.EBUSY),
        (VPORT, "new", new_vport("p3", port=0xFFFF), errno.EFBIG),
        (VPORT, "del", Attributes(port=0), errno.EINVAL),
        (VPORT, "set", Attributes(port=1, type=INTERNAL), errno.EINVAL),
        (FLOW, "get", Attributes(key=key(1)), errno.ENOENT),
        (FLOW, "del", Attributes(ufid=b"1"), errno.ENOENT),
        (FLOW, "set", Attributes(key=key(1)), errno.ENOENT),
        (FLOW, "get", NONE, errno.EINVAL),
        (FLOW, "new", Attributes(key=key(1)), errno.EINVAL),
        (FLOW, "new", Attributes(key=key(1), actions=Attributes(meter=1)), errno.EINVAL),
        (METER, "features", NONE, errno.EOPNOTSUPP),
        (METER, "set", Attributes(id=1), errno.EOPNOTSUPP),
        (CT_LIMIT, "get", NONE, errno.EOPNOTSUPP),
        (CONTROLLER, "getfamily", Attributes(family_name="none"), errno.ENOENT),
        (SOCKET, "join", Attributes(group=99), errno.ENOENT),
        (PACKET, "miss", NONE, errno.EOPNOTSUPP),
    ],
)  # fmt: skip
def test_what_can_not_be_done_is_refused_and_changes_nothing(
    world: World,
    client: Client,
    datapath: int,
    family: object,
    command: str,
    attributes: Attributes,
    error: int,
) -> None:
    world.outside.add_device("p3")
    before = list(world.server.records())
    found = client.refused(family, command, attributes, datapath=datapath)  # type: ignore[arg-type]
    assert found == error
    assert list(world.server.records()) == before
    assert not world.outside.devices["p3"].promiscuous


def test_a_refusal_says_which_attribute(client: Client, datapath: int) -> None:
    client.request(SOCKET, "option", Attributes(extended=True))
    wanted = Attributes(key=key(1), mask=mask(), actions=Attributes(ct_clear=True))
    (answer,) = client.request(FLOW, "new", wanted, datapath=datapath)
    assert isinstance(answer, Acknowledgement)
    assert str(answer.attributes["message"]).startswith("actions.ct_clear[0]: not supported")
    assert answer.attributes["offset"] > 24


def test_a_refusal_names_the_number_that_was_sent(client: Client) -> None:
    client.request(SOCKET, "option", Attributes(extended=True))
    (answer,) = client.request(DATAPATH, "get", datapath=-1)
    assert isinstance(answer, Acknowledgement)
    assert answer.attributes["message"] == "there is no datapath 4294967295"


def test_a_device_of_a_bridge_is_busy(world: World, client: Client, datapath: int) -> None:
    device = world.outside.add_device("p3")
    world.outside.busy[device.port] = "bridge br0"
    assert client.refused(VPORT, "new", new_vport("p3"), datapath=datapath) == errno.EBUSY


def test_many_messages_in_a_datagram(world: World, client: Client, datapath: int) -> None:
    both = b"".join(
        world.codec.encode(
            Message(FLOW, "new", flow(1, dst, 2), datapath, 1 | ACK | CREATE, sequence)
        )
        for sequence, dst in ((7, 1), (8, 2))
    )
    answers = client.send(both)
    assert [each.sequence for each in answers] == [7, 8]
    assert len(listed(client, datapath)) == 2


# Ports


def test_an_internal_port_has_a_device_of_its_own(
    world: World, client: Client, datapath: int
) -> None:
    made = client.ask(VPORT, "new", new_vport("int0", INTERNAL), datapath=datapath)
    assert made.attributes["port"] == 3
    assert made.attributes["ifindex"] == world.outside.devices["int0"].index
    client.ask(VPORT, "del", Attributes(port=3), datapath=datapath)
    assert "int0" not in world.outside.devices


def test_a_port_goes_with_its_device(world: World, client: Client, datapath: int) -> None:
    client.request(SOCKET, "join", Attributes(group=group(client, "ovs_vport")))
    del world.outside.devices["p1"]
    world.server.links_changed()
    (event,) = client.received()
    assert isinstance(event, Message)
    assert (event.command, event.datapath, event.sequence) == ("del", datapath, 0)
    assert (event.attributes["name"], event.attributes["port"]) == ("p1", 1)
    assert client.refused(VPORT, "get", Attributes(port=1), datapath=datapath) == errno.ENODEV


def test_a_port_follows_its_device_s_name(world: World, client: Client, datapath: int) -> None:
    import dataclasses

    device = world.outside.devices.pop("p1")
    world.outside.devices["uplink"] = dataclasses.replace(device, name="uplink")
    world.server.links_changed()
    assert client.ask(VPORT, "get", Attributes(name="uplink")).attributes["port"] == 1
    world.restart()
    client = world.client()
    assert client.ask(VPORT, "get", Attributes(name="uplink")).attributes["port"] == 1


def test_deleting_a_datapath_leaves_nothing(world: World, client: Client, datapath: int) -> None:
    client.ask(VPORT, "new", new_vport("int0", INTERNAL), datapath=datapath)
    client.ask(DATAPATH, "del", datapath=datapath)
    assert world.outside.made == {}
    assert sorted(world.outside.devices) == ["p1", "p2"]
    assert not world.outside.devices["p1"].promiscuous
    assert list(world.server.records()) == []


# Flows


def test_a_deleted_flow_s_statistics_are_returned(
    world: World, client: Client, datapath: int
) -> None:
    client.request(FLOW, "new", flow(1, 5, 2, b"u" * 16), datapath=datapath, flags=CREATE)
    world.clock.advance(7_000_000)
    for _ in range(3):
        world.outside.engines["dp1"].process(1, frame(5))
    gone = client.ask(FLOW, "del", Attributes(ufid=b"u" * 16), datapath=datapath)
    assert gone.attributes["statistics"] == (3, 180)
    assert gone.attributes["used"] == world.clock.now() // 1_000_000
    assert gone.attributes["actions"] == Attributes(output=2)
    assert listed(client, datapath) == []


def test_other_actions_and_what_was_counted(world: World, client: Client, datapath: int) -> None:
    client.request(FLOW, "new", flow(1, 5, 2), datapath=datapath, flags=CREATE)
    world.outside.engines["dp1"].process(1, frame(5))
    named = Attributes(key=key(1, 5), mask=mask())
    changed = client.ask(FLOW, "set", named + Attributes(actions=NONE), datapath=datapath)
    assert changed.attributes["actions"] == NONE
    assert changed.attributes["statistics"].packets == 1
    cleared = client.ask(FLOW, "set", named + Attributes(clear=True), datapath=datapath)
    assert "statistics" not in cleared.attributes
    assert cleared.attributes["actions"] == NONE
    again = client.ask(FLOW, "new", flow(1, 5, 2), datapath=datapath)  # without CREATE
    assert again.attributes["actions"] == Attributes(output=2)


def test_two_flows_do_not_share_a_match(client: Client, datapath: int) -> None:
    client.request(FLOW, "new", flow(1, 5, 2, b"a" * 16), datapath=datapath, flags=CREATE)
    twin = flow(1, 5, 2, b"b" * 16)
    assert client.refused(FLOW, "new", twin, datapath=datapath, flags=CREATE) == errno.EEXIST
    (shown,) = client.request(FLOW, "new", twin, datapath=datapath, flags=ECHO)
    assert shown.attributes["ufid"] == b"a" * 16  # type: ignore[union-attr]


def test_all_flows_are_deleted_at_once(client: Client, datapath: int) -> None:
    for dst in range(5):
        client.request(FLOW, "new", flow(1, dst, 2), datapath=datapath, flags=CREATE)
    assert client.request(FLOW, "del", datapath=datapath, flags=0) == []
    assert listed(client, datapath) == []


# Listings


def parts(client: Client, datapath: int, limit: int) -> list[list[Received]]:
    found = []
    cursor = b""
    while True:
        asked = Attributes(cursor=cursor, limit=limit)
        answers = client.request(FLOW, "get", asked, datapath=datapath)
        found.append(answers)
        assert isinstance(answers[-1], Done), answers
        cursor = answers[-2].attributes.get("cursor") if len(answers) > 1 else None
        if cursor is None:
            return found


@pytest.mark.parametrize("limit", [600, 1000, 8192, 1 << 20])
def test_a_listing_through_a_buffer_of_any_size(
    world: World, client: Client, datapath: int, limit: int
) -> None:
    for dst in range(1, 40):
        client.request(FLOW, "new", flow(1, dst, 2), datapath=datapath, flags=CREATE)
    found = [
        each.attributes["key"]["ethernet"].dst
        for part in parts(client, datapath, limit)
        for each in part[:-1]
    ]
    assert found == list(range(1, 40))
    for part in parts(client, datapath, limit):
        assert sum(len(world.codec.encode(each)) for each in part) <= limit


def test_a_buffer_that_holds_none_is_too_small(client: Client, datapath: int) -> None:
    client.request(FLOW, "new", flow(1, 1, 2), datapath=datapath, flags=CREATE)
    asked = Attributes(cursor=b"", limit=100)
    assert client.refused(FLOW, "get", asked, datapath=datapath) == errno.EMSGSIZE
    asked = Attributes(cursor=b"nonsense")
    assert client.refused(FLOW, "get", asked, datapath=datapath) == errno.EINVAL


def test_what_stays_is_listed_once_and_a_change_is_told(
    world: World, client: Client, datapath: int
) -> None:
    for dst in range(1, 31):
        client.request(FLOW, "new", flow(1, dst, 2), datapath=datapath, flags=CREATE)
    seen: list[int] = []
    interrupted = []
    cursor = b""
    while cursor is not None:
        asked = Attributes(cursor=cursor, limit=1200)
        *found, done = client.request(FLOW, "get", asked, datapath=datapath)
        seen += [each.attributes["key"]["ethernet"].dst for each in found]
        interrupted.append(bool(done.flags & DUMP_INTERRUPTED))
        cursor = found[-1].attributes.get("cursor") if found else None
        if len(interrupted) == 3:
            gone = Attributes(key=key(1, seen[-1]))
            client.request(FLOW, "del", gone, datapath=datapath, flags=0)
            client.request(FLOW, "new", flow(1, 99, 2), datapath=datapath, flags=CREATE)
            world.restart()
            client = world.client()
    assert seen == [*range(1, 31), 99]
    assert interrupted[:3] == [False] * 3 and all(interrupted[3:])


def test_a_plain_listing_goes_on_part_by_part(world: World, client: Client, datapath: int) -> None:
    for dst in range(1, 200):
        client.request(FLOW, "new", flow(1, dst, 2), datapath=datapath, flags=CREATE)
    message = Message(FLOW, "get", NONE, datapath, 1 | DUMP, 77)
    session, server = client.session, world.server
    server.receive(session, world.codec.encode(message))
    count = 0
    while session.dump is not None:
        assert len(session.answers) == 1  # one part, until it has been taken
        assert len(session.take() or b"") <= 8192
        count += 1
        if count == 2:
            other = world.client()
            other.request(FLOW, "del", Attributes(key=key(1, 199)), datapath=datapath)
        server.more(session)
    assert count > 5
    assert client.received()[-1].flags & DUMP_INTERRUPTED


def test_families_and_policies_are_listed(client: Client) -> None:
    found = client.request(CONTROLLER, "getfamily", flags=DUMP)
    names = [each.attributes["family_name"] for each in found[:-1]]
    assert names[0] == "nlctrl" and names[-1] == "hs_socket" and "ovs_flow" in names
    asked = Attributes(family_name="ovs_flow")
    assert len(client.request(CONTROLLER, "getpolicy", asked, flags=DUMP)) > 20


# Events


def test_members_hear_of_changes_and_the_asker_once(
    world: World, client: Client, datapath: int
) -> None:
    other = world.client()
    for each in (client, other):
        each.request(SOCKET, "join", Attributes(group=group(each, "ovs_flow")))
    answers = client.request(
        FLOW, "new", flow(1, 5, 2), datapath=datapath, flags=CREATE | ECHO | ACK
    )
    assert [type(each).__name__ for each in answers] == ["Message", "Acknowledgement"]
    (event,) = other.received()
    assert event == answers[0]
    client.request(FLOW, "del", Attributes(key=key(1, 5)), datapath=datapath, flags=0)
    assert [each.command for each in other.received()] == ["del"]  # type: ignore[union-attr]
    other.request(SOCKET, "leave", Attributes(group=group(other, "ovs_flow")))
    client.request(FLOW, "new", flow(1, 5, 2), datapath=datapath, flags=CREATE)
    assert other.received() == []


def test_a_slow_reader_is_told_once_that_events_are_lost(
    world: World, client: Client, datapath: int
) -> None:
    slow = world.client()
    slow.request(SOCKET, "join", Attributes(group=group(slow, "ovs_vport")))
    for _ in range(EVENTS // 100):
        client.request(VPORT, "set", Attributes(port=1), datapath=datapath)
    found = slow.received()
    errors = [each for each in found if isinstance(each, Acknowledgement)]
    assert [(each.error, each.sequence) for each in errors] == [(errno.ENOBUFS, 0)]
    assert found[0] is errors[0]
    assert slow.ask(VPORT, "get", Attributes(port=1), datapath=datapath)
    client.request(VPORT, "set", Attributes(port=1), datapath=datapath)
    assert len(slow.received()) == 1


def test_several_answers_come_in_one_datagram_to_who_says_so(
    world: World, client: Client, datapath: int
) -> None:
    asked = [
        world.codec.encode(Message(VPORT, "get", Attributes(port=port), datapath, 1, port + 1))
        for port in (0, 1, 2)
    ]
    server, session = world.server, client.session
    for options, datagrams in ((NONE, 3), (Attributes(together=True), 1)):
        client.request(SOCKET, "option", options)
        for each in asked:
            server.receive(session, each)
        taken = []
        while (data := session.take()) is not None:
            taken.append(data)
        assert len(taken) == datagrams
        answers = [world.codec.decode(each) for data in taken for each in split(data)]
        assert [each.sequence for each in answers] == [1, 2, 3]


# Packets


def test_a_slow_reader_is_told_once_that_packets_are_lost(
    world: World, client: Client, datapath: int
) -> None:
    slow = world.client()
    said = Attributes(port=1, upcall_pid=(slow.session.port,))
    client.ask(VPORT, "set", said, datapath=datapath)
    own = world.server.datapaths[datapath]
    long = frame(7) + bytes(60_000)
    for _ in range(2):
        lost_before = own.lost
        for _ in range(PACKETS // len(long) + 5):
            world.outside.engines["dp1"].process(1, long)
        world.server.upcalls(own)
        lost = own.lost - lost_before
        assert lost >= 4
        first, *rest = slow.received()
        assert isinstance(first, Acknowledgement)
        assert (first.error, first.sequence) == (errno.ENOBUFS, 0)
        assert all(isinstance(each, Message) and each.command == "miss" for each in rest)
        assert len(rest) == PACKETS // len(long) + 5 - lost


def test_who_may_have_lost_packets_on_their_way_is_told_once(
    world: World, client: Client, datapath: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packets for which the ring buffer had no room: whose they were, nobody knows."""
    named, by_action, other = world.client(), world.client(), world.client()
    client.ask(
        VPORT, "set", Attributes(port=1, upcall_pid=(named.session.port,)), datapath=datapath
    )
    to_user = Attributes(userspace=Attributes(pid=by_action.session.port))
    wanted = Attributes(key=key(1, 7), mask=mask(), actions=to_user)
    client.ask(FLOW, "new", wanted, datapath=datapath, flags=CREATE | ECHO)
    world.outside.engines["dp1"].process(1, frame(7))
    own = world.server.datapaths[datapath]
    world.server.upcalls(own)
    assert len(by_action.received()) == 1
    for lost in (3, 8):
        counters = replace(own.datapath.counters(), lost=lost)
        monkeypatch.setattr(world.outside.made["dp1"], "counters", lambda it=counters: it)
        for _ in range(2):
            world.server.upcalls(own)
        assert world.server.reached() >= {named.session, by_action.session}
        for each in (named, by_action):
            (told,) = each.received()
            assert isinstance(told, Acknowledgement)
            assert (told.error, told.sequence) == (errno.ENOBUFS, 0)
        world.server.upcalls(own)
        assert not named.received() and not other.received()
    world.server.disconnect(by_action.session)
    monkeypatch.setattr(world.outside.made["dp1"], "counters", lambda: replace(counters, lost=9))
    world.server.upcalls(own)
    assert world.server.reached() == {named.session}


def test_a_packet_longer_than_an_attribute_is_cut_off(
    world: World, client: Client, datapath: int
) -> None:
    hearer = world.client()
    said = Attributes(port=1, upcall_pid=(hearer.session.port,))
    client.ask(VPORT, "set", said, datapath=datapath)
    whole = frame(7) + bytes(0xFFFF - len(frame(7)))
    world.outside.engines["dp1"].process(1, whole)
    world.server.upcalls(world.server.datapaths[datapath])
    (miss,) = hearer.received()
    assert isinstance(miss, Message) and miss.attributes["length"] == 0xFFFF
    assert miss.attributes["packet"] == whole[: 0xFFFF - 4]


def test_misses_go_to_who_wants_them(world: World, client: Client, datapath: int) -> None:
    hearer = world.client()
    port = hearer.session.port
    own = world.server.datapaths[datapath]
    engine = world.outside.engines["dp1"]
    engine.process(1, frame(7))
    world.server.upcalls(own)
    assert hearer.received() == []
    client.ask(VPORT, "set", Attributes(port=1, upcall_pid=(port,)), datapath=datapath)
    engine.process(1, frame(7))
    engine.process(2, frame(8))
    world.server.upcalls(own)
    (miss,) = hearer.received()
    assert isinstance(miss, Message)
    assert (miss.command, miss.datapath, miss.port, miss.sequence) == ("miss", datapath, 0, 0)
    assert miss.attributes["packet"] == frame(7)
    assert miss.attributes["key"]["in_port"] == 1
    assert miss.attributes.names == ("key", "hash", "packet")
    told = client.ask(DATAPATH, "get", datapath=datapath).attributes["statistics"]
    assert (told.hit, told.missed, told.lost) == (0, 3, 2)


def test_packets_of_a_flow_s_action(world: World, client: Client, datapath: int) -> None:
    hearer = world.client()
    userspace = Attributes(pid=hearer.session.port, userdata=b"cookie")
    wanted = Attributes(
        key=key(1, 7), mask=mask(), actions=Attributes(trunc=20, userspace=userspace)
    )
    client.request(FLOW, "new", wanted, datapath=datapath, flags=CREATE)
    world.restart()
    hearer = world.client(hearer.session.port)
    world.outside.engines["dp1"].process(1, frame(7))
    world.server.upcalls(world.server.datapaths[datapath])
    (sent,) = hearer.received()
    assert isinstance(sent, Message) and sent.command == "action"
    assert sent.attributes["userdata"] == b"cookie"
    assert sent.attributes["packet"] == frame(7)[:20]
    assert sent.attributes["length"] == len(frame(7))


@pytest.mark.parametrize("nested", [False, True])
def test_the_actions_go_with_a_packet_where_that_is_asked_for(
    world: World, client: Client, datapath: int, nested: bool
) -> None:
    """Those of the list that the action is in, as in the kernel (do_execute_actions)."""
    hearer = world.client()
    asked = Attributes(pid=hearer.session.port, userdata=b"x", actions=True)
    around = Attributes(userspace=asked)
    actions = (
        Attributes(sample=Attributes(probability=ALWAYS, actions=around)) if nested else around
    )
    actions += Attributes(output=2)
    wanted = Attributes(key=key(1, 7), mask=mask(), actions=actions)
    client.request(FLOW, "new", wanted, datapath=datapath, flags=CREATE)
    world.outside.engines["dp1"].process(1, frame(7))
    world.server.upcalls(world.server.datapaths[datapath])
    given = Attributes(packet=frame(7), key=Attributes(in_port=1), actions=actions)
    assert client.request(PACKET, "execute", given, datapath=datapath) == []
    for sent in hearer.received():
        assert isinstance(sent, Message) and sent.command == "action"
        assert sent.attributes.names == ("key", "userdata", "actions", "hash", "packet")
        assert sent.attributes["actions"] == (around if nested else actions)
    assert len(world.outside.sent) == 1


def test_a_packet_is_carried_out(world: World, client: Client, datapath: int) -> None:
    actions = Attributes(output=2)
    given = Attributes(packet=frame(7), key=Attributes(in_port=1), actions=actions)
    assert client.request(PACKET, "execute", given, datapath=datapath) == []
    assert world.outside.sent == [(world.outside.devices["p2"].port, frame(7))]


def test_a_packet_goes_through_the_pipeline(world: World, client: Client, datapath: int) -> None:
    """recirc(0) is how a client asks for that: a flow takes the packet, or it is a miss."""
    hearer = world.client()
    pids = (hearer.session.port,)
    client.ask(VPORT, "set", Attributes(port=1, upcall_pid=pids), datapath=datapath)
    client.request(FLOW, "new", flow(1, 7, 2), datapath=datapath, flags=CREATE)
    for dst in (7, 8):
        given = Attributes(
            packet=frame(dst), key=Attributes(in_port=1), actions=Attributes(recirc=0)
        )
        assert client.request(PACKET, "execute", given, datapath=datapath) == []
    assert world.outside.sent == [(world.outside.devices["p2"].port, frame(7))]
    (missed,) = hearer.received()
    assert isinstance(missed, Message) and missed.command == "miss"
    assert missed.attributes["packet"] == frame(8)


@pytest.mark.parametrize("actions", [{"userspace": Attributes(pid=1)}, {"recirc": 0}])
def test_who_has_a_packet_carried_out_says_who_gets_it(
    world: World, client: Client, datapath: int, actions: dict[str, object]
) -> None:
    """Whoever is named by the action, the vport, or the datapath."""
    hearer, named = world.client(), world.client()
    pids = (named.session.port,)
    client.ask(VPORT, "set", Attributes(port=1, upcall_pid=pids), datapath=datapath)
    said = Attributes(user_features=PER_CPU, per_cpu_pids=pids)
    client.ask(DATAPATH, "set", said, datapath=datapath)
    given = Attributes(
        packet=frame(7),
        key=Attributes(in_port=1),
        actions=Attributes(**actions),
        upcall_pid=hearer.session.port,
    )
    assert client.request(PACKET, "execute", given, datapath=datapath) == []
    assert len(hearer.received()) == 1 and named.received() == []


@pytest.mark.parametrize("per_cpu", [False, True])
def test_misses_are_spread_over_several_port_ids(
    world: World, client: Client, datapath: int, per_cpu: bool
) -> None:
    """By the packet's hash: those of one flow come in one place. So it is with dispatch per CPU."""
    hearers = [world.client() for _ in range(3)]
    pids = tuple(each.session.port for each in hearers)
    if per_cpu:
        asked = Attributes(user_features=PER_CPU, per_cpu_pids=pids)
        client.ask(DATAPATH, "set", asked, datapath=datapath)
        other = Attributes(port=1, upcall_pid=(client.session.port,))
        client.ask(VPORT, "set", other, datapath=datapath)
    else:
        client.ask(VPORT, "set", Attributes(port=1, upcall_pid=pids), datapath=datapath)
    own, engine = world.server.datapaths[datapath], world.outside.engines["dp1"]
    for dst in [*range(100, 160)] * 2:
        engine.process(1, frame(dst))
    world.server.upcalls(own)
    got = [
        [each.attributes["packet"] for each in hearer.received() if isinstance(each, Message)]
        for hearer in hearers
    ]
    assert all(len(each) > 10 for each in got)
    assert sum(map(len, got)) == 120 and sum(len(set(each)) for each in got) == 60
    assert client.received() == []


def test_a_flood_of_misses_costs_only_misses(world: World, client: Client, datapath: int) -> None:
    hearer = world.client()
    pid = (hearer.session.port,)
    client.ask(VPORT, "set", Attributes(port=1, upcall_pid=pid), datapath=datapath)
    own = world.server.datapaths[datapath]
    sent = 800
    for _ in range(sent):
        world.outside.engines["dp1"].process(1, frame(7) + bytes(9000))
    world.server.upcalls(own)
    got = sum(isinstance(each, Message) for each in hearer.received())
    told = client.ask(DATAPATH, "get", datapath=datapath).attributes["statistics"]
    assert 0 < got < sent
    assert told.lost == sent - got


def test_features_as_in_the_kernel(client: Client, datapath: int) -> None:
    """ovs_dp_change: features that are not said end; port ids by CPU stay for when they count."""

    def change(**said: object) -> Attributes:
        return client.ask(DATAPATH, "set", Attributes(**said), datapath=datapath).attributes

    def pids(said: Attributes) -> object:
        return said.get("per_cpu_pids")

    assert pids(change(user_features=8, per_cpu_pids=(4, 5))) == (4, 5)
    assert pids(change(user_features=9)) == (4, 5)
    without = change()
    assert without["user_features"] == 0 and pids(without) is None
    assert pids(change(user_features=2, per_cpu_pids=(6,))) is None
    assert pids(change(user_features=8)) == (4, 5)


def test_who_knows_no_features_ends_them(client: Client, datapath: int) -> None:
    """A client older than features that finds a datapath of its name there takes it over."""
    for version, left in ((2, 3), (1, 0)):
        client.ask(DATAPATH, "set", Attributes(user_features=3), datapath=datapath)
        asked = Message(DATAPATH, "new", new_datapath(), 0, REQUEST, version=version)
        (answer,) = client.send(client.world.codec.encode(asked))
        assert isinstance(answer, Acknowledgement) and answer.error == errno.EEXIST
        about = client.ask(DATAPATH, "get", datapath=datapath).attributes
        assert about["user_features"] == left


# Restart


def test_after_a_restart_all_is_known_again(world: World, client: Client, datapath: int) -> None:
    client.request(FLOW, "new", flow(1, 5, 2, b"u" * 16), datapath=datapath, flags=CREATE)
    client.request(FLOW, "new", flow(1, 6, 2), datapath=datapath, flags=CREATE)
    world.outside.engines["dp1"].process(1, frame(5))
    client.ask(DATAPATH, "set", Attributes(user_features=9, per_cpu_pids=(4,)), datapath=datapath)
    before = [each.attributes for each in listed(client, datapath)]
    ports = client.request(VPORT, "get", datapath=datapath, flags=DUMP)[:-1]
    about = client.ask(DATAPATH, "get", datapath=datapath).attributes
    world.restart()
    client = world.client()
    assert [each.attributes for each in listed(client, datapath)] == before
    again = client.request(VPORT, "get", datapath=datapath, flags=DUMP)[:-1]
    assert [each.attributes for each in again] == [each.attributes for each in ports]
    assert client.ask(DATAPATH, "get", datapath=datapath).attributes == about
    gone = client.ask(FLOW, "del", Attributes(ufid=b"u" * 16), datapath=datapath)
    assert gone.attributes["statistics"].packets == 1


def test_what_forwards_and_is_not_known_ends(world: World, client: Client, datapath: int) -> None:
    client.request(FLOW, "new", flow(1, 5, 2), datapath=datapath, flags=CREATE)
    world.memory.data = b""
    world.restart()
    assert world.outside.made == {}
    assert world.outside.made_devices == {}


def test_a_memory_that_was_cut_off(world: World, client: Client, datapath: int) -> None:
    client.request(FLOW, "new", flow(1, 5, 2), datapath=datapath, flags=CREATE)
    whole = len(world.memory.data)
    client.request(FLOW, "new", flow(1, 6, 2), datapath=datapath, flags=CREATE)
    world.memory.data = world.memory.data[: whole + 9]
    world.restart()
    client = world.client()
    assert [each.attributes["key"]["ethernet"].dst for each in listed(client, datapath)] == [5]
    assert len(world.outside.made["dp1"].entries()) == 1
