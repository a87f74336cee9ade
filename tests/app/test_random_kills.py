"""The daemon is killed at random moments while links come, go and change; nothing comes of it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support import process
from tests.support.daemon import REAL, Daemon, environment
from tests.support.room import Room
from tests.support.wait import until

KILLS = 25
"""Of each of four tests."""

_LONGEST_LIFE = 1.2
_RULES = "tap* lifecycle=ephemeral; em{guest}.{nic}+pv{guest}.{nic} tag=7"


@pytest.mark.parametrize("seed", range(4))
def test_what_a_killed_daemon_leaves_is_what_a_fresh_plan_wants(
    room: Room, tmp_path: Path, seed: int
) -> None:
    room.run("ip", "netns", "add", "switch")
    daemon = Daemon(room, tmp_path / "run", "--netns", "switch", kind=REAL)
    with daemon:
        daemon.do("bridge add br0")
        daemon.do("bridge add br1")
        daemon.do("port add other0 bridge br1 lifecycle static --absent-ok")
        daemon.hotswitch("bridge", "set", "br0", "adopt", _RULES)
        line = [sys.executable, "-m", "tests.support.link_storm", str(seed)]
        storm = room.start(*line, host="switch", env=environment())
        moments = random.Random(seed)
        try:
            for _ in range(KILLS):
                time.sleep(moments.uniform(0, _LONGEST_LIFE))  # the moment, not a wait for anything
                assert daemon.process
                process.stop(daemon.process)
                assert storm.poll() is None
                with (tmp_path / "run.log").open("a") as log:
                    daemon.process = process.start(daemon.command(), env=environment(), stderr=log)
        finally:
            storm.terminate()
            assert storm.wait(10) == 0
            process.stop(storm)
        assert daemon.process
        process.stop(daemon.process)
        daemon.start()
        until(lambda: _adopted(daemon) == _devices(room), "all devices have their ports", 30)
        process.stop(daemon.process)
        left = _fresh_plan(room, daemon)
        assert left["steps"] == []
        links = [
            index for ports in left["ports"].values() for each in ports.values() for index in each
        ]
        assert len(links) == len(set(links))
        daemon.start()
        assert _adopted(daemon) == _devices(room)
    assert "Traceback" not in daemon.log and "a bug" not in daemon.log, daemon.log[-4000:]


def _adopted(daemon: Daemon) -> set[str]:
    """The devices that have ports, by the names that they have now."""
    links = [link for port in daemon.ask("port list") for link in port["links"]]
    return {link["device"] for link in links if link["ifindex"]}


def _devices(room: Room) -> set[str]:
    """Those that the rules take, whatever they are called by now; not their other ends."""
    shown = json.loads(room.run("ip", "-json", "link", host="switch").stdout)
    return {each["ifname"] for each in shown if _is_taken(each)}


def _is_taken(link: dict[str, Any]) -> bool:
    names = [link["ifname"], *link.get("altnames", ())]
    return any(name.startswith(("tap", "em", "pv")) for name in names) or "other0" in names


def _fresh_plan(room: Room, daemon: Daemon) -> dict[str, Any]:
    line = [sys.executable, "-m", "tests.support.fresh_plan", str(daemon.run_dir), "switch"]
    looking = room.start(*line, env=environment(), stdout=subprocess.PIPE)
    said, _ = looking.communicate(timeout=60)
    assert looking.returncode == 0
    found: dict[str, Any] = json.loads(said)
    return found
