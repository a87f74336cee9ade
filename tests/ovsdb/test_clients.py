"""Real clients against the server as a program of its own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hotswitch.ovsdb.schemas import load
from tests.support.process import start
from tests.support.wait import until

needs_open_vswitch = pytest.mark.skipif(
    shutil.which("ovs-vsctl") is None or shutil.which("ovsdb-tool") is None,
    reason="Open vSwitch's tools are not installed",
)
PATIENCE = 30.0
MANAGERS = "db:Open_vSwitch,Open_vSwitch,manager_options"


class Program:
    """`python -m hotswitch.ovsdb` with a database in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.file = directory / "conf.db"
        self.control = directory / "ctl.sock"
        self.remote = f"unix:{directory}/db.sock"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        options = ["--remote", f"p{self.remote}", "--remote", MANAGERS, "--unixctl", self.control]
        self._process = start(
            [sys.executable, "-m", "hotswitch.ovsdb", self.file, *options],
            env={**os.environ, "PYTHONPATH": "src"},
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def stop(self) -> int:
        assert self._process is not None
        self._process.terminate()
        status = self._process.wait(PATIENCE)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None
        return status

    def close(self) -> None:
        if self._process is not None:
            self.stop()

    @property
    def memory(self) -> int:
        """Resident bytes."""
        assert self._process is not None
        pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def run(self, *command: str | Path, status: int = 0, **more: Any) -> str:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=False, **more
        )
        assert done.returncode == status, (command, done)
        return done.stdout + done.stderr if status else done.stdout

    def vsctl(self, *arguments: str, status: int = 0) -> str:
        return self.run("ovs-vsctl", f"--db={self.remote}", "--no-wait", *arguments, status=status)

    def client(self, command: str, *arguments: str | Path, status: int = 0, **more: Any) -> str:
        return self.run(
            "ovsdb-client", "--timeout=20", command, self.remote, *arguments, status=status, **more
        )

    def appctl(self, *arguments: str, status: int = 0) -> str:
        return self.run("ovs-appctl", "-t", self.control, *arguments, status=status)


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    program = Program(tmp_path)
    program.start()
    try:
        yield program
    finally:
        program.close()


def _eventually(condition: Callable[[], Any]) -> Any:
    return until(condition, "what the clients wait for", PATIENCE)


@needs_open_vswitch
def test_ovs_vsctl(program: Program) -> None:
    vsctl = program.vsctl
    vsctl("init")
    vsctl("add-br", "br0", "--", "add-port", "br0", "p0", "tag=4", "--", "add-port", "br0", "p1")
    vsctl("--may-exist", "add-br", "br0")
    assert "already exists" in vsctl("add-br", "br0", status=1)
    assert vsctl("list-br") == "br0\n"
    assert vsctl("list-ports", "br0") == "p0\np1\n"
    assert vsctl("port-to-br", "p0") == "br0\n"
    vsctl("set", "Interface", "p0", "external_ids:iface-id=x", "type=internal", "ofport_request=7")
    assert vsctl("get", "Interface", "p0", "external_ids:iface-id") == "x\n"
    vsctl("add", "Port", "p1", "trunks", "5,6")
    vsctl("remove", "Port", "p1", "trunks", "5")
    assert vsctl("get", "Port", "p1", "trunks") == "[6]\n"
    vsctl("clear", "Port", "p1", "trunks")
    assert vsctl("--bare", "--columns=name", "find", "Port", "tag=4") == "p0\n"
    assert "constraint" in vsctl("set", "Port", "p1", "tag=5000", status=1)
    vsctl("add-br", "fake0", "br0", "9")
    assert vsctl("br-to-vlan", "fake0") == "9\n"
    mirror = ("--id=@m", "create", "Mirror", "name=m0", "select_all=true")
    vsctl(*mirror, "--", "set", "Bridge", "br0", "mirrors=@m")
    qos = ("--id=@q", "create", "QoS", "type=linux-htb", "queues:1=@u")
    vsctl("set", "Port", "p0", "qos=@q", "--", *qos, "--", "--id=@u", "create", "Queue", "dscp=3")
    vsctl("set-controller", "br0", "tcp:127.0.0.1:6653", "--", "set-fail-mode", "br0", "secure")
    assert vsctl("get-controller", "br0") == "tcp:127.0.0.1:6653\n"
    vsctl("set-ssl", "/a/key.pem", "/a/cert.pem", "/a/ca.pem", "--", "del-ssl")
    vsctl("--timeout=1", "wait-until", "Bridge", "br0", "datapath_id=1", status=-14)
    vsctl("--if-exists", "del-port", "p9", "--", "del-port", "p0", "--", "del-br", "fake0")
    assert "fail_mode: secure" in vsctl("show")
    vsctl("del-br", "br0")
    for table in ("Bridge", "Port", "Interface", "Mirror", "Controller"):
        assert vsctl("list", table) == ""
    assert vsctl("list", "QoS") != ""  # a root table keeps what nobody refers to


@needs_open_vswitch
def test_ovs_vsctl_waits_for_another(program: Program) -> None:
    program.vsctl("init")
    command = ["ovs-vsctl", f"--db={program.remote}", "--timeout=20"]
    waiting = start([*command, "wait-until", "Bridge", "br7"])
    _eventually(lambda: "monitors:" in program.appctl("memory/show"))
    program.vsctl("add-br", "br7")
    assert waiting.wait(PATIENCE) == 0


@needs_open_vswitch
def test_ovsdb_client(program: Program) -> None:
    client, name = program.client, "Open_vSwitch"
    program.vsctl("init", "--", "add-br", "br0")
    assert client("list-dbs") == "Open_vSwitch\n_Server\n"
    schema = json.loads(client("get-schema", name))
    assert schema == load(name).to_json()
    assert client("get-schema-version", name) == f"{schema['version']}\n"
    assert "Bridge" in client("list-tables", name)
    assert "ofport_request" in client("list-columns", name, "Interface")
    assert "br0" in client("dump", name, "Bridge")
    assert 'No table named X."' in client(
        "transact", json.dumps([name, {"op": "insert", "table": "X", "row": {}}])
    )
    select = {"op": "select", "table": "Bridge", "where": [], "columns": ["name"]}
    assert json.loads(client("query", json.dumps([name, select]))) == [{"rows": [{"name": "br0"}]}]
    client("wait", name, "connected")


@needs_open_vswitch
@pytest.mark.parametrize("method", ["monitor", "monitor-cond", "monitor-cond-since"])
def test_ovsdb_client_monitors(program: Program, method: str) -> None:
    program.vsctl("init", "--", "add-br", "br0")
    arguments = {
        "monitor": ["Open_vSwitch", "Bridge", "name"],
        "monitor-cond": ["Open_vSwitch", '[["name","!=","br1"]]', "Bridge", "name"],
        "monitor-cond-since": ["Open_vSwitch", '[["name","!=","br1"]]', "Bridge", "name"],
    }[method]
    output = program.directory / "monitor.out"
    with output.open("w") as file:
        command = ["ovsdb-client", "--format=csv", "--no-headings", method, program.remote]
        monitor = start([*command, *arguments], stdout=file)
        try:
            _eventually(lambda: "initial,br0" in output.read_text())
            program.vsctl("add-br", "br1", "--", "add-br", "br2")
            _eventually(lambda: "insert,br2" in output.read_text())
            program.vsctl("del-br", "br0")
            _eventually(lambda: "delete" in output.read_text())
            assert ("br1" in output.read_text()) == (method == "monitor")
        finally:
            monitor.terminate()
            monitor.wait(PATIENCE)


@needs_open_vswitch
def test_ovsdb_client_backs_up_restores_and_converts(program: Program) -> None:
    client, name = program.client, "Open_vSwitch"
    program.vsctl("init", "--", "add-br", "br0", "--", "add-port", "br0", "p0", "tag=3")
    backup = program.directory / "backup"
    backup.write_text(client("backup", name))
    program.vsctl("del-br", "br0", "--", "add-br", "other")
    with backup.open() as file:
        client("restore", name, stdin=file)
    assert program.vsctl("list-br") == "br0\n"
    assert program.vsctl("get", "Port", "p0", "tag") == "3\n"
    schema = load(name).to_json()
    schema["version"] = "99.0.0"
    schema["tables"]["Bridge"]["columns"]["colour"] = {"type": "string"}
    newer = program.directory / "newer.ovsschema"
    newer.write_text(json.dumps(schema))
    assert client("needs-conversion", newer) == "yes\n"
    client("convert", newer)
    assert client("needs-conversion", newer) == "no\n"
    assert client("get-schema-version", name) == "99.0.0\n"
    assert "colour" in client("dump", name, "Bridge")
    program.stop()
    assert program.run("ovsdb-tool", "db-version", program.file) == "99.0.0\n"
    program.start()
    assert program.vsctl("list-br") == "br0\n"


@needs_open_vswitch
def test_ovsdb_client_locks(program: Program) -> None:
    outputs = [program.directory / "first", program.directory / "second"]
    holders = []
    try:
        for method, output in zip(("lock", "steal"), outputs, strict=True):
            with output.open("w") as file:
                command = ["ovsdb-client", "-v", method, program.remote, "l"]
                holders.append(start(command, stdout=file, stderr=subprocess.DEVNULL))
            _eventually(lambda output=output: "locked" in output.read_text())
        _eventually(lambda: "stolen" in outputs[0].read_text())
    finally:
        for each in holders:
            each.terminate()
            each.wait(PATIENCE)


@needs_open_vswitch
def test_ovs_appctl(program: Program) -> None:
    appctl = program.appctl
    listing = appctl("list-commands")
    assert listing.startswith("The available commands are:\n")
    assert "ovsdb-server/add-remote REMOTE" in listing
    assert appctl("version").startswith("hotswitch ")
    assert "ovsdb.server" in appctl("vlog/list")
    appctl("vlog/set", "ovsdb.server:console:dbg")
    assert "DBG" in next(
        line for line in appctl("vlog/list").splitlines() if line.startswith("ovsdb.server ")
    )
    assert "no destination, level, or module" in appctl("vlog/set", "nonsense", status=2)
    assert "is not a valid command" in appctl("nonsense", status=2)
    assert "requires at least 1 arguments" in appctl("ovsdb-server/add-remote", status=2)
    more = f"punix:{program.directory}/more.sock"
    appctl("ovsdb-server/add-remote", more)
    assert appctl("ovsdb-server/list-remotes").splitlines() == sorted(
        [MANAGERS, more, f"p{program.remote}"]
    )
    assert program.run("ovsdb-client", "list-dbs", more[1:])
    appctl("ovsdb-server/remove-remote", more)
    assert "no such remote" in appctl("ovsdb-server/remove-remote", more, status=2)
    assert appctl("ovsdb-server/list-dbs") == "Open_vSwitch\n_Server\n"
    program.vsctl("init")
    before = program.file.stat().st_ino
    appctl("ovsdb-server/compact", "Open_vSwitch")
    assert program.file.stat().st_ino != before
    assert appctl("ovsdb-server/get-db-storage-status", "Open_vSwitch") == "status: ok\n"
    assert "sessions:" in appctl("memory/show")
    assert "ovsdb_transactions" in appctl("coverage/show")
    extra, schema = program.directory / "extra.db", program.directory / "extra.ovsschema"
    schema.write_text('{"name":"Extra","version":"1.0.0","tables":{}}')
    program.run("ovsdb-tool", "create", extra, schema)
    appctl("ovsdb-server/add-db", str(extra))
    assert "Extra" in program.client("list-dbs")
    appctl("ovsdb-server/remove-db", "Extra")
    assert "Extra" not in program.client("list-dbs")
    appctl("exit")
    _eventually(lambda: not program.control.exists())


@needs_open_vswitch
def test_a_host_moves_here_and_back(tmp_path: Path) -> None:
    """A database that a real ovsdb-server has kept, then this one, then the real one again."""
    if shutil.which("ovsdb-server") is None:
        pytest.skip("Open vSwitch's ovsdb-server is not installed")
    program = Program(tmp_path)
    schema = tmp_path / "schema"
    schema.write_text(json.dumps(load("Open_vSwitch").to_json()))
    program.run("ovsdb-tool", "create", program.file, schema)

    def real_server(*commands: list[str]) -> list[str]:
        control = tmp_path / "real.ctl"
        process = start(
            ["ovsdb-server", program.file, f"--remote=p{program.remote}", f"--unixctl={control}"],
            env={**os.environ, "OVS_RUNDIR": str(tmp_path)},
        )
        try:
            _eventually((tmp_path / "db.sock").exists)
            return [program.vsctl(*each) for each in commands]
        finally:
            process.terminate()
            process.wait(PATIENCE)

    real_server(["init"], ["add-br", "br0"], ["add-port", "br0", "p0", "tag=5"])
    program.start()
    assert program.vsctl("list-ports", "br0") == "p0\n"
    assert program.vsctl("get", "Port", "p0", "tag") == "5\n"
    program.vsctl("set", "Port", "p0", "tag=6", "--", "add-port", "br0", "p1")
    program.vsctl("set", "Port", "p1", "trunks=1,2", "--", "set", "Port", "p1", "trunks=2,3")
    assert program.stop() == 0
    assert "record 5" in program.run("ovsdb-tool", "show-log", program.file)
    tag, trunks = real_server(["get", "Port", "p0", "tag"], ["get", "Port", "p1", "trunks"])
    assert (tag, trunks) == ("6\n", "[2, 3]\n")


def test_the_idl_of_python(program: Program) -> None:
    idl_module = pytest.importorskip("ovs.db.idl")
    poller_module = pytest.importorskip("ovs.poller")
    schema = program.directory / "schema"
    schema.write_text(json.dumps(load("Open_vSwitch").to_json()))
    helper = idl_module.SchemaHelper(location=str(schema))
    helper.register_all()
    idl = idl_module.Idl(program.remote, helper)

    def run_until(condition: Callable[[], Any]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline
            idl.run()
            if condition():
                return
            poller = poller_module.Poller()
            idl.wait(poller)
            poller.timer_wait(100)
            poller.block()

    try:
        run_until(idl.has_ever_connected)
        transaction = idl_module.Transaction(idl)
        root = transaction.insert(idl.tables["Open_vSwitch"])
        bridge = transaction.insert(idl.tables["Bridge"])
        bridge.name = "br0"
        bridge.external_ids = {"a": "b"}
        root.bridges = [bridge]
        assert transaction.commit_block() == transaction.SUCCESS
        names = lambda: [row.name for row in idl.tables["Bridge"].rows.values()]  # noqa: E731
        run_until(lambda: names() == ["br0"])
        transaction = idl_module.Transaction(idl)
        (row,) = idl.tables["Bridge"].rows.values()
        row.setkey("external_ids", "c", "d")
        assert transaction.commit_block() == transaction.SUCCESS
        run_until(lambda: row.external_ids == {"a": "b", "c": "d"})
    finally:
        idl.close()


def test_junk_costs_no_memory(program: Program) -> None:
    """Every kind of junk for a few seconds; memory is what it was after the first round."""
    path = program.directory / "db.sock"
    kinds = [
        os.urandom(1 << 16),
        b'{"method":"echo","params":[' + b"[" * 100_000,
        b'{"method":"transact","params":["Open_vSwitch"' + b',{"op":"x"}' * 5000 + b'],"id":1}',
        b'{"method":"monitor","params":["Open_vSwitch",1,{"Bridge":{}}],"id":1}' * 1000,
        b'{"method":"x","params":[],"id":1}' * 2000,
        b'{"id":' + b"9" * 10_000,
        b'{"method":"lock","params":["a"],"id":1}{"method":"unlock","params":["a"],"id":1}' * 500,
        b" " * (1 << 16),
    ]

    def pour() -> None:
        for junk in kinds:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(PATIENCE)
                client.connect(str(path))
                try:
                    client.sendall(junk)
                    client.shutdown(socket.SHUT_WR)
                    while client.recv(1 << 20):
                        pass
                except ConnectionError:
                    continue

    for _ in range(3):
        pour()
    before = program.memory
    for _ in range(25):
        pour()
    assert program.memory < before + (8 << 20)
