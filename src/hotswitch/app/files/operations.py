"""The tree as libfuse's threads ask for it (libfuse include/fuse.h: struct fuse_operations)."""

from __future__ import annotations

import errno
import itertools
import os
import stat
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import mfusepy

from hotswitch.app.files.desk import Desk
from hotswitch.app.files.names import key_of
from hotswitch.app.files.tree import Count, Folder, MetadataOf, Node, Setting, Value, find

_SIZE = 4096
"""What all files seem to have, as in sysfs: how much is in one is known when it is read."""


@dataclass(slots=True)
class _Open:
    """An open file. is_new: it is a key that comes to be by the first write, or at the end."""

    content: bytes
    written: Setting | MetadataOf | None
    is_new: bool = False


class TreeOperations(mfusepy.Operations):  # type: ignore[misc]
    """Any thread may call any method at any time. What goes wrong is an OSError.

    group: its members may do what root may; None: only root may.
    mounted: set when the kernel has begun to ask.
    """

    use_ns = True

    def __init__(self, desk: Desk, group: int | None, mounted: threading.Event) -> None:
        self._desk = desk
        self._mounted = mounted
        self._readable, self._writable, self._folder = (
            (0o444, 0o644, 0o755) if group is None else (0o440, 0o660, 0o750)
        )
        now = time.time_ns()
        times = {"st_atime": now, "st_mtime": now, "st_ctime": now}
        self._common = {"st_uid": 0, "st_gid": group or 0, **times}
        self._numbers = itertools.count(1)
        self._open: dict[int, _Open] = {}
        self._new: dict[str, MetadataOf] = {}

    def init(self, path: str) -> None:
        self._mounted.set()

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        mode = self._mode(self._find(path))
        links, size = (2, 0) if stat.S_ISDIR(mode) else (1, _SIZE)
        return {"st_mode": mode, "st_nlink": links, "st_size": size, **self._common}

    def readdir(self, path: str, fh: int) -> Iterator[tuple[str, int, int]]:
        folder = self._find(path)
        if not isinstance(folder, Folder):
            raise OSError(errno.ENOTDIR, path)
        for name in (".", ".."):
            yield name, stat.S_IFDIR, 0
        for name in folder.names:
            node = folder.child(name)
            if node is not None:
                yield name, self._mode(node), 0

    def open(self, path: str, flags: int) -> int:
        node = self._find(path)
        if isinstance(node, Folder):
            raise OSError(errno.EISDIR, path)
        access = flags & os.O_ACCMODE
        if access != os.O_RDONLY and node.written is None:
            raise OSError(errno.EACCES, path)
        content = b"" if access == os.O_WRONLY else self._content(node)
        return self._handle(_Open(content, node.written))

    def create(self, path: str, mode: int, flags: int) -> int:
        parent, _, name = path.rpartition("/")
        folder = self._find(parent)
        key = key_of(name)
        if not isinstance(folder, Folder) or folder.holds is None:
            raise OSError(errno.EPERM, path)
        if key is None:
            raise OSError(errno.EINVAL, path)
        written = MetadataOf(folder.holds.port, key)
        self._new[path] = written
        return self._handle(_Open(b"", written, is_new=True))

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return self._open[fh].content[offset : offset + size]

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        file = self._open[fh]
        if file.written is None:
            raise OSError(errno.EACCES, path)
        if len(data) > _SIZE:
            raise OSError(errno.EINVAL, path)
        try:
            text = data.decode()
        except UnicodeError:
            raise OSError(errno.EINVAL, path) from None
        file.is_new = False
        try:
            self._desk.set(file.written, text)
        except OSError as error:
            raise self._or_gone(path, error) from error
        finally:
            self._new.pop(path, None)
        return len(data)

    def release(self, path: str, fh: int) -> int:
        file = self._open.pop(fh)
        if file.is_new and file.written:
            try:
                self._desk.set(file.written, "")
            finally:
                self._new.pop(path, None)
        return 0

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        node = self._find(path)
        if isinstance(node, Folder):
            raise OSError(errno.EISDIR, path)
        if node.written is None:
            raise OSError(errno.EACCES, path)
        return 0  # a shell does it before it writes

    def unlink(self, path: str) -> int:
        node = self._find(path)
        if not isinstance(node, Value) or not isinstance(node.written, MetadataOf):
            raise OSError(errno.EPERM, path)
        self._desk.remove(node.written)
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        return 0  # `touch` asks for it

    def _refuse(self, path: str, *_: object) -> int:
        raise OSError(errno.EPERM, path)

    mkdir = rmdir = mknod = symlink = link = rename = chmod = chown = _refuse

    def _find(self, path: str) -> Node:
        node = find(self._desk.moment, path, self._desk.links)
        if node is None and path in self._new:
            return Value(lambda: "", self._new[path])
        if node is None:
            raise OSError(errno.ENOENT, path)
        return node

    def _mode(self, node: Node) -> int:
        if isinstance(node, Folder):
            return stat.S_IFDIR | self._folder
        return stat.S_IFREG | (self._writable if node.written else self._readable)

    def _content(self, file: Value) -> bytes:
        read = file.read
        text = str(self._desk.count(read)) if isinstance(read, Count) else read()
        return f"{text}\n".encode()

    def _handle(self, file: _Open) -> int:
        number = next(self._numbers)
        self._open[number] = file
        return number

    def _or_gone(self, path: str, error: OSError) -> OSError:
        """The error; or another one if it is no wonder, since what was open is no longer there."""
        gone = find(self._desk.moment, path.rpartition("/")[0], self._desk.links) is None
        return OSError(errno.ENODEV, path) if gone else error
