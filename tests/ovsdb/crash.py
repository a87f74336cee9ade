"""A writer that gets killed, for the crash tests: it says what is promised, and when."""

from __future__ import annotations

import os
import random
import signal
import struct
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from hotswitch.ovsdb.schema import DatabaseSchema
from hotswitch.ovsdb.storage import Storage

SCHEMA: dict[str, Any] = {
    "name": "Crash",
    "version": "1.0.0",
    "tables": {
        "Counter": {"columns": {"value": {"type": "integer"}}, "isRoot": True, "maxRows": 1},
        "Half": {
            "columns": {
                "number": {"type": "integer"},
                "text": {"type": "string"},
                "other": {"type": {"key": {"type": "uuid", "refTable": "Half"}}},
            },
            "isRoot": True,
        },
    },
}
_ACKNOWLEDGEMENT = struct.Struct("=q")


def create(path: Path) -> None:
    """Make the database, with its counter at zero."""
    storage = Storage.create(path, DatabaseSchema.from_json(SCHEMA))
    outcome = storage.transact([{"op": "insert", "table": "Counter", "row": {"value": 0}}])
    assert outcome.changes is not None
    storage.sync()()
    storage.close()


def run_and_kill(path: Path, seed: int) -> int:
    """Have a process write until it is killed; return the last number that it promised, or 0.

    Odd seeds: it is killed from outside, some time after a promise. Even seeds: at its n-th call
    that changes the file, of which there are many, since the kernel takes few bytes at a time.
    """
    readable, writable = os.pipe()
    said, saying = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(readable)
            _write_until_killed(path, writable, seed)
        except BaseException:
            os.write(saying, traceback.format_exc().encode())
        finally:
            os._exit(70)
    os.close(writable)
    os.close(saying)
    promised = b""
    try:
        if seed % 2:
            promised = os.read(readable, _ACKNOWLEDGEMENT.size)
            for _ in range(random.Random(seed).randint(0, 10_000)):
                pass  # where exactly the kill hits is left to chance
            os.kill(child, signal.SIGKILL)
        while piece := os.read(readable, 1 << 16):
            promised += piece
    finally:
        os.close(readable)
        _, status = os.waitpid(child, 0)
        with os.fdopen(said) as stream:
            last_words = stream.read()
    assert os.WIFSIGNALED(status), f"the writer died by itself:\n{last_words}"
    if not promised:
        return 0
    (number,) = _ACKNOWLEDGEMENT.unpack(promised[-_ACKNOWLEDGEMENT.size :])
    return int(number)


def _write_until_killed(path: Path, acknowledge: int, seed: int) -> NoReturn:
    """Add pairs of halves, numbered on from the counter; write each number when it's durable."""
    chance = random.Random(seed)
    if seed % 2 == 0:
        _die_at(chance.randint(1, 200), chance.randint(10, 100))
    storage = Storage.open(path)
    number = count(storage)
    while True:
        number += 1
        outcome = storage.transact(pair(number, "x" * chance.randint(0, 300)))
        assert outcome.changes is not None, outcome.results
        storage.sync()()
        os.write(acknowledge, _ACKNOWLEDGEMENT.pack(number))
        if chance.random() < 0.1:
            storage.compact()


def _die_at(calls: int, size: int) -> None:
    """Kill this process at its n-th call that changes a file; writes take few bytes at a time."""
    left = calls

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments)

        return wrapper

    write = os.pwrite
    os.pwrite = counted(lambda file, data, at: write(file, bytes(data[:size]), at))
    for name in ("fsync", "fdatasync", "ftruncate", "rename", "unlink"):
        setattr(os, name, counted(getattr(os, name)))


def count(storage: Storage) -> int:
    """Return the counter, after seeing that there are exactly the pairs that it counts."""
    (counter,) = _column(storage, "Counter", "value")
    numbers = sorted(_column(storage, "Half", "number"))
    assert numbers == sorted([*range(1, counter + 1), *range(1, counter + 1)])
    return int(counter)


def _column(storage: Storage, table: str, column: str) -> list[Any]:
    index = storage.database.schema.tables[table].by_name[column].index
    return [row[index][0] for row in storage.database.table(table).values()]


def pair(number: int, text: str) -> list[dict[str, Any]]:
    """Return the operations that add one more pair."""

    def half(own: str, other: str) -> dict[str, Any]:
        row = {"number": number, "text": text, "other": ["named-uuid", other]}
        return {"op": "insert", "table": "Half", "uuid-name": own, "row": row}

    counter = {"op": "update", "table": "Counter", "where": [], "row": {"value": number}}
    return [half("a", "b"), counter, half("b", "a"), {"op": "commit", "durable": True}]
