"""The desired state in its file."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hotswitch.app import document
from hotswitch.app.store import JsonStore, StoreError
from hotswitch.model.port import Hook
from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort, VlanMode

names = some.from_regex(r"\A[a-z][a-zA-Z0-9._-]{0,14}\Z")
vlans = some.integers(0, 4095)


@some.composite
def desired_states(draw: some.DrawFn) -> Desired:
    taken = draw(some.lists(names, unique=True, max_size=8))
    bridges = {}
    while taken:
        name = taken.pop()
        members = [taken.pop() for _ in range(draw(some.integers(0, len(taken))))]
        ports = {
            each: DesiredPort(
                name=each,
                tag=draw(some.none() | vlans),
                trunks=tuple(sorted(draw(some.sets(vlans, max_size=4)))),
                mode=draw(some.none() | some.sampled_from(VlanMode)),
                hook=draw(some.sampled_from(Hook)),
                storm_limit=draw(some.integers(0, 10**9)),
                number=draw(some.sampled_from([0, position + 1])),
            )
            for position, each in enumerate(members)
        }
        bridges[name] = DesiredBridge(
            name,
            MappingProxyType(ports),
            draw(some.integers(0, 10**6)),
            draw(some.integers(1, 10**6)),
            draw(some.booleans()),
        )
    return Desired(MappingProxyType(bridges))


ONE = Desired({"br0": DesiredBridge("br0", {"tap0": DesiredPort("tap0", tag=10)})})


@given(desired_states())
def test_what_is_encoded_is_decoded(desired: Desired) -> None:
    assert document.decode(document.encode(desired)) == desired


@given(some.binary(max_size=200))
def test_garbage_is_refused_with_the_declared_error(data: bytes) -> None:
    with pytest.raises(document.DocumentError):
        document.decode(data)


def test_a_missing_file_is_an_empty_switch(tmp_path: Path) -> None:
    assert JsonStore(tmp_path / "desired.json").load() == Desired()


def test_what_is_saved_is_loaded_and_nothing_else_is_left(tmp_path: Path) -> None:
    store = JsonStore(tmp_path / "desired.json")
    store.save(ONE)
    store.save(ONE)
    assert JsonStore(tmp_path / "desired.json").load() == ONE
    assert [each.name for each in tmp_path.iterdir()] == ["desired.json"]


def _bridge(**changes: Any) -> dict[str, Any]:
    return {"version": 1, "bridges": [{"name": "br0", **changes}]}


def _port(**changes: Any) -> dict[str, Any]:
    return _bridge(ports=[{"name": "tap0", **changes}])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({}, "version"),
        ({"version": 2}, "$.version"),
        ({"version": 1, "bridge": []}, "`bridge`"),
        ({"version": 1, "bridges": {}}, "$.bridges"),
        (_bridge(colour="red"), "`colour` - at `$.bridges[0]`"),
        (_bridge(ageing_time=-1), "$.bridges[0].ageing_time"),
        (_bridge(ageing_time=True), "$.bridges[0].ageing_time"),
        (_bridge(name="a/b"), "'a/b'"),
        (_bridge(name="sixteen-letters-"), "too long"),
        (_bridge(name=".."), "no link's name"),
        (_bridge(name="a b"), "no link's name"),
        (_bridge(name=""), "needs a name"),
        (_port(tag=4096), "$.bridges[0].ports[0].tag"),
        (_port(tag="10"), "$.bridges[0].ports[0].tag"),
        (_port(trunks=[10, -1]), "$.bridges[0].ports[0].trunks[1]"),
        (_port(mode="hybrid"), "$.bridges[0].ports[0].mode"),
        (_port(hook="clsact"), "$.bridges[0].ports[0].hook"),
        (_port(number=0xFFFF), "$.bridges[0].ports[0].number"),
        (
            {
                "version": 1,
                "bridges": [{"name": "br0", "ports": [{"name": "br1"}]}, {"name": "br1"}],
            },
            "br1 is itself a bridge",
        ),
        (_bridge(ports=[{"name": "tap0"}, {"name": "tap0"}]), "more than once"),
        (_bridge(ports=[{"name": "a", "number": 3}, {"name": "b", "number": 3}]), "number 3"),
        (
            {
                "version": 1,
                "bridges": [
                    {"name": "br0", "ports": [{"name": "tap0"}]},
                    {"name": "br1", "ports": [{"name": "tap0"}]},
                ],
            },
            "in bridge br0 and in bridge br1",
        ),
    ],
)
def test_a_wrong_document_is_refused_in_one_line_that_says_where(
    tmp_path: Path, content: object, says: str
) -> None:
    path = tmp_path / "desired.json"
    path.write_text(json.dumps(content))
    with pytest.raises(StoreError) as caught:
        JsonStore(path).load()
    text = str(caught.value)
    assert says in text and str(path) in text and "\n" not in text
    assert path.read_text() == json.dumps(content)


def test_a_process_killed_before_the_rename_leaves_the_last_state(tmp_path: Path) -> None:
    path = tmp_path / "desired.json"
    JsonStore(path).save(ONE)
    program = f"""
import os, pathlib, signal
from hotswitch.app.store import JsonStore
from hotswitch.switch.desired import Desired
pathlib.Path.replace = lambda self, target: os.kill(os.getpid(), signal.SIGKILL)
JsonStore(pathlib.Path({str(path)!r})).save(Desired())
"""
    killed = subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": ":".join(sys.path)})
    assert killed.returncode == -signal.SIGKILL
    assert path.with_name("desired.json.new").exists()
    assert JsonStore(path).load() == ONE
    JsonStore(path).save(Desired())
    assert JsonStore(path).load() == Desired()


def test_a_disk_that_refuses_leaves_the_last_state(tmp_path: Path) -> None:
    path = tmp_path / "desired.json"
    JsonStore(path).save(ONE)
    path.with_name("desired.json.new").mkdir()
    with pytest.raises(StoreError, match="can't write"):
        JsonStore(path).save(Desired())
    assert JsonStore(path).load() == ONE
