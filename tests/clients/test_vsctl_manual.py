"""Every command of ovs-vsctl's manual does the same on hotswitch and on Open vSwitch."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients import peers
from tests.clients.peers import Said, Switch

pytestmark = pytest.mark.skipif(not peers.AVAILABLE, reason="no Open vSwitch here to compare with")

_TEXT = Path(__file__).with_name("manual.txt").read_text()
_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MARKED = re.compile("((?:[!~] )*)(.*)")
_TIMESTAMP = re.compile(r"^\d{4}-\d\d-\d\dT[\d:]+Z\|\d+\|", re.MULTILINE)
_CLEAN = (
    "-- clear Open_vSwitch . bridges manager_options ssl datapaths -- --all destroy QoS "
    "-- --all destroy Queue -- --all destroy Flow_Sample_Collector_Set"
)
_TAPS = ("e0", "e1", "e2", "e3")


def _scenarios() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in _TEXT.splitlines():
        if line.startswith("== "):
            found[line[3:]] = []
        elif line and not line.startswith("#"):
            found[next(reversed(found))].append(line)
    return found


SCENARIOS = _scenarios()


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switch]:
    with peers.hotswitch(tmp_path_factory.mktemp("ours")) as switch:
        switch.add_taps(*_TAPS)
        yield switch


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switch]:
    with peers.open_vswitch(tmp_path_factory.mktemp("theirs")) as switch:
        switch.add_taps(*_TAPS)
        yield switch


def _marks(line: str) -> tuple[str, str]:
    """What is before the command, and the command."""
    found = _MARKED.fullmatch(line)
    assert found
    return found[1], found[2]


def _comparable(said: Said, switch: Switch, any_order: bool) -> Said:
    texts = []
    for text in (said.output, said.errors):
        text = _UUID.sub("UUID", _TIMESTAMP.sub("", text))
        text = text.replace(str(switch.socket), "SOCKET")
        lines = [line for line in text.splitlines() if "ovs_version: " not in line]
        texts.append("\n".join(sorted(lines) if any_order else lines))
    return Said(said.status, *texts)


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_same_as_open_vswitch(name: str, ours: Switch, theirs: Switch) -> None:
    for switch in (ours, theirs):
        switch.vsctl(_CLEAN)
    for line in SCENARIOS[name]:
        marks, command = _marks(line)
        said, expected = (
            _comparable(switch.try_vsctl(command), switch, "~" in marks)
            for switch in (ours, theirs)
        )
        assert said == expected, command
        assert bool(said.status) == ("!" in marks), command


def test_all_commands_are_compared() -> None:
    """All that --help names, but for what a comparison can't show."""
    elsewhere = {"--force", "--verbose", "--log-file", "--help", "--version", "--syslog-method"}
    elsewhere |= {"--syslog-target", "--ssl-protocols", "--ssl-ciphers"}
    elsewhere |= {"--private-key", "--certificate", "--ca-cert", "--bootstrap-ca-cert"}
    usage = subprocess.run(["ovs-vsctl", "--help"], capture_output=True, text=True).stdout
    commands = set(re.findall(r"^  ([a-z][a-z-]+)(?: |$)", usage, re.MULTILINE))
    options = set(re.findall(r"--[a-z][a-z-]+", usage)) - elsewhere
    assert len(commands) > 40 and len(options) > 10
    words = {word.partition("=")[0] for line in _TEXT.splitlines() for word in line.split()}
    assert (commands | options) - words == set()
