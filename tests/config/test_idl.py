"""The `ovs` library's replica of a real ovsdb-server's database."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ovs.db.idl import Transaction

from hotswitch.config.idl import Replica, SchemaError, transaction
from hotswitch.config.operations import Update
from hotswitch.config.read import Reader
from hotswitch.ovsdb.caller import Caller
from hotswitch.ovsdb.remotes import parse_servers
from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort, PortKind
from tests.support import process
from tests.support.wait import until

SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")


@pytest.fixture
def socket(tmp_path: Path) -> Iterator[Path]:
    if shutil.which("ovsdb-server") is None:
        pytest.skip("needs Open vSwitch's ovsdb-server")
    file, path = tmp_path / "conf.db", tmp_path / "db.sock"
    subprocess.run(["ovsdb-tool", "create", str(file), str(SCHEMA)], check=True)
    server = process.start(
        ["ovsdb-server", str(file), f"--remote=punix:{path}", f"--unixctl={tmp_path}/ctl"],
        stderr=subprocess.DEVNULL,
    )
    try:
        until(path.exists, "the server listens")
        yield path
    finally:
        process.stop(server)


def vsctl(socket: Path, *words: str) -> str:
    command = ["ovs-vsctl", "--no-wait", "--timeout=10", f"--db=unix:{socket}", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Follower:
    """A replica of what a real server holds, kept up to date in the loop."""

    def __init__(self, socket: Path) -> None:
        self.caller = Caller(parse_servers(f"unix:{socket}"), None, self._news)
        self.replica = Replica(self.caller, json.loads(SCHEMA.read_text()), "a_lock")
        self.caller.start()

    def _news(self) -> None:
        while self.caller.connected:
            self.replica.run()
            if not (self.caller.has_received or self.replica.is_amid):
                break

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.01)

    async def commit(self, *updates: Update) -> str:
        made = transaction(self.replica, updates)
        made.commit()
        await self.until(lambda: made.commit() != Transaction.INCOMPLETE)
        return str(made.commit())


def test_reading_and_writing(socket: Path) -> None:
    asyncio.run(_read_and_write(socket))


async def _read_and_write(socket: Path) -> None:
    vsctl(socket, *["add-br", "br0", "--", "add-port", "br0", "v0", "tag=5", "trunks=7,6"])
    follower = Follower(socket)
    replica = follower.replica
    try:
        await follower.until(lambda: replica.is_current)
        tables = replica.view
        reader = Reader()
        reading = reader.read(tables)
        ports = {
            "br0": DesiredPort("br0", kind=PortKind.INTERNAL),
            "v0": DesiredPort("v0", tag=5, trunks=(6, 7)),
        }
        assert reading.desired == Desired({"br0": DesiredBridge("br0", ports)})
        rows = {uuid: tables["Interface"][uuid] for uuid in tables["Interface"]}
        assert all(tables["Interface"][uuid] is row for uuid, row in rows.items())
        [uuid] = [key for key, row in rows.items() if row["name"] == "v0"]
        written = {
            "ofport": 3,
            "mtu": None,
            "error": "odd \u2028 ü",
            "status": {"a": "b"},
            "statistics": {"rx_packets": 2**40},
            "cfm_fault_status": ("override", "rdi"),
        }
        assert replica.take_news(writing=False)
        assert await follower.commit(Update("Interface", uuid, written)) == Transaction.SUCCESS
        assert not replica.take_news(writing=True), "it is its own"
        row = tables["Interface"][uuid]
        assert row is not rows[uuid]
        assert {column: row[column] for column in written} == written
        assert vsctl(socket, "get", "Interface", "v0", "ofport").strip() == "3"
        await asyncio.to_thread(vsctl, socket, "set", "Port", "v0", "trunks=7,8")
        ports["v0"] = replace(ports["v0"], trunks=(7, 8))
        await follower.until(lambda: reader.read(tables).desired.bridges["br0"].ports == ports)
        assert replica.take_news(writing=True)
        gone = Update("Interface", "00000000-0000-0000-0000-000000000000", {"ofport": 1})
        assert await follower.commit(gone) == Transaction.UNCHANGED
        await asyncio.to_thread(vsctl, socket, "del-port", "v0")
        await follower.until(lambda: uuid not in tables["Interface"])
        assert replica.take_news(writing=True)
        del ports["v0"]
        assert reader.read(tables).desired.bridges["br0"].ports == ports
    finally:
        follower.caller.close()


def test_what_is_no_schema_is_refused(socket: Path) -> None:
    caller = Caller(parse_servers(f"unix:{socket}"), None, lambda: None)
    bad: list[Any] = [{}, [], None, 5, {"name": "x", "tables": {"T": {"columns": {"c": 5}}}}]
    for junk in bad:
        with pytest.raises(SchemaError, match="schema"):
            Replica(caller, junk, "a_lock")


_CHANGES = (
    "add-br br0",
    "add-port br0 v0 tag=5 -- add-port br0 v1",
    "set Port v0 tag=6",
    "set Port v1 trunks=7,8",
    "set Port v1 trunks=8",
    "set Interface v1 type=internal ofport_request=9",
    "set Interface v0 ofport=3 error=x",
    "add-br br1 -- add-port br1 v2",
    "set Bridge br1 other_config:mac-aging-time=60",
    "del-port v0",
    "--may-exist add-port br0 v0",
    "del-br br0 -- add-br br0",
    "remove Bridge br1 other_config mac-aging-time",
    "del-br br1",
)


def test_following_the_rows_that_have_changed_gives_the_same_as_reading_all(socket: Path) -> None:
    asyncio.run(_follow_changes(socket))


async def _follow_changes(socket: Path) -> None:
    vsctl(socket, "init")
    follower = Follower(socket)
    replica = follower.replica
    try:
        await follower.until(lambda: replica.is_current)
        reader = Reader()
        reader.read(replica.view, news=replica.take_rows())
        for line in _CHANGES:
            await asyncio.to_thread(vsctl, socket, *line.split())
            await follower.until(lambda: replica.take_news(writing=False))
            news = replica.take_rows()
            assert news
            followed = reader.read(replica.view, news=news)
            assert followed.desired == Reader().read(replica.view).desired, line
    finally:
        follower.caller.close()
