"""The socket of a real daemon: traffic, kills, many clients, bad ones."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hotswitch.netlink.attributes import NONE, Attributes
from hotswitch.netlink.families.controller import CONTROLLER
from hotswitch.netlink.families.datapath import DATAPATH
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.families.packet import PACKET
from hotswitch.netlink.families.socket import SOCKET
from hotswitch.netlink.families.vport import INTERNAL, VPORT
from hotswitch.netlink.flags import ACK, CREATE, DUMP, ECHO
from hotswitch.netlink.message import Acknowledgement, Message
from tests.netlink.asked import flow, frame, key, new_vport
from tests.netlink.lab import Lab
from tests.support import process

_SEND = """
import socket, sys, threading
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
out.bind(("eth0", 0))
frame = bytes.fromhex(sys.argv[1])
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), ended.set()), daemon=True).start()
print("sends", flush=True)
sent = 0
while not ended.is_set():
    for _ in range(64):
        try:
            out.send(frame)
            sent += 1
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno != 105:  # ENOBUFS: it did not leave
                raise
print(sent, flush=True)
"""


def test_each_packet_is_in_the_statistics_of_a_deleted_flow(lab: Lab) -> None:
    """Flows are deleted and added again, many at a time, while packets come as fast as they can."""
    group, rounds = 50, 200
    wanted = [flow(1, dst, 2) for dst in range(1, group + 1)]
    datapath = lab.datapath
    with lab.client() as client, contextlib.ExitStack() as held:
        before = [lab.counted(client, port) for port in (1, 2)]
        sender = lab.room.start(
            sys.executable,
            "-c",
            _SEND,
            frame(1).hex(),
            host="h1",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        held.callback(process.stop, sender)
        assert sender.stdin and sender.stdout
        assert sender.stdout.readline() == "sends\n"
        returned = deleted = 0
        for _ in range(rounds):
            for each in wanted:
                client.send(FLOW, "new", each, datapath=datapath, flags=CREATE)
            for each in wanted:
                named = Attributes(key=each["key"])
                client.send(FLOW, "del", named, datapath=datapath, flags=ECHO)
            for _ in wanted:
                answer = client.receive()
                assert isinstance(answer, Message) and answer.command == "del", answer
                deleted += 1
                if "statistics" in answer.attributes:
                    returned += answer.attributes["statistics"].packets
        sender.stdin.write("\n")
        sender.stdin.flush()
        sent = int(sender.stdout.readline())
        after = [lab.counted(client, port) for port in (1, 2)]
        told = client.ask(DATAPATH, "get", datapath=datapath).attributes["statistics"]
        assert deleted == 10_000
        assert after[0][0] - before[0][0] == sent
        assert after[1][1] - before[1][1] == returned
        assert 0 < returned < sent
        assert told.hit == returned
        assert told.flows == 0


def test_a_kill_loses_neither_flows_nor_answers(lab: Lab) -> None:
    room, datapath = lab.room, lab.datapath
    both = [
        Attributes(key=key(i), mask=Attributes(in_port=0xFFFFFFFF), actions=Attributes(output=o))
        for i, o in ((1, 2), (2, 1))
    ]
    with lab.client() as client:
        hearer = client.ask(SOCKET, "bind", NONE)
        assert hearer.attributes["port"] == os.getpid()
        for number, each in enumerate(both):
            named = Attributes(ufid=bytes([number]) * 16, transaction=bytes([number]))
            client.ask(FLOW, "new", named + each, datapath=datapath, flags=CREATE | ECHO)
        client.ask(VPORT, "new", new_vport("int0", INTERNAL), datapath=datapath)
        room.run("ping", "-c", "2", "-i", "0.1", "-W", "1", "10.0.0.2", host="h1")
        assert lab.daemon.process
        process.stop(lab.daemon.process)
    room.run("ping", "-c", "2", "-i", "0.1", "-W", "1", "10.0.0.2", host="h1")
    lab.daemon.start()
    with lab.client() as client:
        again = Attributes(ufid=bytes(16), transaction=b"\0") + both[0]
        answer = client.ask(FLOW, "new", again, datapath=datapath, flags=CREATE | ECHO)
        assert answer.attributes["ufid"] == bytes(16)
        flows = client.list(FLOW, datapath=datapath)
        assert [each.attributes["ufid"] for each in flows] == [bytes(16), b"\1" * 16]
        assert flows[0].attributes["statistics"].packets >= 4
        vports = client.list(VPORT, datapath=datapath)
        assert [each.attributes["name"] for each in vports] == ["dp1", "p1", "p2", "int0"]
        room.run("ping", "-c", "1", "-W", "1", "10.0.0.2", host="h1")
        client.ask(DATAPATH, "del", datapath=datapath)
    assert "int0" not in room.run("ip", "-br", "link").stdout


def test_bridges_and_datapaths_are_beside_each_other(lab: Lab) -> None:
    lab.daemon.do("bridge add br0")
    lab.room.run("ip", "link", "add", "p3", "type", "veth", "peer", "q3")
    lab.daemon.do("port add p3 bridge br0")
    with lab.client() as client:
        client.socket.send(
            client.encode(VPORT, "new", new_vport("p3"), datapath=lab.datapath, flags=ACK)
        )
        answer = client.receive()
        assert isinstance(answer, Acknowledgement) and answer.error == errno.EBUSY
        process.stop(lab.daemon.process)  # type: ignore[arg-type]
        lab.daemon.start()
    with lab.client() as client:
        assert len(client.list(VPORT, datapath=lab.datapath)) == 3
    assert [each["name"] for each in lab.daemon.ask("bridge list")] == ["br0"]
    lab.daemon.do("shutdown --stop-forwarding")
    links = lab.room.run("ip", "-br", "link").stdout
    assert "dp1" not in links and "br0" not in links


def test_a_port_goes_with_its_device_and_an_event_comes(lab: Lab) -> None:
    with lab.client() as client:
        about = client.ask(CONTROLLER, "getfamily", Attributes(family_name="ovs_vport"))
        client.ask(SOCKET, "join", Attributes(group=about.attributes["groups"][1]["id"]))
        lab.room.run("ip", "link", "delete", "p1")
        event = client.receive()
        assert isinstance(event, Message)
        assert (event.command, event.attributes["name"]) == ("del", "p1")
        assert len(client.list(VPORT, datapath=lab.datapath)) == 2


def test_misses_arrive_and_their_packets_go_on(lab: Lab) -> None:
    """A client that learns nothing: each miss makes a flow, and the packet is carried out."""
    datapath = lab.datapath
    with lab.client() as hearer, lab.client() as client:
        pid = hearer.ask(SOCKET, "bind", NONE).attributes["port"]
        for port in (1, 2):
            wanted = Attributes(port=port, upcall_pid=(pid,))
            client.ask(VPORT, "set", wanted, datapath=datapath)
        ping = lab.room.start(
            "ping", "-c", "3", "-i", "0.2", "-W", "5", "10.0.0.2", host="h1", stdout=subprocess.PIPE
        )
        misses = 0
        hearer.socket.settimeout(1)
        while ping.poll() is None:
            try:
                miss = hearer.receive()
            except TimeoutError:
                continue
            assert isinstance(miss, Message) and miss.command == "miss"
            misses += 1
            said = miss.attributes
            actions = Attributes(output=3 - said["key"]["in_port"])
            wanted = Attributes(key=said["key"], actions=actions)
            client.send(FLOW, "new", wanted, datapath=datapath)
            given = Attributes(packet=said["packet"], key=said["key"], actions=actions)
            client.send(PACKET, "execute", given, datapath=datapath)
        assert ping.returncode == 0
        assert 0 < misses <= 8
        assert len(client.list(FLOW, datapath=datapath)) >= 2


_SERVE = """
import socket
server = socket.create_server(("", 5000))
print("listens", flush=True)
peer = server.accept()[0]
print(sum(map(len, iter(lambda: peer.recv(65536), b""))), flush=True)
"""
_CONNECT = """
import socket
peer = socket.create_connection(("10.0.0.2", 5000), 20)
peer.sendall(bytes(500_000))
"""


def test_tcp_goes_on_as_packets_that_are_missed(lab: Lab) -> None:
    """With checksums that hosts leave to their devices, and segments that are too long for them."""
    datapath = lab.datapath
    with lab.client() as hearer, lab.client() as client, contextlib.ExitStack() as held:
        pid = hearer.ask(SOCKET, "bind", NONE).attributes["port"]
        for port in (1, 2):
            wanted = Attributes(port=port, upcall_pid=(pid,))
            client.ask(VPORT, "set", wanted, datapath=datapath)
        serving = (sys.executable, "-c", _SERVE)
        server = lab.room.start(*serving, host="h2", stdout=subprocess.PIPE)
        held.callback(process.stop, server)
        assert server.stdout and server.stdout.readline() == "listens\n"
        connecting = (sys.executable, "-c", _CONNECT)
        sender = lab.room.start(*connecting, host="h1")
        held.callback(process.stop, sender)
        hearer.socket.settimeout(0.2)
        sizes: list[int] = []
        until_when = time.monotonic() + 60
        while server.poll() is None and time.monotonic() < until_when:
            try:
                miss = hearer.receive()
            except TimeoutError:
                continue
            assert isinstance(miss, Message) and miss.command == "miss"
            said = miss.attributes
            sizes.append(len(said["packet"]))
            actions = Attributes(output=3 - said["key"]["in_port"])
            given = Attributes(packet=said["packet"], key=said["key"], actions=actions)
            client.send(PACKET, "execute", given, datapath=datapath)
        assert server.stdout.readline() == "500000\n"
        assert max(sizes) > 1514


def test_what_is_not_netlink_is_refused(lab: Lab) -> None:
    with lab.client() as client:
        for data in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 40, b"x", bytes(200_000)):
            client.socket.send(data)
            answer = client.receive()
            assert isinstance(answer, Acknowledgement) and answer.error == errno.EINVAL
        assert client.ask(DATAPATH, "get", Attributes(name="dp1"))


def test_clients_that_die_or_do_not_read(lab: Lab) -> None:
    with lab.client() as client, lab.client() as deaf:
        for number in range(200):
            client.send(FLOW, "new", flow(1, number, 2), datapath=lab.datapath, flags=CREATE)
        deaf.socket.setblocking(False)
        asked = deaf.encode(FLOW, "get", datapath=lab.datapath, flags=DUMP)
        with contextlib.suppress(BlockingIOError):
            while True:
                deaf.socket.send(asked)
        for _ in range(20):
            with lab.client() as gone:
                gone.send(FLOW, "get", datapath=lab.datapath, flags=DUMP)
        assert len(client.list(FLOW, datapath=lab.datapath)) == 200


def test_a_thousand_sockets(lab: Lab) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1200:
        pytest.skip("not so many descriptors here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    with contextlib.ExitStack() as held:
        clients = [held.enter_context(lab.client()) for _ in range(1000)]
        ports = {each.ask(SOCKET, "bind", NONE).attributes["port"] for each in clients}
        assert len(ports) == 1000
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_byte_is_written_when_the_answer_is_there(lab: Lab) -> None:
    ours, theirs = os.pipe()
    try:
        with lab.client() as client:
            made = client.encode(SOCKET, "signal")
            socket.send_fds(client.socket, [made], [theirs])
            os.close(theirs)
            for _ in range(50):
                assert os.read(ours, 2) == b"."
                client.socket.setblocking(False)
                assert isinstance(client.receive(), Message)
                client.socket.setblocking(True)
                client.send(DATAPATH, "get", Attributes(name="dp1"))
            assert os.read(ours, 2) == b"."
        assert os.read(ours, 2) == b""  # the server has let go of it
    finally:
        os.close(ours)


def test_without_a_pipe_s_end_there_are_no_signals(lab: Lab, tmp_path: Path) -> None:
    """Neither without a descriptor, nor with another one."""
    with lab.client() as client, (tmp_path / "file").open("w") as file:
        client.ask(SOCKET, "option", Attributes(extended=True))
        client.send(SOCKET, "signal")
        socket.send_fds(client.socket, [client.encode(SOCKET, "signal")], [file.fileno()])
        for _ in range(2):
            refused = client.receive()
            assert isinstance(refused, Acknowledgement) and refused.error == errno.EINVAL
            assert "no pipe's end" in refused.attributes["message"]


def test_a_long_listing_delays_nobody_much(lab: Lab) -> None:
    count = 3000
    with lab.client() as client, lab.client() as other:
        for number in range(count):
            last = ACK if number == count - 1 else 0
            client.send(FLOW, "new", flow(1, number, 2), datapath=lab.datapath, flags=CREATE | last)
        assert isinstance(client.receive(), Acknowledgement)
        client.send(FLOW, "get", datapath=lab.datapath, flags=DUMP)
        client.receive()  # it has begun
        began = time.monotonic()
        other.ask(VPORT, "get", Attributes(port=1), datapath=lab.datapath)
        waited = time.monotonic() - began
        began = time.monotonic()
        seen = 1
        while isinstance(client.receive(), Message):
            seen += 1
        assert seen == count
        # The listing as a whole takes much longer than anybody waits.
        assert waited < max(0.1, time.monotonic() - began)
