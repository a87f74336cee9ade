"""hotswitchd with a database, and Open vSwitch's own client; without forwarding."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import process
from tests.support.daemon import REFERENCE, Daemon, environment
from tests.support.room import Room
from tests.support.wait import until


class Configured(Daemon):
    """A daemon with a database, and ovs-vsctl to it."""

    def __init__(self, room: Room, folder: Path) -> None:
        self.file = folder / "conf.db"
        super().__init__(room, folder / "run", "--db", str(self.file), kind=REFERENCE)

    def try_vsctl(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run ovs-vsctl, however it ends."""
        return vsctl(self.room, self.run_dir / "db.sock", line)

    def vsctl(self, line: str) -> str:
        """Run ovs-vsctl, which must succeed without a word on standard error; what it printed."""
        done = self.try_vsctl(line)
        assert done.returncode == 0 and not done.stderr, done.stderr
        return done.stdout.strip()

    def get(self, name: str, column: str, table: str = "Interface") -> str:
        return self.vsctl(f"get {table} {name} {column}")


def vsctl(room: Room, socket: Path, line: str) -> subprocess.CompletedProcess[str]:
    command = ["ovs-vsctl", "--timeout=20", f"--db=unix:{socket}", *line.split()]
    return room.run(*command, check=False)


@pytest.fixture
def ovs(room: Room, tmp_path: Path) -> Iterator[Configured]:
    with Configured(room, tmp_path) as running:
        yield running


def test_commands_return_when_they_are_in_force(ovs: Configured) -> None:
    ovs.room.run("ip", "link", "add", "v0", "type", "veth", "peer", "v1")
    ovs.vsctl("add-br br0 -- add-port br0 v0 tag=5 -- set Interface v0 ofport_request=7")
    assert ovs.ask("port show v0")["number"] == 7
    assert ovs.get("v0", "ofport") == "7"
    assert ovs.get("br0", "ofport") == "65534"
    index = json.loads(ovs.room.run("ip", "-j", "link", "show", "v0").stdout)[0]["ifindex"]
    assert ovs.get("v0", "ifindex") == str(index)
    assert ovs.get(".", "cur_cfg", "Open_vSwitch") == ovs.get(".", "next_cfg", "Open_vSwitch")
    ovs.vsctl("del-port v0")
    assert [each["name"] for each in ovs.ask("port list")] == ["br0"]
    ovs.vsctl("del-br br0")
    assert ovs.ask("bridge list") == []
    assert ovs.room.run("ip", "link", "show", "br0", check=False).returncode


def test_a_device_that_is_missing_is_said_and_waited_for(ovs: Configured) -> None:
    ovs.vsctl("add-br br0")
    done = ovs.try_vsctl("add-port br0 v0")
    assert "Error detected while setting up 'v0'" in done.stderr
    assert "could not open network device v0 (No such device)" in done.stderr
    ovs.room.run("ip", "link", "add", "v0", "type", "veth", "peer", "v1")
    ovs.vsctl("wait-until Interface v0 ofport=1 -- get Interface v0 error")
    ovs.room.run("ip", "link", "set", "v1", "up")
    ovs.vsctl("wait-until Interface v0 link_state=up")
    ovs.room.run("ip", "link", "del", "v0")
    ovs.vsctl("wait-until Interface v0 ofport=-1")


def test_what_is_wrong_with_one_row_does_not_stop_the_others(ovs: Configured) -> None:
    ovs.room.run("ip", "link", "add", "v0", "type", "veth", "peer", "v1")
    done = ovs.try_vsctl("add-br br0 -- add-bond br0 b0 e0 e1 -- add-port br0 v0")
    assert done.returncode == 0 and "bonds are not supported yet" in done.stderr
    assert ovs.get("v0", "ofport") == "1"
    assert "bonds are not supported yet" in ovs.get("b0", "status:error", "Port")
    ovs.vsctl("set Bridge br0 stp_enable=true")
    assert ovs.get("br0", "status:not_acted_on", "Bridge") == "stp_enable"
    assert "Bridge br0: stp_enable is kept but not acted on" in ovs.log


def test_a_setting_that_a_device_refuses_ends_nothing(ovs: Configured) -> None:
    ovs.room.run("ip", "tuntap", "add", "v0", "mode", "tap")
    ovs.vsctl("add-br br0 -- add-port br0 v0 -- set Interface v0 mtu_request=65535")
    assert (ovs.get("v0", "ofport"), ovs.get("v0", "error")) == ("1", "[]")
    index = ovs.get("v0", "ifindex")
    why = f"br0: set the MTU of link {index} of v0 to 65535: Invalid argument"
    assert ovs.get("v0", "status:not_acted_on") == f'"{why}"'
    shown = ovs.ask("port show v0")
    assert (shown["state"], shown["error"]) == ("down", why)
    assert why in ovs.log
    ovs.vsctl("set Interface v0 mtu_request=65536")
    left = '"mtu_request (65536 is not in the range 68 to 65535)"'
    assert ovs.get("v0", "status:not_acted_on") == left
    ovs.vsctl("set Interface v0 mtu_request=9000")
    assert (ovs.get("v0", "mtu"), ovs.get("v0", "ofport")) == ("9000", "1")
    assert "not_acted_on" not in ovs.get("v0", "status")


def test_a_manager_that_is_not_served_says_why(ovs: Configured) -> None:
    done = ovs.try_vsctl("set-manager foo:1 pssl:7662:127.0.0.1 ptcp:7663:127.0.0.1")
    assert done.returncode == 0 and "possibly erroneous" in done.stderr
    said = "--columns=target,status list Manager"
    until(lambda: ovs.vsctl(said).count("last_error") == 2, "both say it", 10)
    status = ovs.vsctl(said)
    assert "TLS needs a private key and a certificate" in status and "LISTENING" in status
    for _ in range(3):
        ovs.vsctl("add-br br0 -- del-br br0 -- set Manager ptcp:7663:127.0.0.1 max_backoff=2000")
        ovs.vsctl("clear Manager ptcp:7663:127.0.0.1 max_backoff")
    assert ovs.log.count("TLS needs a private key") == 1
    ovs.vsctl("del-manager")
    ovs.vsctl("set-ssl /nowhere/key /nowhere/cert /nowhere/ca -- set-manager pssl:7662:127.0.0.1")
    until(lambda: "/nowhere/" in ovs.vsctl(said), "it says which file", 10)


def test_a_file_of_a_cluster_is_refused_with_what_to_do(room: Room, tmp_path: Path) -> None:
    body = b'{"cluster_id":"x"}\n'
    digest = hashlib.sha1(body).hexdigest()
    path = tmp_path / "conf.db"
    path.write_bytes(f"OVSDB CLUSTER {len(body)} {digest}\n".encode() + body)
    daemon = Configured(room, tmp_path)
    line = daemon.command()
    done = subprocess.run(line, env=environment(), capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "let ovsdb-server serve it, and give --db unix:PATH" in done.stderr


def test_both_command_lines_work_on_the_same(ovs: Configured) -> None:
    for name in ("v0", "v2"):
        ovs.room.run("ip", "tuntap", "add", name, "mode", "tap")
    ovs.do("bridge add br0 ageing 60")
    ovs.do("port add v0 bridge br0 tag 5")
    assert ovs.vsctl("list-ports br0") == "v0"
    assert ovs.get("v0", "tag", "Port") == "5"
    assert ovs.get("br0", "other_config", "Bridge") == '{mac-aging-time="60"}'
    ovs.vsctl("add-port br0 v2 -- set Port v0 tag=6 external_ids:a=b")
    assert ovs.ask("port show v0")["tag"] == 6
    ovs.do("port set v0 storm-limit 100")
    assert ovs.get("v0", "other_config", "Port") == '{storm-limit="100"}'
    assert ovs.get("v0", "external_ids", "Port") == "{a=b}"
    assert "there is no device v9" in ovs.refuse("port add v9 bridge br0")
    assert ovs.vsctl("list-ports br0").split() == ["v0", "v2"]
    ovs.do("bridge del br0")
    assert ovs.vsctl("list-br") == ""


def test_all_of_it_is_there_after_a_kill(ovs: Configured) -> None:
    assert ovs.process
    for name in ("v0", "v1"):
        ovs.room.run("ip", "tuntap", "add", name, "mode", "tap")
    ovs.vsctl("add-br br0 -- add-port br0 v0 -- add-port br0 v1 -- del-port v0")
    ovs.do("bridge add br1")
    number = ovs.get("v1", "ofport")
    ovs.process.kill()
    ovs.process.wait()
    ovs.start()
    assert ovs.vsctl("list-br").split() == ["br0", "br1"]
    assert ovs.vsctl("list-ports br0") == "v1"
    assert ovs.get("v1", "ofport") == number
    assert ovs.get("br1", "link_state")


def test_a_file_of_open_vswitch_is_taken_over(room: Room, tmp_path: Path) -> None:
    schema = "/usr/share/openvswitch/vswitch.ovsschema"
    daemon = Configured(room, tmp_path)
    room.run("ovsdb-tool", "create", str(daemon.file), schema)
    operations: list[Any] = [
        "Open_vSwitch",
        {"op": "insert", "table": "Interface", "uuid-name": "i", "row": {"name": "br0"}},
        {
            "op": "insert",
            "table": "Port",
            "uuid-name": "p",
            "row": {"name": "br0", "interfaces": ["named-uuid", "i"]},
        },
        {
            "op": "insert",
            "table": "Bridge",
            "uuid-name": "b",
            "row": {"name": "br0", "ports": ["named-uuid", "p"]},
        },
        {"op": "insert", "table": "Open_vSwitch", "row": {"bridges": ["named-uuid", "b"]}},
    ]
    room.run("ovsdb-tool", "transact", str(daemon.file), json.dumps(operations))
    with daemon:
        assert [each["name"] for each in daemon.ask("bridge list")] == ["br0"]
        assert (
            daemon.get(".", "db_version", "Open_vSwitch").strip('"')
            == json.loads(Path(schema).read_text())["version"]
        )
    room.run("ovsdb-tool", "db-version", str(daemon.file))


@pytest.mark.parametrize("content", ["junk", "OVSDB JSON 2 xx\n{}", "OVSDB CLUSTER 1 a\nb"])
def test_a_file_that_is_no_database_is_refused_and_left_alone(
    room: Room, tmp_path: Path, content: str
) -> None:
    daemon = Configured(room, tmp_path)
    daemon.file.write_text(content)
    done = subprocess.run(
        daemon.command(), env=environment(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1 and str(daemon.file) in done.stderr
    assert done.stderr.count("\n") == 1
    assert daemon.file.read_text() == content


_OWN_STATUS = {"device_name", "incarnation"}


def test_it_says_what_open_vswitch_says(ovs: Configured, tmp_path: Path) -> None:
    """The same columns are filled, and the same keys are in statistics and status."""
    other = tmp_path / "ovs"
    other.mkdir()
    schema = "/usr/share/openvswitch/vswitch.ovsschema"
    variables = {
        **os.environ,
        **{f"OVS_{each}": str(other) for each in ("RUNDIR", "DBDIR", "LOGDIR", "SYSCONFDIR")},
    }
    with Room() as room:
        room.run("ovsdb-tool", "create", str(other / "conf.db"), schema)
        socket = other / "db.sock"
        server = ["ovsdb-server", str(other / "conf.db"), f"--remote=punix:{socket}"]
        running = [process.start(room.command(*server), env=variables)]
        try:
            until(socket.exists, "ovsdb-server listens")
            switch = room.command("ovs-vswitchd", f"unix:{socket}")
            running.append(process.start(switch, env=variables, stderr=subprocess.DEVNULL))
            theirs = _described(room, socket, "-- set Bridge br0 datapath_type=netdev")
        finally:
            for each in reversed(running):
                process.stop(each)
    ours = _described(ovs.room, ovs.run_dir / "db.sock", "")
    assert set(ours["v0"]["status"]) >= _OWN_STATUS
    for each in ours.values():  # hotswitch's own, beside theirs
        each["status"] = sorted(set(each.get("status", ())) - _OWN_STATUS)
        if not each["status"]:
            del each["status"]
    assert ours == theirs
    assert "rx_packets" in ours["v0"]["statistics"] and "driver_name" in ours["v0"]["status"]
    assert ours["gone"]["error"] and "ifindex" not in ours["gone"]


def _described(room: Room, socket: Path, more: str) -> dict[str, Any]:
    """By interface, its filled columns; of maps the keys."""
    room.run("ip", "link", "add", "v0", "type", "veth", "peer", "v1")
    for name in ("v0", "v1"):
        room.run("ip", "link", "set", name, "up")
    adding = (
        f"add-br br0 {more} -- add-port br0 v0 -- add-port br0 in0 -- set Interface in0 "
        "type=internal -- add-port br0 tap0 -- set Interface tap0 type=tap -- add-port br0 gone "
        "-- add-port br0 p0 -- set Interface p0 type=patch options:peer=p1 -- add-port br0 p1 "
        "-- set Interface p1 type=patch options:peer=p0"
    )
    assert vsctl(room, socket, adding).returncode == 0
    assert not vsctl(room, socket, "wait-until Interface v0 statistics:rx_errors=0").returncode
    listed = json.loads(vsctl(room, socket, "--format=json list Interface").stdout)
    found = {}
    for row in listed["data"]:
        values = dict(zip(listed["headings"], row, strict=True))
        found[values["name"]] = {
            column: _shape(value) for column, value in values.items() if _shape(value)
        }
    return found


def _shape(value: Any) -> Any:
    """Whether there is something; of a map its keys."""
    if isinstance(value, list) and value[0] == "map":
        return sorted(key for key, _ in value[1])
    return value != ["set", []]


def test_a_command_makes_the_root_again_that_a_client_has_deleted(ovs: Configured) -> None:
    ovs.do("bridge add br0")
    ovs.vsctl("--no-wait -- --all destroy Open_vSwitch")
    until(lambda: ovs.ask("bridge list") == [], "the bridge has gone")
    ovs.do("bridge add br1")
    assert [each["name"] for each in ovs.ask("bridge list")] == ["br1"]
    assert ovs.vsctl("list-br") == "br1"
