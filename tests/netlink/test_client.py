"""`hotswitch.netlink.client.Client` with a real daemon."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import BUILT_IN
from hotswitch.netlink import Client
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.codec import Codec
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.families.controller import CONTROLLER
from hotswitch.netlink.families.datapath import DATAPATH
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.families.socket import SOCKET
from hotswitch.netlink.families.vport import VPORT
from hotswitch.netlink.message import Message
from tests.netlink.asked import flow, new_datapath, new_vport
from tests.netlink.outside import World
from tests.netlink.test_documentation import BLOCKS, PAGE
from tests.support import process
from tests.support.daemon import Daemon
from tests.support.room import Room


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with Room() as room:
        room.add_host("h1", "p1", "10.0.0.1/24")
        with Daemon(room, tmp_path / "run") as running:
            yield running
        assert "Traceback" not in running.log, running.log


def test_a_program_s_whole_way(daemon: Daemon) -> None:
    asyncio.run(_whole_way(daemon.run_dir / "netlink.sock"))


async def _whole_way(path: Path) -> None:
    async with Client(path) as client, Client(path) as other:
        await other.subscribe("ovs_vport", "ovs_flow")
        made = await client.change(DATAPATH, "new", new_datapath())
        assert made is not None
        number = made.datapath
        await client.change(VPORT, "new", new_vport("p1"), datapath=number)
        event = await other.event()
        assert (event.command, event.attributes["name"]) == ("new", "p1")
        flows = [flow(1, dst, 0) for dst in range(1, 101)]
        await asyncio.gather(*(client.change(FLOW, "new", each, datapath=number) for each in flows))
        listed = await client.dump(FLOW, datapath=number, limit=2000)
        assert len(listed.messages) == 100 and not listed.interrupted
        with pytest.raises(NetlinkError) as refused:
            await client.change(FLOW, "new", flows[0], datapath=number)
        assert refused.value.errno == errno.EEXIST
        with pytest.raises(NetlinkError, match=r"actions\.ct_clear"):
            wrong = Attributes(key=flow(1, 999, 0)["key"], actions=Attributes(ct_clear=True))
            await client.change(FLOW, "new", wrong, datapath=number)
        gone = await client.change(FLOW, "del", Attributes(key=flows[0]["key"]), datapath=number)
        assert gone is not None and gone.command == "del"


def test_it_can_hang_up_while_a_request_waits_to_be_sent(tmp_path: Path) -> None:
    """The server has stopped reading; who hangs up leaves nothing behind in the program's loop."""
    trouble: list[Any] = []

    async def hang_up() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: trouble.append(context))
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
            listening.setblocking(False)
            listening.bind(str(tmp_path / "netlink.sock"))
            listening.listen()
            client = Client(tmp_path / "netlink.sock")
            entering = asyncio.create_task(client.__aenter__())
            server, _ = await loop.sock_accept(listening)
            with server:
                server.setblocking(False)
                await loop.sock_recv(server, 1 << 16)  # the options
                asked = Codec().decode(await loop.sock_recv(server, 1 << 16))
                bound = Message(SOCKET, "bind", Attributes(port=7), sequence=asked.sequence)
                await loop.sock_sendall(server, Codec().encode(bound))
                await entering
                waiting = [
                    asyncio.create_task(client.ask(FLOW, "get", Attributes(ufid=bytes(16))))
                    for _ in range(20_000)
                ]
                await asyncio.sleep(0)  # so that they are sent, as many as there is room for
                await asyncio.sleep(0)
                await client.__aexit__(None, None, None)
                await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(hang_up())
    assert trouble == []


def test_changes_go_on_over_a_kill(daemon: Daemon) -> None:
    asyncio.run(_over_a_kill(daemon))


async def _over_a_kill(daemon: Daemon) -> None:
    """None fails, none is done twice: a second time would be refused with EEXIST or ENOENT."""
    async with Client(daemon.run_dir / "netlink.sock") as client:
        made = await client.change(DATAPATH, "new", new_datapath())
        assert made is not None
        done: list[int] = []

        async def change() -> None:
            for dst in range(1, 401):
                await client.change(FLOW, "new", flow(1, dst, 0), datapath=made.datapath)
                if dst % 2:
                    named = Attributes(key=flow(1, dst, 0)["key"])
                    await client.change(FLOW, "del", named, datapath=made.datapath)
                done.append(dst)

        changing = asyncio.create_task(change())
        for count in (50, 200):
            while len(done) < count:
                await asyncio.sleep(0.001)
            assert daemon.process
            process.stop(daemon.process)
            await asyncio.to_thread(daemon.start)
        await changing
        listed = await client.dump(FLOW, datapath=made.datapath)
        found = [each.attributes["key"]["ethernet"].dst for each in listed.messages]
        assert found == list(range(2, 401, 2))


def test_events_go_on_over_a_kill(daemon: Daemon) -> None:
    asyncio.run(_events_over_a_kill(daemon))


async def _events_over_a_kill(daemon: Daemon) -> None:
    """Who only listens hears what happens after a restart, and gets packets at its port id."""
    path = daemon.run_dir / "netlink.sock"
    async with Client(path) as client, Client(path) as listener, asyncio.timeout(60):
        made = await client.change(DATAPATH, "new", new_datapath())
        assert made is not None
        number = made.datapath
        await listener.subscribe("ovs_vport", "ovs_flow")
        port = listener.port
        waiting = asyncio.create_task(listener.event())
        await asyncio.sleep(0)
        assert daemon.process
        process.stop(daemon.process)
        with pytest.raises(NetlinkError) as lost:
            await waiting
        assert lost.value.errno == errno.ENOBUFS
        for _ in range(3):  # there is no server, and little patience
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(listener.event(), 0.05)
        waiting = asyncio.create_task(listener.event())
        await asyncio.to_thread(daemon.start)
        listed = await listener.dump(FLOW, datapath=number)
        assert listed.messages == () and listener.port == port
        await client.change(VPORT, "new", new_vport("p1"), datapath=number)
        event = await waiting
        assert (event.command, event.attributes["name"]) == ("new", "p1")
        await client.change(FLOW, "new", flow(1, 1, 0), datapath=number)
        event = await listener.event()
        assert (event.family, event.command) == (FLOW, "new")


def test_who_only_waits_is_connected_again(daemon: Daemon) -> None:
    asyncio.run(_only_waits(daemon))


async def _only_waits(daemon: Daemon) -> None:
    path = daemon.run_dir / "netlink.sock"
    async with Client(path) as client, Client(path) as listener, asyncio.timeout(60):
        await listener.subscribe("ovs_datapath")
        assert daemon.process
        process.stop(daemon.process)
        await asyncio.to_thread(daemon.start)
        with pytest.raises(NetlinkError, match="broke"):
            await listener.event()
        waiting = asyncio.create_task(listener.event())
        # Which of the new datapaths is the first that it hears of is a matter of time.
        for each in range(100):
            name = f"dp{each}"
            await client.change(DATAPATH, "new", new_datapath(name))
            await client.change(DATAPATH, "del", Attributes(name=name))
            if waiting.done():
                break
            await asyncio.sleep(0.05)
        assert (await waiting).family is DATAPATH


def test_a_damaged_journal_is_said(daemon: Daemon) -> None:
    asyncio.run(_damaged_journal(daemon))


async def _damaged_journal(daemon: Daemon) -> None:
    """What is behind the damage ends, and the log says what."""
    journal = daemon.run_dir / "netlink.journal"
    async with Client(daemon.run_dir / "netlink.sock") as client:
        made = await client.change(DATAPATH, "new", new_datapath())
        assert made is not None
        for dst in range(1, 5):
            await client.change(FLOW, "new", flow(1, dst, 0), datapath=made.datapath)
        whole = journal.stat().st_size
        for dst in range(5, 8):
            await client.change(FLOW, "new", flow(1, dst, 0), datapath=made.datapath)
        await client.change(VPORT, "new", new_vport("p1"), datapath=made.datapath)
        assert daemon.process
        process.stop(daemon.process)
        damaged = bytearray(journal.read_bytes())
        damaged[whole + 20] ^= 1
        journal.write_bytes(damaged)
        assert "unreadable" not in daemon.log and "not known any more" not in daemon.log
        await asyncio.to_thread(daemon.start)
        listed = await client.dump(FLOW, datapath=made.datapath)
        found = [each.attributes["key"]["ethernet"].dst for each in listed.messages]
        assert found == [1, 2, 3, 4]
    log = "".join(line for line in daemon.log.splitlines(True) if " WARNING " in line)
    assert f"records from byte {whole} on are unreadable and dropped: " in log
    assert f"{len(damaged) - whole} bytes" in log
    assert "datapath dp1: 3 flows are not known any more and end" in log
    assert "datapath dp1: port p1 is not known any more and ends" in log


def test_what_is_asked_at_once_comes_in_few_datagrams(tmp_path: Path) -> None:
    asyncio.run(_asked_at_once(tmp_path / "netlink.sock"))


async def _asked_at_once(path: Path) -> None:
    """Against a server that counts datagrams, and answers all in one."""
    world = World(Registry(BUILT_IN))
    session = world.server.connect()
    datagrams: list[int] = []

    async def serve(listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        connection, _ = await loop.sock_accept(listening)
        connection.setblocking(False)
        with connection:
            while data := await loop.sock_recv(connection, 1 << 18):
                requests = world.server.split(session, data)
                datagrams.append(len(requests))
                for each in requests:
                    world.server.receive(session, each)
                while (answer := session.take()) is not None:
                    await loop.sock_sendall(connection, answer)

    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(str(path))
        listening.listen()
        listening.setblocking(False)
        serving = asyncio.create_task(serve(listening))
        async with Client(path) as client:
            said = Attributes(family_name="ovs_flow")
            asked = (client.ask(CONTROLLER, "getfamily", said) for _ in range(1000))
            answers = await asyncio.gather(*asked)
            assert {each.attributes["family_name"] for each in answers} == {"ovs_flow"}
        await serving
    assert sum(datagrams) == 1002 and len(datagrams) < 20


def test_the_program_in_the_page(tmp_path: Path) -> None:
    """It is docs/netlink.md's: two hosts reach each other through what it makes."""
    program = next(each for each in BLOCKS if "async def join" in each)
    names: dict[str, Any] = {}
    exec(compile(program, str(PAGE), "exec"), names)
    with Room() as room:
        for number in (1, 2):
            room.add_host(f"h{number}", f"p{number}", f"10.0.0.{number}/24")
        with Daemon(room, tmp_path / "run") as running:
            asyncio.run(_ping_while(names["join"], running.run_dir / "netlink.sock", room))
            assert "Traceback" not in running.log, running.log


async def _ping_while(join: Callable[..., Awaitable[None]], path: Path, room: Room) -> None:
    joining = asyncio.create_task(join(path, "p1", "p2"))
    ping = ["ping", "-c", "1", "-W", "1", "10.0.0.2"]
    async with asyncio.timeout(60):
        while True:
            if joining.done():
                await joining
            done = await asyncio.to_thread(room.run, *ping, host="h1", check=False)
            if done.returncode == 0:
                break
        async with Client(path) as client:
            listed = await client.dump(DATAPATH)
            number = listed.messages[0].datapath
            while (
                sum(  # the flows, too, and not only executed packets
                    each.attributes["statistics"].packets
                    for each in (await client.dump(FLOW, datapath=number)).messages
                    if "statistics" in each.attributes
                )
                < 2
            ):
                await asyncio.to_thread(room.run, *ping, host="h1")
    joining.cancel()
