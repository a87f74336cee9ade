"""What is refused is refused in one line, whoever refuses it, and nothing has changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hotswitch.ovsdb.schema import DatabaseSchema
from hotswitch.ovsdb.schemas import load
from hotswitch.ovsdb.storage import Storage
from tests.support.daemon import REFERENCE, Daemon
from tests.support.room import Room


def _stricter() -> DatabaseSchema:
    """A schema that allows less than hotswitch does."""
    schema: Any = load("Open_vSwitch").to_json()
    tables = schema["tables"]
    tables["Port"]["columns"]["tag"]["type"]["key"]["maxInteger"] = 100
    tables["Bridge"]["maxRows"] = 1
    tables["Interface"]["columns"]["mtu_request"]["type"]["key"]["maxInteger"] = 9000
    return DatabaseSchema.from_json(schema)


@pytest.fixture
def strict(room: Room, tmp_path: Path) -> Iterator[Daemon]:
    file = tmp_path / "conf.db"
    Storage.create(file, _stricter()).close()
    with Daemon(room, tmp_path / "run", "--db", str(file), kind=REFERENCE) as daemon:
        daemon.do("bridge add br0")
        daemon.do("port add tap0 bridge br0 --absent-ok tag 10")
        yield daemon


REFUSED = {
    "port add tap1 bridge br0 --absent-ok tag 200": "200 is not in the valid range 0 to 100",
    "port set tap0 tag 200": "200 is not in the valid range 0 to 100",
    "port set tap0 mtu 9001": "9001 is not in the valid range",
    "bridge add br1": "limit of 1 row",
}


def test_a_constraint_of_the_database_is_told_in_one_line(strict: Daemon) -> None:
    before = strict.ask("port list"), strict.ask("bridge list")
    for line, says in REFUSED.items():
        error = strict.refuse(line)
        assert error.startswith("hotswitch: the database refuses it: ") and says in error, error
        assert (strict.ask("port list"), strict.ask("bridge list")) == before
    strict.do("port set tap0 tag 99")
    assert "Traceback" not in strict.log


def test_what_another_port_has_is_refused_by_its_name(daemon: Daemon) -> None:
    daemon.room.run("ip", "link", "add", "v0", "type", "veth", "peer", "v1")
    daemon.do("bridge add br0")
    daemon.do("bridge add br1")
    daemon.do("port add v0 bridge br0")
    daemon.do("port add v1 bridge br1")
    daemon.do("port add vm bridge br0 vif tap1,vif1 --absent-ok")
    before = daemon.ask("show")
    taken = {
        "port set v0 vif v1": "v1 is already port v1 of bridge br1",
        "port set v0 vif v0,tap1": "tap1 is already port vm of bridge br0",
        "port set v0 vif br1": "br1 is itself a bridge",
        "port set vm vif tap1,vm,br0": "br0 is already port br0 of bridge br0",
        "port add vif1 bridge br1 --absent-ok": "vif1 is already port vm of bridge br0",
        "port set v0 link name=v1": "v1 is already port v1 of bridge br1",
        "port add x bridge br0 link id=0 --absent-ok": "'id=0' is no link id",
        "port add x bridge br0 link id=2147483648 --absent-ok": "'id=2147483648' is no link id",
        "port add x bridge br0 link id=999": "there is no device id=999",
    }
    for line, says in taken.items():
        assert says in daemon.refuse(line)
        assert daemon.ask("show") == before
    daemon.do("port set vm vif tap2")
    daemon.do("port set vm vif tap1")
    links = [each["name"] for each in daemon.ask("port show vm")["links"]]
    assert links == ["tap1"] and "Traceback" not in daemon.log


LONG = "x" * 5000


def test_what_is_long_is_repeated_in_part(strict: Daemon) -> None:
    for line in (
        f"port show {LONG}",
        f"port del {LONG}",
        f"bridge add {LONG}",
        f"port add {LONG} bridge y{LONG}",
        f"port list bridge {LONG}",
        f"port {LONG}",
        LONG,
        f"fdb add {LONG} port tap0",
        f"port set tap0 {LONG} 1",
        f"port set tap0 tag {LONG}",
        f"trace in {LONG}",
    ):
        done = strict.hotswitch(*line.split())
        assert done.returncode in (1, 2) and done.stdout == ""
        assert done.stderr.count("\n") == 1 and len(done.stderr) < 1000, line[:40]
    done = strict.hotswitch("port", "set", "tap0", "tag", "\n" * 5000)
    assert done.stderr.count("\n") == 1 and len(done.stderr) < 1000


def test_a_static_address_is_added_and_forgotten(strict: Daemon) -> None:
    strict.room.run("ip", "link", "add", "tap0", "type", "veth", "peer", "far")
    strict.do("fdb add 2:0:0:0:0:1 port br0")
    (row,) = strict.ask("fdb show")
    assert (row["mac"], row["port"], row["vlan"]) == ("02:00:00:00:00:01", "br0", 0)
    assert row["static"] is True
    assert "br0 0" in " ".join(strict.do("fdb show").split())
    assert "static" in strict.do("fdb show")
    assert "is not in VLAN 20" in strict.refuse("fdb add 2:0:0:0:0:1 port tap0 vlan 20")
    assert "there is no port tap9" in strict.refuse("fdb add 2:0:0:0:0:1 port tap9")
    assert "there is no static address" in strict.refuse("fdb del 2:0:0:0:0:2")
    assert strict.hotswitch("fdb", "add", "2:x", "port", "br0").returncode == 2
    strict.do("fdb del 2:0:0:0:0:1 bridge br0")
    assert strict.ask("fdb show") == []
