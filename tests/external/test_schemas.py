"""Databases whose schema is older or newer than hotswitch's own; without forwarding."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.external.server import SCHEMA, OvsdbServer, followed, follower, vsctl, where
from tests.support.daemon import Daemon
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


class Followed:
    """A daemon and the database that it follows: its own, or that of an ovsdb-server."""

    def __init__(self, daemon: Daemon, remote: str) -> None:
        self.daemon = daemon
        self.remote = remote

    @property
    def is_own(self) -> bool:
        """Whether it is the daemon that serves the database."""
        return self.remote == f"unix:{self.daemon.run_dir}/db.sock"

    def vsctl(self, line: str) -> str:
        """Run ovs-vsctl, which must succeed in time; what it printed."""
        done = vsctl(self.daemon.room, self.remote, line)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def row(self, table: str, name: str = "") -> dict[str, Any]:
        """A row's columns as the protocol has them.

        ovs-vsctl goes by the schema that a server's database _Server tells, which Debian's
        ovsdb-server 3.1 does not bring up to date when it converts: what is new it shows as unset.
        """
        [row] = self.query("Open_vSwitch", table, *([["name", "==", name]] if name else []))
        return row

    def query(self, database: str, table: str, *where: list[str]) -> list[dict[str, Any]]:
        """The rows of a table where these conditions hold."""
        select = {"op": "select", "table": table, "where": where}
        query = json.dumps([database, select])
        done = self.daemon.room.run("ovsdb-client", "query", self.remote, query)
        [result] = json.loads(done.stdout)
        rows: list[dict[str, Any]] = result["rows"]
        return rows

    def convert(self, schema: Path) -> None:
        """Bring the database to another schema, the daemon running."""
        self.daemon.room.run("ovsdb-client", "convert", self.remote, str(schema))


@pytest.fixture(params=["its own", "elsewhere"])
def following(
    request: pytest.FixtureRequest, room: Room, tmp_path: Path
) -> Callable[[Any], AbstractContextManager[Followed]]:
    """A daemon on a database with the schema that is given."""

    @contextmanager
    def with_schema(schema: Any) -> Iterator[Followed]:
        file = _write(tmp_path / "schema", schema)
        if request.param == "its own":
            room.run("ovsdb-tool", "create", str(tmp_path / "conf.db"), str(file))
            with follower(room, tmp_path, str(tmp_path / "conf.db")) as daemon:
                yield Followed(daemon, f"unix:{daemon.run_dir}/db.sock")
            return
        with OvsdbServer(room, tmp_path, schema=file) as db:
            db.vsctl("--no-wait init")
            with follower(room, tmp_path, f"unix:{db.socket}") as daemon:
                followed(daemon)
                yield Followed(daemon, f"unix:{db.socket}")

    return with_schema


Following = Callable[[Any], AbstractContextManager[Followed]]


def _works(db: Followed, version: str) -> None:
    daemon = db.daemon
    for name in ("v0", "v1"):
        daemon.room.run("ip", "tuntap", "add", name, "mode", "tap")
    db.vsctl("add-br br0 -- add-port br0 v0 tag=5")
    assert daemon.ask("port show v0")["tag"] == 5
    daemon.do("port add v1 bridge br0 trunks 7,8")
    assert db.vsctl("get Port v1 trunks") == "[7, 8]"
    daemon.do("port add i0 bridge br0 type internal tag 5")
    db.vsctl("wait-until Interface v1 ofport=2")
    assert db.vsctl("get Open_vSwitch . db_version").strip('"') == version
    until(lambda: db.vsctl("get Interface v0 statistics") != "{}", "statistics are written")
    daemon.do("bridge add br1")
    daemon.do("bridge del br1")
    db.vsctl("del-br br0")
    assert daemon.ask("bridge list") == []
    assert "Traceback" not in daemon.log and "can't be written" not in daemon.log


def test_an_older_schema(following: Following) -> None:
    with following(_older()) as db:
        _works(db, "7.1.0")
        said = [line for line in db.daemon.log.splitlines() if "old schema" in line]
        assert len(said) == 1, said
        assert "7.1.0" in said[0] and "Interface.mtu_request" in said[0]
        assert "more columns" in said[0] and "ovsdb-client convert" in said[0]


def test_a_schema_from_before_they_had_versions(following: Following) -> None:
    schema = _older()
    tables = schema["tables"]
    del schema["version"], tables["Manager"]
    for table, columns in {
        "Open_vSwitch": "manager_options other_config db_version ovs_version",
        "Port": "vlan_mode status statistics",
        "Interface": "ofport_request admin_state link_state mac_in_use mtu",
    }.items():
        for column in columns.split():
            del tables[table]["columns"][column]
    with following(schema) as db:
        daemon = db.daemon
        daemon.room.run("ip", "tuntap", "add", "v0", "mode", "tap")
        db.vsctl("add-br br0 -- add-port br0 v0 tag=5")
        assert daemon.ask("port show v0")["tag"] == 5
        db.convert(SCHEMA)
        version = json.loads(SCHEMA.read_text())["version"]
        until(lambda: db.row("Open_vSwitch")["db_version"] == version, "it is followed", 20)
        if db.is_own:
            db.vsctl("set-manager ptcp:0:127.0.0.1")
            assert "LISTENING" in db.vsctl("get Manager . status")
        assert "Traceback" not in daemon.log


def test_what_an_older_schema_has_no_column_for_is_refused(following: Following) -> None:
    with following(_older()) as db:
        daemon = db.daemon
        daemon.room.run("ip", "tuntap", "add", "v0", "mode", "tap")
        daemon.do("bridge add br0")
        error = daemon.refuse("port add v0 bridge br0 mtu 1400")
        assert "the database's schema has no column Interface.mtu_request" in error
        assert db.vsctl("list-ports br0") == ""
        assert [each["name"] for each in daemon.ask("port list")] == ["br0"]
        daemon.do("port add v0 bridge br0")


def test_a_device_that_appears_is_kept_in_an_older_schema(following: Following) -> None:
    with following(_older()) as db:
        db.vsctl("add-br br0 -- set Bridge br0 other_config:adopt=zz*")
        db.daemon.room.run("ip", "tuntap", "add", "zz1", "mode", "tap")
        until(lambda: db.vsctl("list-ports br0") == "zz1", "the port is in the database")
        db.vsctl("add-port br0 i0 -- set Interface i0 type=internal")
        assert db.daemon.ask("show")["remarks"] == []


def test_what_a_device_becomes_and_can_t_be_kept_holds_nobody_up(following: Following) -> None:
    schema = _older()
    for column in ("tag", "trunks", "vlan_mode"):
        del schema["tables"]["Port"]["columns"][column]
    settings = (
        "tag=5 trunks=7,8 mode=native-tagged hook=tcx mtu=1400 storm-limit=9 lifecycle=grace=60 "
        "external-ids:owner=me"
    )
    with following(schema) as db:
        db.vsctl("add-br br0")
        done = db.daemon.hotswitch("bridge", "set", "br0", "adopt", f"zz* {settings}")
        assert done.returncode == 0, done.stderr
        db.daemon.room.run("ip", "tuntap", "add", "zz1", "mode", "tap")
        why = "what devices have become can't be kept: the database's schema has no column "
        until(lambda: db.daemon.ask("show")["remarks"], "it says what is missing")
        [said] = db.daemon.ask("show")["remarks"]
        assert said.startswith(why)
        before = db.daemon.ask("port show zz1")
        assert (before["tag"], before["trunks"], before["mtu"]) == (5, [7, 8], 1400)
        db.vsctl("add-port br0 i0 -- set Interface i0 type=internal")
        assert db.vsctl("list-ports br0") == "i0"
        assert db.daemon.log.count(why) == 1
        db.convert(SCHEMA)
        until(lambda: "zz1" in db.vsctl("list-ports br0"), "the port is in the database", 20)
        until(lambda: db.daemon.ask("show")["remarks"] == [], "nothing is missing")
        _is_kept(db)
        after = db.daemon.ask("port show zz1")
        of_time = ("statistics", "state")
        assert {key: after[key] for key in after if key not in of_time} == {
            key: before[key] for key in before if key not in of_time
        }


def _is_kept(db: Followed) -> None:
    port, interface = db.row("Port", "zz1"), db.row("Interface", "zz1")
    assert (port["tag"], port["trunks"]) == (5, ["set", [7, 8]])
    assert port["vlan_mode"] == "native-tagged"
    assert port["other_config"] == ["map", [["lifecycle", "grace=60"], ["storm-limit", "9"]]]
    assert interface["other_config"] == ["map", [["hook", "tcx"]]]
    assert interface["external_ids"] == ["map", [["owner", "me"]]]
    assert (interface["mtu_request"], interface["mtu"]) == (1400, 1400)
    assert interface["error"] == ["set", []] and interface["ifindex"] > 0
    assert (interface["duplex"], interface["ofport"]) == ("full", 1)
    assert "device_name" in dict(interface["status"][1])
    bridge, root = db.row("Bridge", "br0"), db.row("Open_vSwitch")
    assert bridge["datapath_version"] == root["ovs_version"]
    assert root["iface_types"] == ["set", ["internal", "patch", "system", "tap"]]
    assert root["db_version"] == json.loads(SCHEMA.read_text())["version"]


def test_a_newer_schema(following: Following) -> None:
    with following(_newer()) as db:
        _works(db, "99.0.0")
        assert "old schema" not in db.daemon.log


def test_a_schema_that_changes_while_the_daemon_runs(following: Following) -> None:
    with following(_older()) as db:
        daemon = db.daemon
        db.vsctl("add-br br0")
        db.convert(SCHEMA)
        wanted = json.loads(SCHEMA.read_text())["version"]
        until(
            lambda: wanted in db.vsctl("get Open_vSwitch . db_version"),
            "the new schema is followed",
            20,
        )
        db.vsctl("set Interface br0 mtu_request=1400")
        assert db.vsctl("get Interface br0 mtu") == "1400"
        daemon.do("bridge add br1")
        assert where(daemon)[1] == "" and "Traceback" not in daemon.log
        assert daemon.log.count("old schema") == 1
        # Debian's ovsdb-server 3.1 goes on telling the old one; hotswitch's own never does.
        [told] = db.query("_Server", "Database", ["name", "==", "Open_vSwitch"])
        is_right = json.loads(told["schema"])["version"] == wanted
        assert is_right == ("tells clients of" not in daemon.log)
        assert is_right or not db.is_own
