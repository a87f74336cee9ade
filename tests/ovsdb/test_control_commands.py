"""The server's control socket, asked by Open vSwitch's own client, and beside its own server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hotswitch.ovsdb import log_limit, vlog
from hotswitch.ovsdb.jsonrpc import Reply, Request
from hotswitch.ovsdb.log_limit import LogLimit
from hotswitch.ovsdb.schemas import load
from hotswitch.ovsdb.unixctl import CommandError, Commands, Conversation
from hotswitch.ovsdb.vlog_pattern import PatternFormatter
from tests.support import process
from tests.support.daemon import environment
from tests.support.wait import until

needs_open_vswitch = pytest.mark.skipif(
    shutil.which("ovsdb-server") is None or shutil.which("ovs-appctl") is None,
    reason="Open vSwitch's tools are not installed",
)

SAME = (
    "ovsdb-server/list-dbs",
    "ovsdb-server/list-dbs one",
    "ovsdb-server/compact",
    "ovsdb-server/compact Open_vSwitch",
    "ovsdb-server/compact _Server",
    "ovsdb-server/compact Nothing",
    "ovsdb-server/get-db-storage-status Open_vSwitch",
    "ovsdb-server/get-db-storage-status Nothing",
    "ovsdb-server/remove-db _Server",
    "ovsdb-server/remove-db Nothing",
    "ovsdb-server/remove-remote nothing",
    "ovsdb-server/reconnect",
    "ovsdb-server/memory-trim-on-compaction on",
    "ovsdb-server/memory-trim-on-compaction maybe",
    "ovsdb-server/tlog-list",
    "ovsdb-server/tlog-set Open_vSwitch:Bridge maybe",
    "ovsdb-server/tlog-set Open_vSwitch on",
    "ovsdb-server/tlog-set Nothing:Bridge on",
    "ovsdb-server/tlog-set Open_vSwitch:Nothing on",
    "ovsdb-server/tlog-set Open_vSwitch:Bridge on",
    "ovsdb-server/tlog-list",
    "ovsdb-server/sync-status",
    "ovsdb-server/get-active-ovsdb-server",
    "ovsdb-server/disconnect-active-ovsdb-server",
    "ovsdb-server/get-sync-exclude-tables",
    "ovsdb-server/perf-counters-clear",
    "ovsdb-server/add-remote",
    "vlog/set nonsense",
    "vlog/set ANY:console:nonsense",
    "vlog/set console:syslog",
    "vlog/set dbg:info",
    "vlog/set console:info",
    "vlog/set syslog,err",
    "vlog/set PATTERN",
    "vlog/set PATTERN:nowhere:x",
    "vlog/set FACILITY:local3",
    "vlog/set FACILITY:nonsense",
    "vlog/set dbg",
    "vlog/set",
    "vlog/disable-rate-limit nonsense",
    "vlog/disable-rate-limit",
    "vlog/enable-rate-limit ANY",
    "vlog/reopen",
    "vlog/close",
    "coverage/read-counter nonsense",
    "memory/show too much",
    "nonsense",
    "exit",
)
"""Commands, one after another, that both servers answer with the same words."""


class Server:
    """A database server with a control socket, in a process of its own."""

    def __init__(self, folder: Path, command: list[str]) -> None:
        self.folder = folder
        self._log = (folder / "log").open("w")
        self._process = process.start(
            command, cwd=folder, env=environment(), stderr=self._log, stdout=self._log
        )
        until((folder / "ctl").exists, "the server listens", 30)

    def ask(self, line: str) -> tuple[int, str, str]:
        command = ["ovs-appctl", "-t", str(self.folder / "ctl"), *line.split()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        return done.returncode, done.stdout, done.stderr.partition("ovs-appctl: ")[0]

    def said(self) -> str:
        return (self.folder / "log").read_text()

    def close(self) -> None:
        process.stop(self._process)
        self._log.close()


@contextlib.contextmanager
def serving(folder: Path, *program: str) -> Iterator[Server]:
    (folder / "schema").write_text(json.dumps(load("Open_vSwitch").to_json()))
    subprocess.run(["ovsdb-tool", "create", "conf.db", "schema"], cwd=folder, check=True)
    command = [*program, "conf.db", f"--remote=punix:{folder}/db.sock", f"--unixctl={folder}/ctl"]
    with contextlib.closing(Server(folder, command)) as server:
        yield server


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "ours"
    folder.mkdir()
    with serving(folder, sys.executable, "-m", "hotswitch.ovsdb") as server:
        yield server


@needs_open_vswitch
def test_commands_say_what_open_vswitch_s_server_says(ours: Server, tmp_path: Path) -> None:
    folder = tmp_path / "real"
    folder.mkdir()
    with serving(folder, "ovsdb-server") as real:
        listed = [_names(each.ask("list-commands")[1]) for each in (ours, real)]
        assert listed[1] <= listed[0]
        for line in SAME:
            assert ours.ask(line) == real.ask(line), line


def _names(listing: str) -> set[str]:
    return {line.split()[0] for line in listing.splitlines()[1:]}


@needs_open_vswitch
@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("set-active-ovsdb-server tcp:127.0.0.1:6640", "can't be a backup"),
        ("connect-active-ovsdb-server", "can't be a backup"),
        ("set-active-ovsdb-server-probe-interval 5000", "no active server"),
        ("set-sync-exclude-tables Open_vSwitch:Bridge", "can't be a backup"),
        ("set-relay-source-probe-interval 5000", "no relay"),
        ("reload", "Configuration file was not specified"),
    ],
)
def test_what_a_standalone_server_is_not_is_refused(ours: Server, command: str, why: str) -> None:
    status, told, error = ours.ask(f"ovsdb-server/{command}")
    assert (status, told) == (2, "") and why in error and error.count("\n") == 1


@needs_open_vswitch
def test_changes_are_logged_where_asked_for(ours: Server) -> None:
    def transact(*operations: Any) -> None:
        asked = json.dumps(["Open_vSwitch", *operations])
        where = f"unix:{ours.folder}/db.sock"
        subprocess.run(["ovsdb-client", "transact", where, asked], check=True, capture_output=True)

    assert ours.ask("ovsdb-server/tlog-set Open_vSwitch:Queue on") == (0, "", "")
    assert ours.ask("vlog/set PATTERN:console:%c|%p|%m")[0] == 0
    transact({"op": "insert", "table": "Queue", "row": {}})
    transact({"op": "insert", "table": "QoS", "row": {"type": "x"}})
    transact({"op": "update", "table": "Queue", "where": [], "row": {"dscp": 3}})
    assert ours.ask("ovsdb-server/tlog-set Open_vSwitch:Queue off")[0] == 0
    transact({"op": "delete", "table": "Queue", "where": []})
    lead = r"^ovsdb\.transaction_log\|INFO\|"
    behind = r" database=Open_vSwitch table=Queue row=[0-9a-f-]{36}$"
    told = re.findall(f"{lead}(.*){behind}", ours.said(), re.MULTILINE)
    assert told == ["insert", "update"]
    assert "CONSOLE  none                              %c|%p|%m" in ours.ask("vlog/list-pattern")[1]


def answer(commands: Commands, talk: Conversation, method: str, *params: str) -> Reply:
    return asyncio.run(commands.answer(Request(method, list(params), 1), talk))


def test_a_client_may_want_json() -> None:
    commands, talk = Commands("a version"), Conversation()
    assert answer(commands, talk, "version").result == "a version\n"
    assert answer(commands, talk, "set-options", "--format", "json").error is None
    assert answer(commands, talk, "version").result == {
        "reply-format": "plain",
        "reply": "a version\n",
    }
    assert answer(commands, talk, "list-commands").result["version"] == ""
    assert answer(commands, talk, "set-options", "--format=text").result == ""
    assert answer(commands, talk, "version").result == "a version\n"
    for words, says in (
        (("--format", "xml"), "option format has invalid value xml"),
        (("--format",), "requires an argument"),
        (("--colour", "red"), "unrecognized option"),
    ):
        assert says in answer(commands, talk, "set-options", *words).error


def test_what_is_long_is_not_repeated_at_length() -> None:
    commands = Commands("a version")
    vlog.register(commands)
    for method, params in (("x" * 9000, []), ("vlog/set", ["y" * 9000]), ("version", ["z" * 9000])):
        error = answer(commands, Conversation(), method, *params).error
        assert len(error) < 400 and error.endswith("\n")


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    known = logging.getLogger("hotswitch.a_test")
    yield known
    vlog.set_levels(["a_test:off"])
    known.setLevel(logging.NOTSET)
    log_limit.unlimited.clear()


@pytest.mark.parametrize(
    ("spec", "level"),
    [
        ("a_test:console:warn", logging.WARNING),
        ("err a_test", logging.ERROR),
        ("emer,a_test,any", logging.CRITICAL),
        ("a_test", logging.DEBUG),
        ("a_test:syslog:err", logging.NOTSET),
        ("a_test:file:info", logging.NOTSET),
    ],
)
def test_levels_are_set_in_any_order(logger: logging.Logger, spec: str, level: int) -> None:
    assert vlog.set_levels([spec]) == ""
    assert logger.level == level


def test_limits_can_be_lifted(logger: logging.Logger) -> None:
    commands, talk = Commands(""), Conversation()
    vlog.register(commands)
    limit = LogLimit(count=1, period=60, logger=logger.name)
    assert [limit.passes(0), limit.passes(1)] == [True, False]
    assert answer(commands, talk, "vlog/disable-rate-limit", "a_test").error is None
    assert limit.passes(2)
    assert re.search(r"^a_test .*\(rate limiting disabled\)$", vlog.show(), re.MULTILINE)
    assert answer(commands, talk, "vlog/enable-rate-limit", "any").error is None
    assert not limit.passes(3)


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        ("%c|%p|%m", "a.module|WARN|it happens port=tap0"),
        ("%-8p%08N%5%", "WARN    00000001    %"),
        ("%D{%Y-%m-%d %H:%M:%S.###}", "2020-01-02 03:04:05.678"),
        ("%D", "2020-01-02 03:04:05.678"),
        ("<%B>%n%t%T{x}", "<132>\nmain{x}"),
        ("%", "%"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_lines_are_written_as_a_pattern_says(pattern: str, line: str) -> None:
    record = logging.makeLogRecord(
        {
            "name": "hotswitch.a.module",
            "levelno": logging.WARNING,
            "msg": "it %s\n",
            "args": ("happens",),
            "created": 1577934245.678,
            "msecs": 678.0,
            "port": "tap0",
        }
    )
    assert PatternFormatter(pattern).format(record) == line


def test_a_wrong_module_is_named() -> None:
    with pytest.raises(CommandError, match="nonsense"):
        vlog.set_levels(["nonsense:dbg"])
