"""Files brought to the disk by the kernel, while we go on."""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotswitch.ovsdb.file_sync import FileSync

_PATIENCE = 20.0


@pytest.fixture
def sync() -> Iterator[FileSync]:
    made = FileSync()
    yield made
    made.close()


def finished(sync: FileSync) -> list[tuple[int, int]]:
    """Those that end next."""
    assert select.select([sync], [], [], _PATIENCE)[0], "nothing ends"
    return sync.finished()


def test_each_ends_under_its_token(sync: FileSync, tmp_path: Path) -> None:
    tokens = {1, 2, 2**63 + 1}
    for token in tokens:
        file = os.open(tmp_path / str(token), os.O_RDWR | os.O_CREAT)
        os.write(file, b"content")
        sync.begin(file, token)
        os.close(file)
    ended: dict[int, int] = {}
    while len(ended) < len(tokens):
        ended |= finished(sync)
    assert ended == dict.fromkeys(tokens, 0)
    assert sync.finished() == []


def test_what_is_no_file_on_a_disk_is_refused(sync: FileSync) -> None:
    readable, writable = os.pipe()
    with pytest.raises(OSError) as refused:
        sync.begin(writable, 1)
    assert refused.value.errno == errno.EINVAL
    os.close(readable)
    os.close(writable)
    with pytest.raises(OSError) as refused:
        sync.begin(writable, 1)
    assert refused.value.errno == errno.EBADF
