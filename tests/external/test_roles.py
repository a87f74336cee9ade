"""Remotes with a role (RBAC), beside Open vSwitch's own server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.external.server import SCHEMA, vsctl
from tests.support import process
from tests.support.daemon import environment
from tests.support.room import Room
from tests.support.wait import until

_REMOTES = "db:Open_vSwitch,Open_vSwitch,manager_options"
_TCP, _OTHER = "tcp:127.0.0.1:6641", "ptcp:6642"


def _schema(*, roles: bool) -> Any:
    schema = json.loads(SCHEMA.read_text())
    del schema["cksum"]
    schema["tables"]["Manager"]["columns"]["role"] = {"type": "string"}
    if roles:
        permissions = {"key": "string", "value": "string", "min": 0, "max": "unlimited"}
        columns = {"name": {"type": "string"}, "permissions": {"type": permissions}}
        schema["tables"]["RBAC_Role"] = {"columns": columns, "isRoot": True}
    return schema


@contextmanager
def _serving(room: Room, folder: Path, server: str, *, roles: bool) -> Iterator[str]:
    (folder / "schema").write_text(json.dumps(_schema(roles=roles)))
    room.run("ovsdb-tool", "create", str(folder / "db"), str(folder / "schema"))
    unix = f"unix:{folder}/s"
    words = [str(folder / "db"), f"--remote=punix:{folder}/s", f"--remote={_REMOTES}"]
    program = ["ovsdb-server"] if server == "real" else [sys.executable, "-m", "hotswitch.ovsdb"]
    command = room.command(*program, *words, f"--unixctl={folder}/ctl")
    running = process.start(
        command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until((folder / "s").exists, "it listens", 20)
        manager = {"target": "ptcp:6641", "role": "nobody"}
        insert = {"op": "insert", "table": "Manager", "uuid-name": "m", "row": manager}
        other = {"op": "insert", "table": "Manager", "uuid-name": "n", "row": {"target": _OTHER}}
        row = {"manager_options": ["set", [["named-uuid", "m"], ["named-uuid", "n"]]]}
        root = {"op": "insert", "table": "Open_vSwitch", "row": row}
        transaction = json.dumps(["Open_vSwitch", insert, other, root])
        room.run("ovsdb-client", "transact", unix, transaction)
        # Remotes are made in one go, so with this one the other is as it will be.
        until(lambda: _serves(room, "tcp:127.0.0.1:6642"), "the managers are served")
        yield unix
    finally:
        process.stop(running)


def _update(
    room: Room, remote: str, table: str, row: dict[str, Any]
) -> subprocess.CompletedProcess[str]:
    update = {"op": "update", "table": table, "where": [], "row": row}
    transaction = json.dumps(["Open_vSwitch", update])
    return room.run("ovsdb-client", "--timeout=5", "transact", remote, transaction, check=False)


def _serves(room: Room, remote: str) -> bool:
    return vsctl(room, remote, "list-br").returncode == 0


def _can_change(room: Room) -> bool:
    """Whether a client of the manager can change something."""
    done = _update(room, _TCP, "Open_vSwitch", {"system_type": "x"})
    return not done.returncode and json.loads(done.stdout) == [{"count": 1}]


@pytest.mark.parametrize("server", ["real", "own"])
def test_a_role_means_nothing_where_there_are_none(room: Room, tmp_path: Path, server: str) -> None:
    with _serving(room, tmp_path, server, roles=False):
        until(lambda: _can_change(room), "it may change everything")


@pytest.mark.parametrize("server", ["real", "own"])
def test_where_there_are_roles_an_unknown_one_changes_nothing(
    room: Room, tmp_path: Path, server: str
) -> None:
    with _serving(room, tmp_path, server, roles=True) as unix:
        _update(room, unix, "Open_vSwitch", {"system_type": "y"})
        assert not _can_change(room)
        assert vsctl(room, unix, "get Open_vSwitch . system_type").stdout == "y\n"
