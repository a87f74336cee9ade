"""hotswitchd on a database that Debian's ovsdb-server holds; without forwarding."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.external.server import OvsdbServer, followed, follower, vsctl, where
from tests.support import process
from tests.support.room import Room
from tests.support.wait import until


@pytest.fixture
def port(room: Room) -> int:
    """The room has its own network namespace, so any port is free."""
    return 6641


@pytest.mark.parametrize(
    "remote", ["unix:{socket}", "tcp:127.0.0.1:{port}", "tcp:[::1]:{port}", "tcp:localhost:{port}"]
)
def test_changes_are_in_force_when_ovs_vsctl_returns(
    room: Room, tmp_path: Path, port: int, remote: str
) -> None:
    with OvsdbServer(
        room, tmp_path, f"ptcp:{port}:[::]" if "::" in remote else f"ptcp:{port}"
    ) as db:
        db.vsctl("--no-wait init")
        room.run("ip", "tuntap", "add", "v0", "mode", "tap")
        name = remote.format(socket=db.socket, port=port)
        with follower(room, tmp_path, name) as daemon:
            followed(daemon)
            assert where(daemon) == (name, "")
            db.vsctl("add-br br0 -- add-port br0 v0 tag=5 -- set Interface v0 ofport_request=7")
            assert daemon.ask("port show v0")["tag"] == 5
            assert db.vsctl("get Interface v0 ofport error").split() == ["7", "[]"]
            db.vsctl("del-br br0")
            assert daemon.ask("bridge list") == []
        assert "is not there" not in daemon.log


def test_both_command_lines_work_on_the_same(room: Room, tmp_path: Path) -> None:
    with OvsdbServer(room, tmp_path) as db:
        db.vsctl("--no-wait init")
        for name in ("v0", "v2"):
            room.run("ip", "tuntap", "add", name, "mode", "tap")
        with follower(room, tmp_path, f"unix:{db.socket}") as daemon:
            followed(daemon)
            daemon.do("bridge add br0 ageing 60")
            daemon.do("port add v0 bridge br0 tag 5")
            assert db.vsctl("list-ports br0") == "v0"
            assert db.vsctl("get Port v0 tag") == "5"
            assert db.vsctl("get Bridge br0 other_config") == '{mac-aging-time="60"}'
            db.vsctl("add-port br0 v2 -- set Port v0 tag=6 external_ids:a=b")
            assert daemon.ask("port show v0")["tag"] == 6
            daemon.do("port set v0 storm-limit 100")
            assert db.vsctl("get Port v0 other_config external_ids").split() == [
                '{storm-limit="100"}',
                "{a=b}",
            ]
            assert "there is no device v9" in daemon.refuse("port add v9 bridge br0")
            assert db.vsctl("list-ports br0").split() == ["v0", "v2"]
            daemon.do("port del v2")
            assert db.vsctl("list-ports br0") == "v0"
            daemon.do("bridge del br0")
            assert db.vsctl("list-br") == ""
            numbers = db.vsctl("get Open_vSwitch . next_cfg cur_cfg").split()
            until(lambda: len(set(numbers)) == 1, "cur_cfg follows the daemon's own commands, too")


def test_rows_that_cannot_be_had_are_shown_and_deleted(room: Room, tmp_path: Path) -> None:
    with OvsdbServer(room, tmp_path) as db:
        db.vsctl("--no-wait init")
        with follower(room, tmp_path, f"unix:{db.socket}") as daemon:
            followed(daemon)
            db.vsctl("--no-wait add-br br0 -- add-port br0 vx0 -- set Interface vx0 type=vxlan")
            db.vsctl("--no-wait add-br a/b")
            until(lambda: len(daemon.ask("bridge list")) == 2, "both are listed")
            assert daemon.ask("port show vx0")["state"] == "error"
            daemon.do("port del vx0")
            assert db.vsctl("list-ports br0") == ""
            daemon.do("bridge del a/b")
            assert db.vsctl("list-br") == "br0"
            assert [each["name"] for each in daemon.ask("port list")] == ["br0"]


def test_what_the_server_refuses_is_an_error_and_changes_nothing(
    room: Room, tmp_path: Path
) -> None:
    with OvsdbServer(room, tmp_path) as db:
        db.vsctl("--no-wait init")
        with follower(room, tmp_path, f"unix:{db.socket}") as daemon:
            followed(daemon)
            daemon.do("bridge add br0")
            assert db.process
            db.process.send_signal(19)  # stopped, so it does not answer
            try:
                error = daemon.refuse("bridge add br1")
            finally:
                db.process.send_signal(18)
            assert "does not answer" in error
            until(lambda: db.vsctl("list-br") == "br0\nbr1", "it was made after all")
            until(lambda: len(daemon.ask("bridge list")) == 2, "and that is followed")


def test_the_daemon_is_ready_before_its_database_is(room: Room, tmp_path: Path) -> None:
    db = OvsdbServer(room, tmp_path)
    with follower(room, tmp_path, f"unix:{db.socket}") as daemon:
        assert "No such file" in where(daemon)[1]
        assert "not followed" in daemon.do("show")
        assert "can't be had" in daemon.refuse("bridge add br0")
        with db:
            until(lambda: "no Open_vSwitch row" in where(daemon)[1], "it is empty", 20)
            assert "no Open_vSwitch row" in daemon.refuse("bridge add br0")
            until(lambda: "no Open_vSwitch row" in daemon.log, "it is said")
            db.vsctl("--no-wait init")
            followed(daemon)
            daemon.do("bridge add br0")
            assert db.vsctl("list-br") == "br0"
        assert daemon.log.count(f"is not there: unix:{db.socket}: No such file") == 1
        assert daemon.log.count("no Open_vSwitch row") == 1


def test_loss_and_return(room: Room, tmp_path: Path) -> None:
    room.run("ip", "tuntap", "add", "v0", "mode", "tap")
    with OvsdbServer(room, tmp_path) as db:
        db.vsctl("--no-wait init")
        with follower(room, tmp_path, f"unix:{db.socket}") as daemon:
            followed(daemon)
            db.vsctl("add-br br0 -- add-port br0 v0 tag=5")
            db.kill()
            until(lambda: where(daemon)[1], "the loss is noticed")
            assert daemon.ask("port show v0")["state"] == "down"
            assert "can't be had" in daemon.refuse("port set v0 tag 9")
            room.run("ip", "link", "del", "v0")
            until(lambda: daemon.ask("port show v0")["state"] == "waiting", "links are followed")
            assert daemon.ask("port show v0")["tag"] == 5
            db.start()
            db.vsctl("--no-wait set Port v0 tag=6 -- add-br br1")
            followed(daemon)
            db.vsctl("wait-until Interface v0 ofport=-1 -- wait-until Bridge br1 datapath_id!=[]")
            assert daemon.ask("port show v0")["tag"] == 6
            db.vsctl("del-br br1")
            assert daemon.log.count(" is lost; forwarding goes on") == 1
            assert "Traceback" not in daemon.log
            assert "no Open_vSwitch row" not in daemon.log  # it only had not come yet


def test_a_root_that_is_deleted_ends_nothing(room: Room, tmp_path: Path) -> None:
    with OvsdbServer(room, tmp_path) as db:
        db.vsctl("--no-wait init")
        with follower(room, tmp_path, f"unix:{db.socket}") as daemon:
            followed(daemon)
            db.vsctl("add-br br0")
            delete = '["Open_vSwitch",{"op":"delete","table":"Open_vSwitch","where":[]}]'
            room.run("ovsdb-client", "transact", f"unix:{db.socket}", delete)
            until(lambda: "no Open_vSwitch row" in where(daemon)[1], "it is empty")
            assert [each["name"] for each in daemon.ask("bridge list")] == ["br0"]
            db.vsctl("--no-wait init -- add-br br1")
            until(
                lambda: [each["name"] for each in daemon.ask("bridge list")] == ["br1"],
                "it is followed again",
            )


def test_of_two_daemons_one_acts_and_the_other_waits(room: Room, tmp_path: Path) -> None:
    with OvsdbServer(room, tmp_path) as db, Room() as elsewhere:
        db.vsctl("--no-wait init")
        remote = f"unix:{db.socket}"
        with follower(elsewhere, tmp_path, remote, name="other") as first:
            followed(first)
            with follower(room, tmp_path, remote) as second:
                until(lambda: "another daemon acts" in where(second)[1], "the second waits")
                db.vsctl("add-br br0")
                assert [each["name"] for each in first.ask("bridge list")] == ["br0"]
                assert second.ask("bridge list") == []
                assert "another daemon acts" in second.refuse("bridge add br1")
                until(lambda: second.log.count("another daemon acts") == 1, "it is said")
                assert first.process
                first.process.kill()
                followed(second)
                until(lambda: second.ask("bridge list"), "it has taken over")
                assert vsctl(room, remote, "add-br br1").returncode == 0
                assert len(second.ask("bridge list")) == 2


def test_beside_open_vswitchs_own_daemon_it_waits(room: Room, tmp_path: Path) -> None:
    variables = {
        **os.environ,
        **{f"OVS_{each}": str(tmp_path) for each in ("RUNDIR", "DBDIR", "LOGDIR", "SYSCONFDIR")},
    }
    with OvsdbServer(room, tmp_path) as db:
        db.vsctl("--no-wait init")
        remote = f"unix:{db.socket}"
        theirs = room.start("ovs-vswitchd", remote, env=variables, stderr=subprocess.DEVNULL)
        try:
            db.vsctl("add-br br0 -- set Bridge br0 datapath_type=netdev")
            with follower(room, tmp_path, remote) as daemon:
                until(lambda: "another daemon acts" in where(daemon)[1], "it waits")
                version = db.vsctl("get Open_vSwitch . ovs_version")
                process.stop(theirs)
                followed(daemon)
                until(lambda: daemon.ask("bridge list"), "it has taken over")
                db.vsctl("--no-wait set Open_vSwitch . external_ids:a=b")
                until(
                    lambda: "hotswitch" in db.vsctl("get Open_vSwitch . ovs_version"),
                    f"it says so instead of {version}",
                )
        finally:
            process.stop(theirs)
