"""The database file: Open vSwitch's format, crashes, damage, replacement."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotswitch.ovsdb.log import DamageError, LogError, encode_record, read_records
from hotswitch.ovsdb.log_file import LogFile

needs_ovsdb_tool = pytest.mark.skipif(
    shutil.which("ovsdb-tool") is None, reason="Open vSwitch's ovsdb-tool is not installed"
)

SCHEMA: dict[str, Any] = {
    "name": "Test",
    "version": "1.2.3",
    "tables": {"T": {"columns": {"name": {"type": "string"}}, "isRoot": True}},
}
_UUID = "00000000-0000-4000-8000-{:012d}"


def transaction(number: int, text: str = "ü") -> dict[str, Any]:
    return {"T": {_UUID.format(number): {"name": f"{text}{number}"}}, "_date": number}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "conf.db"
    LogFile.create(path, SCHEMA)
    return path


def _append(path: Path, *numbers: int) -> None:
    log = LogFile(path)
    list(log.records())
    for each in numbers:
        log.append(encode_record(transaction(each)))
    log.close()


def _values(path: Path) -> list[dict[str, Any]]:
    return [each.value for each in read_records(path.read_bytes())]


json_objects = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.integers() | st.text(st.characters(exclude_categories=["Cs"])) | st.none(),
)


@given(st.lists(json_objects, max_size=5))
def test_what_is_written_is_read(values: list[dict[str, Any]]) -> None:
    data = b"".join(encode_record(each) for each in values)
    records = list(read_records(data))
    assert [each.value for each in records] == values
    assert [each.offset for each in records] == [0, *(each.end for each in records)][:-1]


def test_a_record_is_as_open_vswitch_writes_it() -> None:
    body = b'{"a":1}\n'
    assert encode_record({"a": 1}) == b"OVSDB JSON 8 " + _sha1sum(body) + b"\n" + body


def _sha1sum(data: bytes) -> bytes:
    return subprocess.run(["sha1sum"], input=data, capture_output=True, check=True).stdout[:40]


def test_a_torn_tail_of_any_length_is_cut(path: Path) -> None:
    _append(path, 1, 2)
    whole = path.read_bytes()
    last = list(read_records(whole))[-1]
    for end in range(last.offset + 1, last.end):
        path.write_bytes(whole[:end])
        log = LogFile(path)
        with pytest.raises(DamageError) as caught:
            list(log.records())
        assert (caught.value.last, caught.value.offset) == (True, last.offset)
        assert log.cut() == end - last.offset
        log.append(encode_record(transaction(3)))
        log.close()
        assert _values(path) == [SCHEMA, transaction(1), transaction(3)]


def test_a_changed_byte_anywhere_in_the_last_record_is_noticed(path: Path) -> None:
    _append(path, 1, 2)
    whole = path.read_bytes()
    last = list(read_records(whole))[-1]
    for position in range(last.offset, last.end):
        for flip in (0x01, 0x80, 0xFF):
            damaged = bytearray(whole)
            damaged[position] ^= flip
            with pytest.raises(DamageError) as caught:
                list(read_records(bytes(damaged)))
            assert (caught.value.last, caught.value.offset) == (True, last.offset)


def test_damage_in_the_middle_says_where(path: Path) -> None:
    _append(path, 1, 2, 3)
    whole = path.read_bytes()
    damaged_record = list(read_records(whole))[2]
    for position in range(damaged_record.offset, damaged_record.end):
        damaged = bytearray(whole)
        damaged[position] ^= 0x10
        seen = []
        with pytest.raises(DamageError, match=f"offset {damaged_record.offset} ") as caught:
            for record in read_records(bytes(damaged)):
                seen.append(record.value)  # noqa: PERF401
        assert not caught.value.last
        assert seen == [SCHEMA, transaction(1)]


def test_a_cluster_file_is_told_apart() -> None:
    data = encode_record({"a": 1}).replace(b"JSON", b"CLUSTER", 1)
    with pytest.raises(DamageError, match="CLUSTER"):
        list(read_records(data))


def test_a_file_is_locked(path: Path) -> None:
    log = LogFile(path)
    with pytest.raises(LogError, match="in use already"):
        LogFile(path)
    code = "import sys; from pathlib import Path; from hotswitch.ovsdb.log_file import LogFile\n"
    code += "LogFile(Path(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(path)]
    environment = {**os.environ, "PYTHONPATH": "src"}
    second = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert "in use by another program" in second.stderr
    log.close()
    subprocess.run(command, env=environment, check=True)


def test_create_keeps_what_is_there(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(LogError, match="File exists"):
        LogFile.create(path, SCHEMA)
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["conf.db"]


def test_a_replacement_has_what_came_meanwhile(path: Path) -> None:
    path.chmod(0o604)
    link = path.with_name("link.db")
    link.symlink_to(path)
    log = LogFile(link)
    list(log.records())
    log.append(encode_record(transaction(1)))
    log.append(encode_record(transaction(2)))
    replacement = log.replace()
    with pytest.raises(LogError, match="already"):
        log.replace()
    log.append(encode_record(transaction(3)))
    replacement.write([encode_record(SCHEMA), encode_record({"T": {}, "_comment": "short"})])
    log.append(encode_record(transaction(4)))
    replacement.join(log.size)
    log.append(encode_record(transaction(5)))
    before_install = _values(path)
    log.sync()()
    replacement.install()
    log.append(encode_record(transaction(6)))
    log.sync()()
    log.adopt(replacement)
    log.append(encode_record(transaction(7)))
    log.sync()()
    expected = [SCHEMA, {"T": {}, "_comment": "short"}, *map(transaction, range(3, 8))]
    assert _values(path) == expected
    assert before_install == [SCHEMA, *map(transaction, range(1, 6))]
    assert log.size == path.stat().st_size
    assert (link.is_symlink(), path.stat().st_mode & 0o777) == (True, 0o604)
    log.close()


def test_an_abandoned_replacement_changes_nothing(path: Path) -> None:
    log = LogFile(path)
    list(log.records())
    replacement = log.replace()
    replacement.write([encode_record(SCHEMA)])
    replacement.join(log.size)
    log.append(encode_record(transaction(1)))
    log.abandon(replacement)
    log.append(encode_record(transaction(2)))
    log.close()
    assert _values(path) == [SCHEMA, transaction(1), transaction(2)]
    assert not path.with_name("conf.db.tmp").exists()


def test_a_failed_write_leaves_the_file_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = LogFile(path)
    list(log.records())
    real = os.pwrite

    def half_then_full(file: int, data: bytes, offset: int) -> int:
        if len(data) < 20:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(file, data[: len(data) // 2], offset)

    monkeypatch.setattr(os, "pwrite", half_then_full)
    with pytest.raises(LogError, match="No space left"):
        log.append(encode_record(transaction(1)))
    monkeypatch.undo()
    assert _values(path) == [SCHEMA]
    log.append(encode_record(transaction(2)))
    log.close()
    assert _values(path) == [SCHEMA, transaction(2)]


def test_after_a_failed_sync_nothing_is_appended_until_replaced(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = LogFile(path)
    list(log.records())

    def fail(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", fail)
    with pytest.raises(LogError, match="Input/output error"):
        log.sync()()
    monkeypatch.undo()
    with pytest.raises(LogError, match="compact"):
        log.append(encode_record(transaction(1)))
    replacement = log.replace()
    replacement.write([encode_record(SCHEMA)])
    replacement.join(log.size)
    replacement.install()
    log.adopt(replacement)
    log.append(encode_record(transaction(1)))
    log.close()
    assert _values(path) == [SCHEMA, transaction(1)]


@needs_ovsdb_tool
def test_ovsdb_tool_reads_our_file(path: Path) -> None:
    _append(path, 1, 2)
    shown = subprocess.run(
        ["ovsdb-tool", "-mmm", "show-log", path], capture_output=True, text=True, check=True
    ).stdout
    assert "record 0" in shown and '"Test"' in shown and "record 2" in shown
    query = '["Test", {"op":"select","table":"T","where":[],"columns":["name"]}]'
    found = subprocess.run(
        ["ovsdb-tool", "query", path, query], capture_output=True, text=True, check=True
    ).stdout
    assert "ü1" in found and "ü2" in found


@needs_ovsdb_tool
def test_we_read_what_ovsdb_tool_wrote(tmp_path: Path) -> None:
    path, schema = tmp_path / "conf.db", tmp_path / "schema"
    schema.write_bytes(encode_record(SCHEMA).split(b"\n", 1)[1])
    subprocess.run(["ovsdb-tool", "create", path, schema], check=True)
    insert = '["Test", {"op":"insert","table":"T","row":{"name":"a"}}]'
    subprocess.run(["ovsdb-tool", "transact", path, insert], capture_output=True, check=True)
    values = _values(path)
    assert values[0]["name"] == "Test"
    assert [row["name"] for row in values[1]["T"].values()] == ["a"]


@needs_ovsdb_tool
def test_ovsdb_tool_sees_our_lock(path: Path) -> None:
    log = LogFile(path)
    insert = '["Test", {"op":"insert","table":"T","row":{"name":"a"}}]'
    refused = subprocess.run(
        ["ovsdb-tool", "transact", path, insert], capture_output=True, text=True, check=False
    )
    log.close()
    assert refused.returncode != 0 and "lock" in refused.stderr
