"""A Linux bridge as a facade: its slaves are ports, and its own device is the host's port.

Everything is real: the bridge, namespaces as guests, their stacks with all offloads on.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from hotswitch.datapath.contract import DeleteEntry
from hotswitch.kernel import netns
from hotswitch.kernel.probe import TCX
from hotswitch.model.port import Hook
from tests.engines.facade import HOST, MACS, REGISTRY, Facade, run
from tests.engines.fixture import read_entry
from tests.engines.kernel_harness import without_tcx
from tests.support.wait import until

BROADCAST, GROUP, NOBODY = "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:fb", "02:00:00:00:00:99"
LENGTH = 8 << 20


@pytest.fixture(scope="module", params=["tcx", "clsact", "xdp"])
def facade(request: pytest.FixtureRequest) -> Iterator[Facade]:
    with ExitStack() as cleanup:
        if request.param == "clsact":
            without_tcx(cleanup.enter_context(pytest.MonkeyPatch.context()))
        made = Facade(cleanup, Hook.XDP if request.param == "xdp" else Hook.AUTO)
        if request.param == "tcx" and TCX:
            until(made.is_promoted, "a tcx link has taken the filter's place")
        yield made


PAIRS = [(HOST, 1), (2, HOST), (1, 2)]


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_ping(source: int, target: int, facade: Facade) -> None:
    facade.ping(source, target)
    facade.check_bridge()


@pytest.mark.parametrize(("source", "target"), [(HOST, 1), (1, HOST), (1, 2)])
def test_tcp(source: int, target: int, facade: Facade) -> None:
    before = facade.datapath.port_statistics()[source]
    with netns.inside(facade.namespace(target)):
        server = socket.create_server((f"10.0.0.{target}", 0))
    with netns.inside(facade.namespace(source)):
        client = socket.create_connection(server.getsockname(), timeout=10)
    data = os.urandom(1 << 16) * (LENGTH >> 16)

    def send() -> None:
        with client:
            client.sendall(data)

    sender = threading.Thread(target=send)
    sender.start()
    received = bytearray()
    with server:
        connection, _ = server.accept()
    connection.settimeout(20)
    with connection:
        while part := connection.recv(1 << 20):
            received += part
    sender.join()
    assert received == data
    after = facade.datapath.port_statistics()[source]
    packets = after.rx_packets - before.rx_packets
    if facade.datapath.ports()[source].hook is not Hook.XDP:
        # Unsegmented: larger by far than what goes on a wire.
        assert (after.rx_bytes - before.rx_bytes) / packets > 4000
    facade.check_bridge()


class Listeners:
    """Who hears what: raw sockets at both guests' eth0 and at the bridge's own device."""

    def __init__(self, facade: Facade) -> None:
        self.sockets: dict[int, socket.socket] = {}
        for number in (1, 2, HOST):
            with netns.inside(facade.namespace(number)):
                each = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88B5))
                each.bind(("br0" if number == HOST else "eth0", 0x88B5))
            each.settimeout(5)
            self.sockets[number] = each

    def send(self, source: int, target: str, count: int) -> None:
        """Send numbered frames."""
        head = bytes.fromhex((target + MACS[source]).replace(":", "")) + b"\x88\xb5"
        for number in range(count):
            self.sockets[source].send(head + number.to_bytes(4, "big") + bytes(50))

    def heard(self, number: int, count: int) -> set[int]:
        """Take so many frames, each another one; the packet types that they had."""
        found = Counter[bytes]()
        kinds = set()
        while found.total() < count:
            frame, (_, _, kind, _, _) = self.sockets[number].recvfrom(2048)
            if kind != socket.PACKET_OUTGOING:
                found[frame] += 1
                kinds.add(kind)
        assert len(found) == count
        return kinds

    def nothing_more(self) -> None:
        for each in self.sockets.values():
            each.setblocking(False)
            with pytest.raises(BlockingIOError):
                while True:
                    _, address = each.recvfrom(2048)
                    assert address[2] == socket.PACKET_OUTGOING
            each.settimeout(5)

    def close(self) -> None:
        for each in self.sockets.values():
            each.close()


@pytest.fixture
def listeners(facade: Facade) -> Iterator[Listeners]:
    made = Listeners(facade)
    # Everybody is known, so that what is for one goes to one.
    for number in (1, 2, HOST):
        made.send(number, BROADCAST, 1)
        for other in {1, 2, HOST} - {number}:
            made.heard(other, 1)
    yield made
    made.close()


@pytest.mark.parametrize("source", [1, HOST])
@pytest.mark.parametrize(
    ("target", "kind"),
    [
        (BROADCAST, socket.PACKET_BROADCAST),
        (GROUP, socket.PACKET_MULTICAST),
        (NOBODY, socket.PACKET_OTHERHOST),
    ],
)
def test_each_hears_once_what_is_for_all(
    source: int, target: str, kind: int, facade: Facade, listeners: Listeners
) -> None:
    listeners.send(source, target, 100)
    for other in {1, 2, HOST} - {source}:
        assert listeners.heard(other, 100) == {kind}
    facade.ping(1, 2)
    listeners.nothing_more()
    facade.check_bridge()


@pytest.mark.parametrize(("source", "target"), [(1, HOST), (HOST, 1), (HOST, 2), (1, 2)])
def test_one_hears_what_is_for_it(
    source: int, target: int, facade: Facade, listeners: Listeners
) -> None:
    listeners.send(source, MACS[target], 100)
    assert listeners.heard(target, 100) == {socket.PACKET_HOST}
    facade.ping(1, 2)
    listeners.nothing_more()
    facade.check_bridge()


@pytest.mark.parametrize(("source", "target"), [(1, HOST), (HOST, 1)])
def test_tags_lie_where_vlan_devices_look(source: int, target: int, facade: Facade) -> None:
    """The kernel gives a VLAN's device the frames that have their tag beside them; a socket that
    does not ask for the tag does not see it then."""
    addresses = bytes.fromhex((MACS[target] + MACS[source]).replace(":", ""))
    rest = b"\x88\xb5" + bytes(50)
    with ExitStack() as cleanup:
        ends = []
        for number in (source, target):
            with netns.inside(facade.namespace(number)):
                end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
                cleanup.enter_context(end)
                end.settimeout(5)
                # SOL_PACKET: PACKET_AUXDATA, PACKET_IGNORE_OUTGOING (linux/if_packet.h)
                for option in (8, 23):
                    end.setsockopt(263, option, 1)
                end.bind(("br0" if number == HOST else "eth0", 3))  # ETH_P_ALL
                ends.append(end)
        ends[0].send(addresses + bytes.fromhex("8100a005") + rest)
        frame, ((_, _, auxiliary),), _, _ = ends[1].recvmsg(2048, 128)
    assert frame == addresses + rest
    status, *tag = struct.unpack("=I12xHH", auxiliary)
    assert status & 0x10  # TP_STATUS_VLAN_VALID
    assert tag == [0xA005, 0x8100]


def test_what_is_dropped_is_not_sent_by_the_bridge(facade: Facade, listeners: Listeners) -> None:
    """Nor is the host told: a switch drops silently."""
    facade.put("0 9 in_port=3 drop")
    try:
        before = facade.datapath.port_statistics()[HOST].rx_dropped
        listeners.send(HOST, BROADCAST, 50)
        listeners.send(HOST, MACS[1], 50)
        until(lambda: facade.datapath.port_statistics()[HOST].rx_dropped == before + 100, "dropped")
        facade.ping(1, 2)
        listeners.nothing_more()
    finally:
        key = read_entry(REGISTRY, "0 9 in_port=3 drop").key
        facade.datapath.change([DeleteEntry(key)])
    facade.check_bridge()


def test_it_goes_on_without_a_daemon_and_under_the_next(facade: Facade) -> None:
    before = dict(facade.datapath.ports())
    facade.datapath.close()
    facade.ping(1, HOST)
    facade.live()
    assert dict(facade.datapath.ports()) == before
    for source, target in PAIRS:
        facade.ping(source, target)
    facade.check_bridge()


def test_without_the_port_it_is_a_bridge_again(facade: Facade) -> None:
    """The last test here: what was taken is given back."""
    for number in (1, 2, HOST):
        facade.datapath.delete_port(number)
    facade.ping(1, HOST)
    facade.ping(1, 2)
    assert any(
        row.get("state") != "permanent" for row in json.loads(run("bridge -j fdb show br br0"))
    )
    assert "clsact" not in run("tc qdisc show dev br0")
    assert not TCX or not facade.is_promoted()
