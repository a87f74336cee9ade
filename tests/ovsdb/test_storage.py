"""Databases in files: what is promised stays, whatever happens."""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hotswitch.ovsdb.log import LogError, encode_record, read_records
from hotswitch.ovsdb.log_file import LogFile
from hotswitch.ovsdb.schema import DatabaseSchema
from hotswitch.ovsdb.schemas import load
from hotswitch.ovsdb.storage import Storage
from tests.ovsdb import crash

KILLS = 125
"""In each of four tests, which run in parallel: 500 in all."""

needs_ovsdb_tool = pytest.mark.skipif(
    shutil.which("ovsdb-tool") is None, reason="Open vSwitch's ovsdb-tool is not installed"
)

SCHEMA: dict[str, Any] = {
    "name": "Test",
    "version": "1.2.3",
    "tables": {
        "T": {
            "columns": {
                "name": {"type": "string"},
                "tags": {"type": {"key": "integer", "min": 0, "max": "unlimited"}},
                "shadow": {"type": "string", "ephemeral": True},
            },
            "isRoot": True,
        }
    },
}


def _schema(**more: Any) -> DatabaseSchema:
    return DatabaseSchema.from_json({**SCHEMA, **more})


def _create(path: Path) -> Storage:
    return Storage.create(path, _schema(), date=lambda: 1_600_000_000_123)


def insert(name: str, *tags: int) -> dict[str, Any]:
    return {"op": "insert", "table": "T", "row": {"name": name, "tags": ["set", list(tags)]}}


def content(storage: Storage, *columns: str) -> list[tuple[Any, ...]]:
    by_name = storage.database.schema.tables["T"].by_name
    indexes = [by_name[each].index for each in columns or ("name", "tags")]
    rows = storage.database.table("T").values()
    return sorted(tuple(row[index] for index in indexes) for row in rows)


@pytest.fixture
def memory_path() -> Iterator[Path]:
    """Where syncing costs nothing: what a killed process has written stays anyway."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as directory:
        yield Path(directory)


@pytest.mark.parametrize("part", range(500 // KILLS))
def test_a_killed_writer_keeps_its_promises(memory_path: Path, part: int) -> None:
    path = memory_path / "crash.db"
    crash.create(path)
    torn = 0
    for seed in range(part * KILLS, (part + 1) * KILLS):
        promised = crash.run_and_kill(path, seed)
        storage = Storage.open(path)
        assert crash.count(storage) >= promised
        torn += storage.torn is not None
        if crash.count(storage) > 200:  # start anew, to stay quick
            storage.close()
            path.unlink()
            crash.create(path)
        else:
            storage.close()
    assert torn >= 20  # or else the kills hit nothing of interest


def test_a_file_cut_anywhere_in_its_last_record_loses_only_that(memory_path: Path) -> None:
    path = memory_path / "crash.db"
    crash.create(path)
    for seed in (1, 2):
        crash.run_and_kill(path, seed)
    storage = Storage.open(path)
    number = crash.count(storage)
    assert storage.transact(crash.pair(number + 1, "last")).changes
    storage.close()
    whole = path.read_bytes()
    last = list(read_records(whole))[-1]
    for end in range(last.offset, last.end):
        path.write_bytes(whole[:end])
        storage = Storage.open(path)
        assert crash.count(storage) == number
        length = end - last.offset
        assert (storage.torn.length if storage.torn else 0) == length
        storage.close()
        assert path.stat().st_size == last.offset


def test_a_byte_changed_anywhere_in_the_last_record_loses_only_that(memory_path: Path) -> None:
    path = memory_path / "conf.db"
    storage = _create(path)
    storage.transact([insert("a")])
    storage.transact([insert("b")])
    storage.close()
    whole = path.read_bytes()
    last = list(read_records(whole))[-1]
    for position in range(last.offset, last.end):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        storage = Storage.open(path)
        assert content(storage, "name") == [(("a",),)]
        assert storage.torn is not None and storage.torn.offset == last.offset
        storage.close()


def test_damage_in_the_middle_is_refused_and_nothing_is_touched(tmp_path: Path) -> None:
    path = tmp_path / "conf.db"
    storage = _create(path)
    for name in "abc":
        storage.transact([insert(name)])
    storage.close()
    record = list(read_records(path.read_bytes()))[2]
    damaged = bytearray(path.read_bytes())
    damaged[record.end - 5] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(LogError, match=rf"conf\.db: the record at offset {record.offset} "):
        Storage.open(path)
    assert path.read_bytes() == damaged
    with pytest.raises(LogError, match="offset"):  # and its lock is free
        Storage.open(path)


@pytest.mark.parametrize("data", [b"", b"hello", b"OVSDB JSON 4 ", b"\0" * 100])
def test_what_is_no_database_is_refused_and_not_touched(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "conf.db"
    path.write_bytes(data)
    with pytest.raises(LogError):
        Storage.open(path)
    assert path.read_bytes() == data


def test_a_transaction_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "conf.db"
    _create(path).close()
    log = LogFile(path)
    list(log.records())
    log.append(encode_record({"Nowhere": {}}))
    log.close()
    with pytest.raises(LogError, match="No table named Nowhere"):
        Storage.open(path)


def test_everything_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "conf.db"
    storage = _create(path)
    storage.transact([insert("a", 1, 2), insert("b")])
    storage.transact(
        [
            {"op": "mutate", "table": "T", "where": [], "mutations": [["tags", "insert", 7]]},
            {"op": "update", "table": "T", "where": [], "row": {"shadow": "gone"}},
            {"op": "comment", "comment": "why"},
        ]
    )
    storage.transact([{"op": "delete", "table": "T", "where": [["name", "==", "b"]]}])
    before = content(storage)
    assert before == [(("a",), (1, 2, 7))]
    storage.close()
    storage = Storage.open(path)
    assert content(storage) == before
    assert content(storage, "shadow") == [(("",),)]
    assert storage.torn is None
    storage.close()
    comments = [each.value.get("_comment") for each in read_records(path.read_bytes())]
    assert comments == [None, None, "why", None]


def test_a_change_of_ephemeral_columns_is_not_written(tmp_path: Path) -> None:
    storage = _create(tmp_path / "conf.db")
    storage.transact([insert("a")])
    size = storage.size
    update = {"op": "update", "table": "T", "where": [], "row": {"shadow": "x"}}
    assert storage.transact([update]).changes
    assert storage.size == size
    storage.close()


def test_a_change_that_the_disk_does_not_take_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    path = tmp_path / "conf.db"
    storage = _create(path)
    storage.transact([insert("a")])

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    outcome = storage.transact([insert("b")])
    storage.transact([insert("b")])
    monkeypatch.undo()
    assert storage.refusal == f"can't write {path}: No space left on device"
    assert caplog.messages == [f"{storage.refusal}; what clients ask for is refused"]
    assert outcome.changes is None
    assert outcome.results[-1]["error"] == "I/O error"
    assert "No space left" in outcome.results[-1]["details"]
    assert content(storage, "name") == [(("a",),)]
    assert storage.transact([insert("c")]).changes
    assert storage.refusal == "" and caplog.messages[1:] == [f"{path} is written again"]
    storage.close()
    storage = Storage.open(path)
    assert content(storage, "name") == [(("a",),), (("c",),)]
    storage.close()


def test_compaction_keeps_the_content_and_what_comes_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "conf.db"
    storage = _create(path)
    storage.transact([insert("a")])
    for number in range(100):
        mutation = {"table": "T", "where": [], "mutations": [["tags", "insert", number]]}
        storage.transact([{"op": "mutate", **mutation}])
    large = storage.size
    begun = storage.begin_compaction()
    assert begun is not None and storage.compacting
    compaction, replacement = begun
    storage.transact([insert("b")])
    compaction.write(replacement)
    storage.transact([insert("c")])
    storage.join_compaction(replacement)
    storage.transact([insert("d")])
    replacement.install()
    storage.transact([insert("e")])
    storage.end_compaction(replacement, installed=True)
    storage.transact([insert("f")])
    assert storage.size < large / 2
    before = content(storage)
    assert len(before) == 6
    storage.close()
    storage = Storage.open(path)
    assert content(storage) == before
    storage.close()


def test_growth_asks_for_compaction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hotswitch.ovsdb.storage.COMPACTION_MINIMUM", 2000)
    storage = _create(tmp_path / "conf.db")
    assert not storage.wants_compaction()
    storage.transact([insert("x" * 3000)])
    assert storage.wants_compaction()
    storage.compact()
    assert not storage.wants_compaction()
    storage.transact([insert("y" * 3000)])
    assert not storage.wants_compaction()  # not yet twice as large
    storage.transact([insert("z" * 3000)])
    assert storage.wants_compaction()
    storage.close()


def test_conversion_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "conf.db"
    storage = _create(path)
    storage.transact([insert("a", 5)])
    columns = {"name": {"type": "string"}, "size": {"type": "integer"}}
    storage.convert(_schema(version="2.0.0", tables={"T": {"columns": columns, "isRoot": True}}))
    assert content(storage, "name", "size") == [(("a",), (0,))]
    storage.close()
    storage = Storage.open(path)
    assert storage.database.schema.version == "2.0.0"
    assert content(storage, "name", "size") == [(("a",), (0,))]
    storage.close()


def _tool(*arguments: str | Path) -> str:
    return subprocess.run(
        ["ovsdb-tool", *arguments], capture_output=True, text=True, check=True
    ).stdout


@needs_ovsdb_tool
def test_ovsdb_tool_understands_our_file(tmp_path: Path) -> None:
    path = tmp_path / "conf.db"
    storage = _create(path)
    storage.transact([insert("a", 1), {"op": "comment", "comment": "first"}])
    mutate = {"op": "mutate", "table": "T", "where": [], "mutations": [["tags", "insert", 2]]}
    storage.transact([mutate])
    storage.close()
    assert 'record 1: 2020-09-13 12:26:40.123 "first"' in _tool("show-log", path)
    assert _tool("db-version", path) == "1.2.3\n"
    _tool("compact", path)
    query = '["Test",{"op":"select","table":"T","where":[],"columns":["name","tags"]}]'
    assert '"tags":["set",[1,2]]' in _tool("query", path, query)
    storage = Storage.open(path)
    assert content(storage) == [(("a",), (1, 2))]
    storage.close()


@needs_ovsdb_tool
def test_a_database_of_open_vswitch_loads_and_goes_back(tmp_path: Path) -> None:
    path, schema = tmp_path / "conf.db", tmp_path / "schema"
    schema.write_text(json.dumps(load("Open_vSwitch").to_json()))
    _tool("create", path, schema)
    operations = [
        "Open_vSwitch",
        {"op": "insert", "table": "Open_vSwitch", "row": {"bridges": ["named-uuid", "b"]}},
        {
            "op": "insert",
            "table": "Bridge",
            "uuid-name": "b",
            "row": {"name": "br0", "external_ids": ["map", [["k", "v"]]]},
        },
    ]
    _tool("transact", path, json.dumps(operations))
    update = {"op": "update", "table": "Bridge", "where": [], "row": {"stp_enable": True}}
    _tool("transact", path, json.dumps(["Open_vSwitch", update]))
    storage = Storage.open(path)
    bridge = {"op": "select", "table": "Bridge", "where": [], "columns": ["name", "stp_enable"]}
    assert storage.transact([bridge]).results == [{"rows": [{"name": "br0", "stp_enable": True}]}]
    rename = {"op": "update", "table": "Bridge", "where": [], "row": {"fail_mode": "secure"}}
    assert storage.transact([rename]).changes
    storage.close()
    back = _tool("query", path, json.dumps(["Open_vSwitch", {**bridge, "columns": ["fail_mode"]}]))
    assert "secure" in back
