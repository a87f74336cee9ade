"""Durable transactions: what the disk has is answered, however one waits for it."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest

from hotswitch.ovsdb import disk
from hotswitch.ovsdb.jsonrpc import Reply
from hotswitch.ovsdb.log_file import LogFile, Sync
from tests.ovsdb.room import insert_bridge, room

DURABLE = {"op": "commit", "durable": True}


@pytest.fixture(params=["kernel", "thread"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How files are brought to the disk."""

    def lacking() -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    if request.param == "thread":
        monkeypatch.setattr(disk, "FileSync", lacking)


def test_they_share_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs = 0
    real = LogFile.sync

    def counted(log: LogFile) -> Sync:
        nonlocal syncs
        syncs += 1
        return real(log)

    async def scene() -> None:
        async with room(tmp_path) as it:
            client = await it.client()
            for number in range(200):
                client.send("transact", "Open_vSwitch", *insert_bridge(f"br{number}"), DURABLE)
            for _ in range(200):
                message = await client.receive()
                assert isinstance(message, Reply) and message.error is None
                assert all("error" not in each for each in message.result)

    monkeypatch.setattr(LogFile, "sync", counted)
    asyncio.run(scene())
    assert 0 < syncs < 100


def test_none_is_answered_before_the_disk_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    real = Sync.finish

    def noted(sync: Sync, number: int = 0) -> None:
        order.append("on the disk")
        real(sync, number)

    async def scene() -> None:
        async with room(tmp_path) as it:
            client = await it.client()
            for number in range(20):
                await client.ask("transact", "Open_vSwitch", *insert_bridge(f"br{number}"), DURABLE)
                order.append("answered")

    monkeypatch.setattr(Sync, "finish", noted)
    asyncio.run(scene())
    assert order == ["on the disk", "answered"] * 20


def test_a_disk_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Sync.finish

    async def scene() -> None:
        async with room(tmp_path) as it:
            client = await it.client()
            with monkeypatch.context() as patch:
                patch.setattr(Sync, "finish", lambda sync, _=0: real(sync, errno.EIO))
                results = await client.ask(
                    "transact", "Open_vSwitch", *insert_bridge("br0"), DURABLE
                )
            assert results[-1]["error"] == "I/O error"
            results = await client.ask("transact", "Open_vSwitch", *insert_bridge("br1"))
            assert "can't bring" in results[-1]["details"]
            await it.server.compact(it.storage)
            results = await client.ask("transact", "Open_vSwitch", *insert_bridge("br2"), DURABLE)
            assert all("error" not in each for each in results)

    asyncio.run(scene())


def test_both_files_are_brought_there_during_a_compaction(tmp_path: Path) -> None:
    async def scene() -> None:
        async with room(tmp_path) as it:
            client = await it.client()
            begun = it.storage.begin_compaction()
            assert begun is not None
            content, replacement = begun
            content.write(replacement)
            it.storage.join_compaction(replacement)
            sync = it.storage.sync()
            assert len(sync.files) == 2
            sync()
            results = await client.ask("transact", "Open_vSwitch", *insert_bridge("br0"), DURABLE)
            assert all("error" not in each for each in results)
            replacement.install()
            it.storage.end_compaction(replacement, installed=True)

    asyncio.run(scene())
