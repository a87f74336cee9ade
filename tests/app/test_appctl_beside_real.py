"""ovs-appctl on the daemon and on the real ovs-vswitchd: the same words for the same state."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.clients import peers
from tests.clients.peers import Switch
from tests.support.wait import until

pytestmark = pytest.mark.skipif(
    not peers.AVAILABLE or os.geteuid() != 0, reason="needs Open vSwitch and root"
)

STATE = (
    "add-br br0 -- set Bridge br0 datapath_type=netdev"
    " -- add-port br0 p0 tag=10 -- set Interface p0 ofport_request=7"
    " -- add-port br0 p1 -- set Interface p1 ofport_request=2"
    " -- add-br br1 -- set Bridge br1 datapath_type=netdev"
)
SAME = (
    "ofproto/list",
    "fdb/show br0",
    "fdb/show br9",
    "fdb/show",
    "fdb/flush",
    "fdb/flush br0",
    "fdb/flush br9",
    "fdb/add br0 p0 10 02:00:00:00:00:01",
    "fdb/add br0 p0 10 02:00:00:00:00:01",
    "fdb/show br0",
    "fdb/add br0 p1 10 02:00:00:00:00:01",
    "fdb/add br0 br0 10 02:00:00:00:00:01",
    "fdb/add br0 p1 20 02:00:00:00:00:02",
    "fdb/show br0",
    "fdb/flush br0",
    "fdb/add br9 p0 10 02:00:00:00:00:01",
    "fdb/add br0 p0 10 nonsense",
    "fdb/add br0 p0 10",
    "fdb/del br0 10 nonsense",
    "fdb/del br0 10 02:00:00:00:00:09",
    "fdb/del br9 10 02:00:00:00:00:01",
    "fdb/del br0 10 02:00:00:00:00:01",
    "fdb/stats-clear br0",
    "fdb/stats-clear",
    "fdb/stats-clear br9",
    "fdb/stats-show br9",
    "dpif/dump-flows br9",
    "dpctl/dump-flows -x",
    "dpif/dump-dps",
    "vlog/set nonsense",
    "vlog/set PATTERN:nowhere:x",
    "vlog/disable-rate-limit nonsense",
    "coverage/read-counter nonsense",
    "nonsense",
)
"""Commands, one after another, that both answer with the same words."""


def ask(control: Path, line: str) -> tuple[int, str, str]:
    command = ["ovs-appctl", "-T", "30", "-t", str(control), *line.split()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    # Each of hotswitch's bridges is a datapath of its own, of the type "system".
    output = re.sub(r"^(system|netdev)@", "TYPE@", done.stdout, flags=re.MULTILINE)
    return done.returncode, output, done.stderr.partition("ovs-appctl: ")[0]


def prepared(switch: Switch) -> Switch:
    switch.add_taps("p0", "p1")
    switch.vsctl(STATE)
    until(lambda: switch.vsctl("get Interface p0 ofport") == "7", "the port is there")
    return switch


def test_the_same_words_for_the_same_state(tmp_path: Path) -> None:
    for name in ("ours", "real"):
        (tmp_path / name).mkdir()
    with (
        peers.hotswitch(tmp_path / "ours") as ours,
        peers.open_vswitch(tmp_path / "real") as real,
    ):
        prepared(ours), prepared(real)
        (theirs,) = (tmp_path / "real").glob("ovs-vswitchd.*.ctl")
        own = tmp_path / "ours" / "run" / "ctl.sock"
        for line in SAME:
            assert ask(own, line) == ask(theirs, line), line
        shown = [ask(each, "fdb/stats-show br0")[1].splitlines() for each in (own, theirs)]
        assert shown[0][: len(shown[1])] == shown[1]
