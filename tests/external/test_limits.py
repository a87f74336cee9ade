"""Too few descriptors, and many commands at once."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.external.server import OvsdbServer, followed, follower, vsctl
from tests.support import process
from tests.support.daemon import REFERENCE, Daemon, command, environment
from tests.support.room import Room
from tests.support.wait import until


class _Limited(Daemon):
    """A daemon that may have 128 descriptors."""

    def command(self, *options: str) -> list[str]:
        line = super().command(*options)
        first = len(self.room.command())
        return [*line[:first], "sh", "-c", 'ulimit -n 128; exec "$@"', "sh", *line[first:]]


def test_clients_that_there_are_no_descriptors_for_wait_and_it_is_said_once(
    room: Room, tmp_path: Path
) -> None:
    with _Limited(room, tmp_path / "run", kind=REFERENCE) as daemon:
        with ExitStack() as clients:
            for name in ("db.sock", "ctl.sock"):
                for _ in range(90):
                    client = clients.enter_context(socket.socket(socket.AF_UNIX))
                    client.connect(str(daemon.run_dir / name))
            packets = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            clients.enter_context(packets).connect(str(daemon.run_dir / "netlink.sock"))
            until(lambda: "a connection can't be taken yet" in daemon.log, "it is said")
            until(lambda: "a client can't be taken yet" in daemon.log, "of Netlink, too")
        done = vsctl(room, f"unix:{daemon.run_dir}/db.sock", "add-br br0")
        assert (done.returncode, done.stderr) == (0, "")
        assert [each["name"] for each in daemon.ask("bridge list")] == ["br0"]
        assert daemon.log.count("a connection can't be taken yet: Too many open files") == 1
        assert daemon.log.count("a client can't be taken yet: Too many open files") == 1
        assert "Traceback" not in daemon.log


@pytest.mark.parametrize("where", ["own", "external"])
def test_commands_at_once_are_all_kept(room: Room, tmp_path: Path, where: str) -> None:
    names = [f"br{number}" for number in range(8)]
    with ExitStack() as running:
        if where == "own":
            daemon = running.enter_context(Daemon(room, tmp_path / "run", kind=REFERENCE))
            remote = f"unix:{daemon.run_dir}/db.sock"
        else:
            db = running.enter_context(OvsdbServer(room, tmp_path))
            db.vsctl("--no-wait init")
            remote = f"unix:{db.socket}"
            daemon = running.enter_context(follower(room, tmp_path, remote))
            followed(daemon)
        words = environment(HOTSWITCH_RUN_DIR=str(daemon.run_dir))
        for line in ("bridge add {}", "port add {}p bridge {} absent-ok", "bridge del {}"):
            commands = [
                process.start(
                    room.command(
                        *command(
                            *line.replace("absent-ok", "--absent-ok").format(name, name).split()
                        )
                    ),
                    env=words,
                )
                for name in names
            ]
            assert [each.wait(60) for each in commands] == [0] * len(names)
            expected = [] if "del" in line else names
            assert vsctl(room, remote, "list-br").stdout.split() == expected
            assert [each["name"] for each in daemon.ask("bridge list")] == expected


def test_a_large_change_is_made_whole(room: Room, tmp_path: Path) -> None:
    """It is read in pieces; nobody sees one of them."""
    names = [f"p{number}" for number in range(30)]
    ports = " ".join(
        f"-- add-port br0 {name} -- set Interface {name} type=internal" for name in names
    )
    with OvsdbServer(room, tmp_path) as db:
        db.vsctl("--no-wait init")
        with follower(room, tmp_path, f"unix:{db.socket}") as daemon:
            followed(daemon)
            daemon.do("bridge add br1")
            for _ in range(2):
                db.vsctl(f"add-br br0 {ports}")
                shown = daemon.ask("show")["bridges"]
                assert [(each["name"], len(each["ports"])) for each in shown] == [
                    ("br0", 31),
                    ("br1", 1),
                ]
                assert "-1" not in db.vsctl("--bare --columns=ofport list Interface").split()
                db.vsctl("del-br br0")
            assert "ERROR" not in daemon.log, daemon.log
