"""The real forwarding, where the database is away."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from tests.external.hosts import add_hosts, no_packet_lost
from tests.external.server import OvsdbServer, followed, follower, where
from tests.support.daemon import REAL
from tests.support.room import Room


def test_what_an_earlier_life_left_is_untouched_until_the_database_is_there(
    room: Room, tmp_path: Path
) -> None:
    add_hosts(room)
    with OvsdbServer(room, tmp_path) as db:
        db.vsctl("--no-wait init")
        with follower(room, tmp_path, f"unix:{db.socket}", kind=REAL) as daemon:
            followed(daemon)
            db.vsctl("add-br br0 -- add-port br0 v0 -- add-port br0 v1")
            room.run("ping", "-c1", "-w5", "10.0.0.2", host="anna")
            number = db.vsctl("get Interface v1 ofport")
            with no_packet_lost(room):
                db.kill()
                assert daemon.process
                daemon.process.kill()
                daemon.process.wait()
                daemon.start()
                assert where(daemon)[1]
                counts = " ".join(re.findall(r"bridges=\d+ ports=\d+", daemon.log))
                assert counts == "bridges=0 ports=0 bridges=1 ports=3"
                assert daemon.ask("bridge list") == []
                daemon.refuse("bridge add br0")
                db.start()
                followed(daemon)
                db.vsctl("set Bridge br0 external_ids:a=b")
            assert [each["name"] for each in daemon.ask("bridge list")] == ["br0"]
            assert db.vsctl("get Interface v1 ofport") == number
            assert daemon.process
            daemon.process.send_signal(signal.SIGTERM)
            assert daemon.process.wait(20) == 0
            assert "Traceback" not in daemon.log


def test_a_daemon_that_waits_for_its_database_ends_when_told_to(room: Room, tmp_path: Path) -> None:
    with follower(room, tmp_path, f"unix:{tmp_path}/none,tcp:127.0.0.1:9") as daemon:
        assert "none: No such file or directory" in where(daemon)[1]
        daemon.do("shutdown")
        assert daemon.process and daemon.process.wait(20) == 0
        assert "Traceback" not in daemon.log
