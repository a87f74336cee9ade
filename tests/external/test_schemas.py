"""Databases whose schema is older or newer than hotswitch's own; without forwarding."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.external.server import SCHEMA, OvsdbServer, followed, follower, vsctl, where
from tests.support.room import Room
from tests.support.wait import until


def _write(path: Path, schema: Any) -> Path:
    path.write_text(json.dumps(schema))
    return path


def _older() -> Any:
    """As it was years ago: tables, columns, and values that a column takes, are missing."""
    schema = json.loads(SCHEMA.read_text())
    tables = schema["tables"]
    schema["version"] = "7.1.0"
    del schema["cksum"]
    for table, columns in {
        "Open_vSwitch": "datapaths dpdk_initialized dpdk_version datapath_types iface_types",
        "Bridge": "auto_attach datapath_version rstp_enable rstp_status mcast_snooping_enable",
        "Port": "cvlans protected rstp_status rstp_statistics",
        "Interface": "mtu_request ingress_policing_rate ingress_policing_burst error ifindex "
        "ingress_policing_kpkts_rate ingress_policing_kpkts_burst cfm_flap_count lldp",
    }.items():
        for column in columns.split():
            del tables[table]["columns"][column]
    for table in ("AutoAttach", "Datapath", "CT_Zone", "CT_Timeout_Policy"):
        del tables[table]
    duplex = tables["Interface"]["columns"]["duplex"]
    duplex["type"]["key"]["enum"] = ["set", ["simplex"]]
    return schema


def _newer() -> Any:
    schema = json.loads(SCHEMA.read_text())
    tables = schema["tables"]
    schema["version"] = "99.0.0"
    del schema["cksum"]
    tables["Teleport"] = {"columns": {"name": {"type": "string"}}, "isRoot": True}
    reference = {"type": {"key": {"type": "uuid", "refTable": "Teleport"}, "min": 0, "max": 1}}
    tables["Interface"]["columns"]["teleport"] = reference
    tables["Port"]["columns"]["weight"] = {"type": {"key": {"type": "real", "minReal": 0.5}}}
    del tables["Port"]["columns"]["weight"]["type"]["key"]["minReal"]
    tables["Interface"]["columns"]["error"] = {"type": {"key": "string", "min": 0, "max": 9}}
    return schema


def _works(room: Room, tmp_path: Path, db: OvsdbServer, version: str) -> None:
    db.vsctl("--no-wait init")
    for name in ("v0", "v1"):
        room.run("ip", "tuntap", "add", name, "mode", "tap")
    with follower(room, tmp_path, f"unix:{db.socket}") as daemon:
        followed(daemon)
        db.vsctl("add-br br0 -- add-port br0 v0 tag=5")
        assert daemon.ask("port show v0")["tag"] == 5
        daemon.do("port add v1 bridge br0 trunks 7,8")
        assert db.vsctl("get Port v1 trunks") == "[7, 8]"
        db.vsctl("wait-until Interface v1 ofport=2")
        assert db.vsctl("get Open_vSwitch . db_version").strip('"') == version
        until(lambda: db.vsctl("get Interface v0 statistics") != "{}", "statistics are written")
        db.vsctl("del-br br0")
        assert daemon.ask("bridge list") == []
        assert "Traceback" not in daemon.log and "can't be written" not in daemon.log


def test_an_older_schema(room: Room, tmp_path: Path) -> None:
    schema = _write(tmp_path / "older", _older())
    with OvsdbServer(room, tmp_path, schema=schema) as db:
        _works(room, tmp_path, db, "7.1.0")


def test_what_an_older_schema_has_no_column_for_is_refused(room: Room, tmp_path: Path) -> None:
    schema = _write(tmp_path / "older", _older())
    room.run("ip", "tuntap", "add", "v0", "mode", "tap")
    with OvsdbServer(room, tmp_path, schema=schema) as db:
        db.vsctl("--no-wait init")
        with follower(room, tmp_path, f"unix:{db.socket}") as daemon:
            followed(daemon)
            daemon.do("bridge add br0")
            error = daemon.refuse("port add v0 bridge br0 mtu 1400")
            assert "the database's schema has no column Interface.mtu_request" in error
            assert db.vsctl("list-ports br0") == ""
            assert [each["name"] for each in daemon.ask("port list")] == ["br0"]
            daemon.do("port add v0 bridge br0")


def test_a_newer_schema(room: Room, tmp_path: Path) -> None:
    schema = _write(tmp_path / "newer", _newer())
    with OvsdbServer(room, tmp_path, schema=schema) as db:
        _works(room, tmp_path, db, "99.0.0")


def test_a_schema_that_changes_while_the_daemon_runs(room: Room, tmp_path: Path) -> None:
    older = _write(tmp_path / "older", _older())
    with OvsdbServer(room, tmp_path, schema=older) as db:
        db.vsctl("--no-wait init")
        remote = f"unix:{db.socket}"
        with follower(room, tmp_path, remote) as daemon:
            followed(daemon)
            db.vsctl("add-br br0")
            room.run("ovsdb-client", "convert", remote, str(SCHEMA))
            wanted = json.loads(SCHEMA.read_text())["version"]
            until(
                lambda: wanted in vsctl(room, remote, "get Open_vSwitch . db_version").stdout,
                "the new schema is followed",
                20,
            )
            db.vsctl("set Interface br0 mtu_request=1400")
            assert db.vsctl("get Interface br0 mtu") == "1400"
            daemon.do("bridge add br1")
            assert where(daemon)[1] == "" and "Traceback" not in daemon.log
