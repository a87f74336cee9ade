"""Three servers that share a database (RAFT), and the real forwarding."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.external.hosts import add_hosts, no_packet_lost
from tests.external.server import SCHEMA, OvsdbServer, followed, follower, vsctl, where
from tests.support.daemon import REAL
from tests.support.room import Room
from tests.support.wait import until

_STATUS = "cluster/status"


@pytest.fixture
def cluster(room: Room, tmp_path: Path) -> Iterator[list[OvsdbServer]]:
    addresses = [f"tcp:127.0.0.1:{port}" for port in (6651, 6652, 6653)]
    servers = []
    with ExitStack() as running:
        for number, address in enumerate(addresses):
            file = tmp_path / f"db{number}"
            if number == 0:
                room.run("ovsdb-tool", "create-cluster", str(file), str(SCHEMA), address)
            else:
                rest = (address, addresses[0])
                room.run("ovsdb-tool", "join-cluster", str(file), "Open_vSwitch", *rest)
            listen = f"ptcp:{6641 + number}:127.0.0.1"
            server = OvsdbServer(room, tmp_path, listen, schema=None, file=file.name)
            servers.append(running.enter_context(server))
        for each in servers:
            until(partial(_has_joined, room, each), "it has joined", 30)
        yield servers


def _status(room: Room, server: OvsdbServer) -> str:
    command = ["ovs-appctl", "-t", str(server.control), _STATUS, "Open_vSwitch"]
    return room.run(*command, check=False).stdout


def _has_joined(room: Room, server: OvsdbServer) -> bool:
    return "cluster member" in _status(room, server)


def _leader(room: Room, servers: list[OvsdbServer]) -> OvsdbServer | None:
    found = [each for each in servers if "Role: leader" in _status(room, each)]
    return found[0] if found else None


def test_the_daemon_follows_the_leader_and_no_packet_is_lost(
    room: Room, tmp_path: Path, cluster: list[OvsdbServer]
) -> None:
    servers = list(cluster)
    remotes = ",".join(f"tcp:127.0.0.1:{6641 + number}" for number in range(3))
    first = until(lambda: _leader(room, servers), "there is a leader", 20)
    assert first
    assert vsctl(room, remotes, "--no-wait init").returncode == 0
    add_hosts(room)
    with follower(room, tmp_path, remotes, kind=REAL) as daemon:
        followed(daemon)
        assert where(daemon)[0] == remotes
        done = vsctl(room, remotes, "add-br br0 -- add-port br0 v0 -- add-port br0 v1")
        assert (done.returncode, done.stderr) == (0, "")
        room.run("ping", "-c1", "-w5", "10.0.0.2", host="anna")
        with no_packet_lost(room):
            first.kill()
            servers.remove(first)
            until(lambda: _leader(room, servers), "there is another leader", 30)
            done = vsctl(room, remotes, "add-br br1 -- set Port v0 external_ids:a=b")
            assert (done.returncode, done.stderr) == (0, ""), "in force through the new leader"
            assert [each["name"] for each in daemon.ask("bridge list")] == ["br0", "br1"]
            numbers = vsctl(room, remotes, "get Open_vSwitch . next_cfg cur_cfg").stdout.split()
            assert numbers[0] == numbers[1]
            daemon.do("bridge del br1")
            assert vsctl(room, remotes, "list-br").stdout == "br0\n"
        assert daemon.log.count(" is lost; forwarding goes on") == 1
        assert "Traceback" not in daemon.log


def test_without_a_majority_a_change_is_refused(
    room: Room, tmp_path: Path, cluster: list[OvsdbServer]
) -> None:
    servers = list(cluster)
    remotes = ",".join(f"tcp:127.0.0.1:{6641 + number}" for number in range(3))
    leader = until(lambda: _leader(room, servers), "there is a leader", 20)
    assert vsctl(room, remotes, "--no-wait init").returncode == 0
    with follower(room, tmp_path, remotes) as daemon:
        followed(daemon)
        daemon.do("bridge add br0")
        for each in servers:
            if each is not leader:
                each.kill()
        assert "the database" in daemon.refuse("bridge add br1")
        assert [each["name"] for each in daemon.ask("bridge list")] == ["br0"]
        for each in servers:
            if each is not leader:
                each.start()
        until(lambda: not where(daemon)[1], "a leader is followed", 40)
        until(
            lambda: daemon.hotswitch("bridge", "add", "br2").returncode == 0,
            "changes are taken again",
        )
