"""The `ovs` library's replica of a real ovsdb-server's database."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import ovs.poller
import pytest
from ovs.db.idl import Idl, SchemaHelper, Transaction

from hotswitch.config.idl import replica_tables, transaction
from hotswitch.config.operations import Update
from hotswitch.config.read import Reader
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


def wait_for_change(idl: Idl) -> None:
    before = idl.change_seqno
    while not idl.run() and idl.change_seqno == before:
        poller = ovs.poller.Poller()
        idl.wait(poller)
        poller.timer_wait(10_000)
        poller.block()


def test_reading_and_writing(socket: Path) -> None:
    vsctl(socket, *["add-br", "br0", "--", "add-port", "br0", "v0", "tag=5", "trunks=7,6"])
    helper = SchemaHelper(schema_json=json.loads(SCHEMA.read_text()))
    helper.register_all()
    idl = Idl(f"unix:{socket}", helper)
    try:
        wait_for_change(idl)
        tables = replica_tables(idl)
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
            "error": "odd",
            "status": {"a": "b"},
            "statistics": {"rx_packets": 2**40},
            "cfm_fault_status": ("x", "y"),
        }
        made = transaction(idl, [Update("Interface", uuid, written)])
        assert made.commit_block() == Transaction.SUCCESS
        row = tables["Interface"][uuid]
        assert row is not rows[uuid]
        assert {column: row[column] for column in written} == written
        assert vsctl(socket, "get", "Interface", "v0", "ofport", "error").split() == ["3", "odd"]
        gone = Update("Interface", "00000000-0000-0000-0000-000000000000", {"ofport": 1})
        assert transaction(idl, [gone]).commit_block() == Transaction.UNCHANGED
        vsctl(socket, "del-port", "v0")
        wait_for_change(idl)
        assert uuid not in tables["Interface"]
        del ports["v0"]
        assert reader.read(tables).desired.bridges["br0"].ports == ports
    finally:
        idl.close()
