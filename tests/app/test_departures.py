"""Rows of ports that have gone: kept for the next daemon, until they are gone too."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from hotswitch.app.departures import KeptDepartures
from tests.support import process
from tests.support.daemon import Daemon
from tests.support.room import Room
from tests.support.wait import until

FIRST, SECOND = "0f0e0d0c-0000-4000-8000-000000000001", "0f0e0d0c-0000-4000-8000-000000000002"


def test_they_are_kept_until_they_are_none(tmp_path: Path) -> None:
    path = tmp_path / "conf.db.departures"
    kept = KeptDepartures(path)
    assert kept.load() == set()
    for rows in ({FIRST}, {FIRST, SECOND}, {SECOND}, set()):
        kept.keep(rows)
        assert KeptDepartures(path).load() == rows
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cant_be_used_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "conf.db.departures"
    path.write_bytes(b"\xff\xfe")
    kept = KeptDepartures(path)
    assert kept.load() == set()
    assert "can't be read" in caplog.text
    kept.keep({FIRST})
    assert KeptDepartures(path).load() == {FIRST}
    path.with_name(path.name + ".new").mkdir()
    caplog.clear()
    for _ in range(2):
        kept.keep({FIRST, SECOND})
    assert caplog.text.count("can't write") == 1
    path.with_name(path.name + ".new").rmdir()
    kept.keep({FIRST, SECOND})
    assert KeptDepartures(path).load() == {FIRST, SECOND}


def test_a_device_that_comes_after_a_kill_does_not_inherit(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon dies when the port has gone, and before its row has."""
    room.run("ip", "netns", "add", "switch")
    file = tmp_path / "killed"
    monkeypatch.setenv("KILLED_AT", str(file))
    options = "--netns", "switch"
    with Daemon(room, tmp_path / "run", *options, kind="tests.support.killed_at") as daemon:
        room.run("ip", "tuntap", "add", "tap0", "mode", "tap", host="switch")
        daemon.do("bridge add br0")
        daemon.do("port add tap0 bridge br0 tag 10 lifecycle ephemeral")
        file.write_text("4")  # amid what is done to the datapath
        assert daemon.process
        daemon.process.send_signal(signal.SIGUSR2)
        until(lambda: file.with_suffix(".counts").exists(), "it counts")
        room.run("ip", "link", "del", "tap0", host="switch")
        until(lambda: file.with_suffix(".step").exists(), "it is killed")
        process.stop(daemon.process)
        departures = tmp_path / "run" / "conf.db.departures"
        assert departures.exists(), "its row is still there"
        room.run("ip", "tuntap", "add", "tap0", "mode", "tap", host="switch")
        daemon.start()
        until(lambda: [each["name"] for each in daemon.ask("port list")] == ["br0"], "it is gone")
        daemon.do("port add tap0 bridge br0")
        assert daemon.ask("port show tap0")["tag"] is None
        assert not departures.exists()
