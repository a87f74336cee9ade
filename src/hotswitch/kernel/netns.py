"""Network namespaces, by name as `ip netns` keeps them, or by path (ip-netns(8), setns(2))."""

from __future__ import annotations

import ctypes
import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hotswitch.kernel.error import KernelError

_DIRECTORY = Path("/run/netns")
_CLONE_NEWNET = 0x40000000
_MS_BIND, _MS_REC, _MS_SHARED = 1 << 12, 1 << 14, 1 << 20
_MNT_DETACH = 2
_OWN = Path("/proc/thread-self/ns/net")

_libc = ctypes.CDLL(None, use_errno=True)


def path_of(name: str) -> Path:
    """Where a namespace of this name is found; a name with a slash is a path already."""
    return Path(name) if "/" in name else _DIRECTORY / name


def open_namespace(name: str) -> int:
    """Return a descriptor of the namespace, which keeps it alive. Raises KernelError."""
    try:
        # A FIFO of that name must not make anybody wait.
        return os.open(path_of(name), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise KernelError(f"open the network namespace {name}", error.errno or 0) from None


def enter(name: str) -> None:
    """Put the calling thread, and those it starts later, there. Raises KernelError."""
    namespace = open_namespace(name)
    try:
        _enter(namespace, name)
    finally:
        os.close(namespace)


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Put the calling thread into the namespace for a while. Raises KernelError.

    Sockets stay in the namespace in which they were made.
    """
    before = open_namespace(str(_OWN))
    try:
        enter(name)
        try:
            yield
        finally:
            _enter(before, "the one before")
    finally:
        os.close(before)


def identity() -> tuple[int, int]:
    """The calling thread's namespace as (device, inode): the same for the same namespace."""
    status = _OWN.stat()
    return status.st_dev, status.st_ino


def create(name: str) -> None:
    """Make a namespace of this name. Raises KernelError: EEXIST if there is one."""
    attempt = f"make the network namespace {name}"
    path = path_of(name)
    try:
        if path.parent == _DIRECTORY:
            _prepare_directory(attempt)
        path.touch(mode=0o444, exist_ok=False)
    except OSError as error:
        raise KernelError(attempt, error.errno or errno.EINVAL) from None
    number = _bind_new(path)
    if number:
        path.unlink()
        raise KernelError(attempt, number)


def delete(name: str) -> None:
    """Forget the name; the namespace ends when nothing uses it. Raises KernelError."""
    attempt = f"delete the network namespace {name}"
    path = path_of(name)
    if _libc.umount2(bytes(path), _MNT_DETACH) and ctypes.get_errno() != errno.EINVAL:
        raise KernelError(attempt, ctypes.get_errno())
    try:
        path.unlink()
    except OSError as error:
        raise KernelError(attempt, error.errno or errno.EINVAL) from None


def _enter(namespace: int, name: str) -> None:
    if _libc.setns(namespace, _CLONE_NEWNET):
        raise KernelError(f"enter the network namespace {name}", ctypes.get_errno())


def _prepare_directory(attempt: str) -> None:
    """Names must be seen in all mount namespaces, so their directory is a shared mount."""
    _DIRECTORY.mkdir(mode=0o755, parents=True, exist_ok=True)
    directory = bytes(_DIRECTORY)
    if _libc.mount(b"", directory, b"none", _MS_SHARED | _MS_REC, None) == 0:
        return
    if _libc.mount(directory, directory, b"none", _MS_BIND | _MS_REC, None) or _libc.mount(
        b"", directory, b"none", _MS_SHARED | _MS_REC, None
    ):
        raise KernelError(attempt, ctypes.get_errno())


def _bind_new(path: Path) -> int:
    """Make a namespace in a thread of its own and mount it at `path`; 0 or the errno."""
    result = 0

    def work() -> None:
        nonlocal result
        if _libc.unshare(_CLONE_NEWNET) or _libc.mount(
            bytes(_OWN), bytes(path), b"none", _MS_BIND, None
        ):
            result = ctypes.get_errno() or errno.EINVAL

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return result
