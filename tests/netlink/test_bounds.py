"""Many flows, clients that do not read, junk: others are served, and memory stays bounded."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import resource
import signal
import socket
import sys
from pathlib import Path

from bench.netlink.client import NetlinkClient
from bench.netlink.flows import deletes, installs

from hotswitch.netlink.attributes import NONE, Attributes
from hotswitch.netlink.families.controller import CONTROLLER
from hotswitch.netlink.families.datapath import DATAPATH
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.families.socket import SOCKET
from hotswitch.netlink.families.vport import INTERNAL, VPORT
from hotswitch.netlink.flags import CREATE, DUMP, DUMP_INTERRUPTED
from hotswitch.netlink.message import Acknowledgement, Done, Message, split
from hotswitch.netlink.server.session import EVENTS, PACKETS
from tests.netlink.asked import flow, frame, new_datapath, new_vport
from tests.netlink.lab import Lab
from tests.netlink.test_junk import REQUESTS
from tests.support import process
from tests.support.wait import until

_MIB = 1 << 20
_FLOWS = 100_000
_LARGEST = 1 << 18
_SEND = """
import socket, sys
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
out.bind(("eth0", 0))
frame = bytes.fromhex(sys.argv[1])
left = int(sys.argv[2])
while left:
    try:
        out.send(frame)
        left -= 1
    except OSError as error:
        if error.errno not in (11, 105):
            raise
"""
"""Sends a frame so many times; -1: on and on."""


def _resident(lab: Lab) -> float:
    """The daemon's memory in MiB."""
    assert lab.daemon.process
    statm = Path(f"/proc/{lab.daemon.process.pid}/statm").read_text()
    return int(statm.split()[1]) * resource.getpagesize() / _MIB


def test_others_are_answered_while_a_hundred_thousand_flows_are_listed(lab: Lab) -> None:
    """And what is there all the time is listed exactly once, whatever comes and goes."""
    with (
        contextlib.closing(NetlinkClient(lab.path, together=True)) as maker,
        lab.client() as lister,
        lab.client() as other,
    ):
        maker.in_flight(installs((0,), lab.datapath))
        maker.in_flight(installs(range(1, _FLOWS), lab.datapath))
        lister.send(FLOW, "get", Attributes(ufid_flags=6), datapath=lab.datapath, flags=DUMP)
        seen: list[int] = []
        parts = interrupted = 0
        ended = False
        while not ended:
            messages = [lister.codec.decode(each) for each in split(lister.socket.recv(_LARGEST))]
            ended = isinstance(messages[-1], Done)
            for each in messages:
                interrupted += bool(each.flags & DUMP_INTERRUPTED)
                if isinstance(each, Message):
                    seen.append(int.from_bytes(each.attributes["ufid"], "big"))
            parts += 1
            if parts % 100 == 1 and not ended:
                # The listing is not over, and this is answered all the same.
                number = _FLOWS + parts
                maker.in_flight(installs((number,), lab.datapath))
                maker.in_flight(deletes((number,), lab.datapath))
                answer = other.ask(VPORT, "get", Attributes(port=1), datapath=lab.datapath)
                assert answer.attributes["name"] == "p1"
        lasting = [number for number in seen if number < _FLOWS]
        assert sorted(lasting) == list(range(_FLOWS))
        assert parts > 200 and interrupted


def test_who_does_not_read_costs_a_bounded_amount(lab: Lab) -> None:
    with lab.client() as client, contextlib.ExitStack() as held:
        about = client.ask(CONTROLLER, "getfamily", Attributes(family_name="ovs_flow"))
        group = about.attributes["groups"][1]["id"]
        deaf = [held.enter_context(lab.raw_socket()) for _ in range(4)]
        ports = []
        for each in deaf:
            with lab.client() as knows:
                each.send(knows.encode(SOCKET, "bind", NONE))
                until(lambda each=each: _has_come(each), "the socket's port id is told")  # type: ignore[misc]
                ports.append(knows.codec.decode(each.recv(_LARGEST)).attributes["port"])  # type: ignore[union-attr]
                each.send(knows.encode(SOCKET, "join", Attributes(group=group)))
                # It asks for more than it ever takes.
                asked = knows.encode(FLOW, "get", datapath=lab.datapath, flags=DUMP)
                with contextlib.suppress(BlockingIOError):
                    for _ in range(10_000):
                        each.send(asked)
        before = _resident(lab)
        for port in (1, 2):
            said = Attributes(port=port, upcall_pid=tuple(ports))
            client.ask(VPORT, "set", said, datapath=lab.datapath)
        sender = lab.room.start(
            sys.executable, "-c", _SEND, (frame(9) + bytes(1000)).hex(), "-1", host="h1"
        )
        try:
            for number in range(2_500):
                client.send(FLOW, "new", flow(1, number, 2), datapath=lab.datapath, flags=CREATE)
                named = Attributes(key=flow(1, number, 2)["key"])
                client.send(FLOW, "del", named, datapath=lab.datapath)
                if not number % 500:
                    assert client.ask(VPORT, "get", Attributes(port=1), datapath=lab.datapath)
        finally:
            process.stop(sender)
        grown = _resident(lab) - before
        assert grown < len(deaf) * 2 * (EVENTS + PACKETS) / _MIB + 16, grown
        assert client.list(VPORT, datapath=lab.datapath)


def _has_come(connection: socket.socket) -> bool:
    try:
        return bool(connection.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


def test_junk_does_not_make_the_daemon_grow(lab: Lab) -> None:
    """No exception is in the log (the fixture looks), others are served, memory stays."""
    chance = random.Random(5)
    with lab.client() as good, lab.client() as bad:
        bad.socket.setblocking(False)
        memory = []
        for turn in range(4):
            for _ in range(3_000):
                with contextlib.suppress(BlockingIOError):
                    bad.socket.send(_junk(chance))
                with contextlib.suppress(BlockingIOError):
                    while bad.socket.recv(_LARGEST):
                        pass
            assert good.ask(VPORT, "get", Attributes(port=1), datapath=lab.datapath), turn
            memory.append(_resident(lab))
        assert memory[-1] - memory[0] < 8, memory


def test_an_empty_datagram_is_not_the_end(lab: Lab) -> None:
    with lab.client() as client:
        for _ in range(3):
            client.socket.send(b"")
            assert client.ask(VPORT, "get", Attributes(port=1), datapath=lab.datapath)


def test_datapaths_that_go_take_all_with_them(lab: Lab) -> None:
    """Their maps are not left to the garbage collector, which looks for cycles but seldom."""
    there = [_maps(lab)]
    with lab.client() as client:
        for _ in range(5):
            number = client.ask(DATAPATH, "new", new_datapath("passing")).datapath
            client.ask(VPORT, "new", new_vport("passing1", INTERNAL), datapath=number)
            client.ask(DATAPATH, "del", datapath=number)
            there.append(_maps(lab))
    assert len({*there}) == 1, there


def _maps(lab: Lab) -> int:
    """How many descriptors of BPF maps the daemon has."""
    assert lab.daemon.process
    found = 0
    for each in Path(f"/proc/{lab.daemon.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found += "bpf-map" in str(each.readlink())
    return found


def _junk(chance: random.Random) -> bytes:
    """A recorded request with some bytes changed; none that makes anything."""
    data = bytearray(chance.choice(_QUESTIONS))
    for _ in range(chance.randrange(1, 5)):
        data[chance.randrange(20, len(data))] = chance.randrange(256)
    if chance.random() < 0.3:
        del data[chance.randrange(len(data)) :]
    if chance.random() < 0.3:
        data[:4] = len(data).to_bytes(4, "little")
    return bytes(data)


_QUESTIONS = [each for each in REQUESTS if each[16] not in (1, 2) or each[4] == 34]
"""Without those that make or delete datapaths and ports: there the machine's limits are met."""


def test_a_burst_without_room_is_counted_and_told_once(lab: Lab) -> None:
    """While the daemon can't read them: then it reads those that there was room for."""
    count = 6_000
    burst = frame(9) + bytes(1000)
    assert lab.daemon.process
    with lab.client() as hearer, lab.client() as client:
        pid = hearer.ask(SOCKET, "bind", NONE).attributes["port"]
        wanted = Attributes(port=1, upcall_pid=(pid,))
        client.ask(VPORT, "set", wanted, datapath=lab.datapath)
        os.kill(lab.daemon.process.pid, signal.SIGSTOP)
        try:
            words = (sys.executable, "-c", _SEND, burst.hex(), str(count))
            lab.room.run(*words, host="h1")
        finally:
            os.kill(lab.daemon.process.pid, signal.SIGCONT)
        said = client.ask(DATAPATH, "get", datapath=lab.datapath).attributes["statistics"]
        assert said.missed == count and 0 < said.lost < count
        found = [hearer.receive() for _ in range(1 + said.missed - said.lost)]
        told = [each for each in found if isinstance(each, Acknowledgement)]
        assert [(each.error, each.sequence) for each in told] == [(errno.ENOBUFS, 0)]
        assert all(each.command == "miss" for each in found if isinstance(each, Message))
        again = client.ask(DATAPATH, "get", datapath=lab.datapath).attributes["statistics"]
        assert (again.missed, again.lost) == (said.missed, said.lost)
