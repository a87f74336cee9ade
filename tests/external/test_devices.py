"""Rows that come and go with devices, in a database that Debian's ovsdb-server holds."""

from __future__ import annotations

from pathlib import Path

from tests.external.server import OvsdbServer, followed, follower, where
from tests.support.room import Room
from tests.support.wait import until


def test_rows_follow_devices_also_when_the_database_was_away(room: Room, tmp_path: Path) -> None:
    def tap(action: str, name: str) -> None:
        room.run("ip", "tuntap", action, name, "mode", "tap")

    with OvsdbServer(room, tmp_path) as db:
        db.vsctl("--no-wait init")
        with follower(room, tmp_path, f"unix:{db.socket}") as daemon:
            followed(daemon)
            db.vsctl("add-br br0 -- set Bridge br0 other_config:adopt=tap*")
            tap("add", "tap0")
            tap("add", "tap1")
            until(lambda: db.vsctl("list-ports br0").split() == ["tap0", "tap1"], "rows are there")
            assert db.vsctl("get Interface tap0 error") == "[]"
            tap("del", "tap0")
            until(lambda: db.vsctl("list-ports br0") == "tap1", "the row has gone")

            db.kill()
            until(lambda: where(daemon)[1], "the database is lost")
            tap("del", "tap1")
            tap("add", "tap2")
            until(
                lambda: {each["name"] for each in daemon.ask("port list")} == {"br0", "tap2"},
                "ports follow devices without it",
            )
            db.start()
            until(lambda: db.vsctl("list-ports br0") == "tap2", "the rows follow", 30)
            db.vsctl("del-port tap2")
            assert {each["name"] for each in daemon.ask("port list")} == {"br0"}
            db.vsctl("add-br br1")
            assert db.vsctl("list-ports br0") == ""
        assert "Traceback" not in daemon.log
