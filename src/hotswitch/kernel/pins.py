"""Where pinned objects live: a bpffs, which is found, or mounted.

A pin is a name in a bpffs; what is pinned lives as long as its name, whatever becomes of processes.
"""

from __future__ import annotations

import ctypes
import errno
import logging
import os
import sys
from functools import cache
from pathlib import Path

from hotswitch.kernel.error import KernelError
from hotswitch.kernel.syscall import get

__all__ = ["directory", "get", "is_there", "listing", "mark", "remove", "rename", "root"]

_BPF_FS_MAGIC = 0xCAFE4A11
_MOUNT_POINT = Path("/sys/fs/bpf")
_CLONE_NEWNS = 0x00020000

_libc = ctypes.CDLL(None, use_errno=True)
_log = logging.getLogger(__name__)


@cache
def root() -> Path:
    """Return the path of a bpffs, mounting one if there is none. Raises KernelError.

    `ip netns exec` gives its command a private /sys without one; then that of process 1 is used, or
    of the nearest process above this one that has one, so that pins outlive the command. If some of
    those may not be inspected, the oldest process with other mounts counts, too. What is found
    stays so for this process's life.
    """
    if is_bpffs(_MOUNT_POINT):
        return _MOUNT_POINT
    asked = _processes_above()
    is_known = all(map(_mounts, asked))
    if not is_known and (oldest := _oldest_elsewhere()):
        asked.append(oldest)
    for process in asked:
        if found := _of(process):
            return found
    has_own_mounts = bool({_mounts(each) for each in asked} - {None, _mounts("self")})
    for process in asked if has_own_mounts else ():
        if _mount_for(process) and (found := _of(process)):
            _log.warning("no bpffs was mounted: mounted one at %s of process %d", found, process)
            return found
    _mount_here()
    if has_own_mounts:
        what = "in a private mount namespace: pins go when the namespace does"
    elif not is_known:
        what = "in a mount namespace that may be private: then pins go when the namespace does"
    else:
        what = "as there was none"
    _log.warning("mounted a bpffs at %s, %s", _MOUNT_POINT, what)
    return _MOUNT_POINT


def directory(*names: str) -> Path:
    """Return the directory of these names in the bpffs, made if need be. Raises KernelError.

    A name in a bpffs may not have dots.
    """
    for name in names:
        if not name or "/" in name or "." in name or "\0" in name:
            raise KernelError(f"{name!r} can't be the name of a pin: no dots, no slashes")
    path = root().joinpath(*names)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise KernelError(f"make {path}", error.errno or 0) from None
    return path


def listing(path: Path) -> list[Path]:
    """Return what is pinned directly in a directory, sorted; nothing if it is not there."""
    try:
        return sorted(each for each in path.iterdir() if not each.is_dir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise KernelError(f"list {path}", error.errno or 0) from None


def mark(path: Path) -> None:
    """Let there be a name that pins nothing; it may be there. Raises KernelError.

    It is a symbolic link to its own name, the only thing in a bpffs that holds no BPF object.
    """
    try:
        path.symlink_to(path.name)
    except FileExistsError:
        pass
    except OSError as error:
        raise KernelError(f"make {path}", error.errno or 0) from None


def is_there(path: Path) -> bool:
    """Whether something has this name, a mark included."""
    return os.path.lexists(path)


def remove(path: Path) -> None:
    """Remove a pin, or a directory with all that is in it; it may be missing. Raises KernelError.

    Removing an unused link's pin detaches it.
    """
    try:
        if path.is_dir():
            for each in path.iterdir():
                remove(each)
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise KernelError(f"remove {path}", error.errno or 0) from None


def rename(path: Path, other: Path) -> None:
    """Give a pin another name in its directory, at once. Raises KernelError."""
    try:
        path.rename(other)
    except OSError as error:
        raise KernelError(f"rename {path}", error.errno or 0) from None


def is_bpffs(path: Path) -> bool:
    """Whether a bpffs is mounted there (statfs(2))."""
    # struct statfs starts with f_type, a word; 256 bytes are more than all of it.
    answer = (ctypes.c_ulong * 32)()
    return _libc.statfs(bytes(path), ctypes.byref(answer)) == 0 and answer[0] == _BPF_FS_MAGIC


def _mount() -> int:
    """Mount a bpffs; return 0 or the errno."""
    if _libc.mount(b"bpf", bytes(_MOUNT_POINT), b"bpf", 0, b"mode=0700"):
        return ctypes.get_errno() or errno.EINVAL
    return 0


def _mount_here() -> None:
    if number := _mount():
        raise KernelError(f"mount a bpffs at {_MOUNT_POINT}", number)


def _processes_above() -> list[int]:
    """Process 1, then this process's parent, its parent and so on."""
    above = [1]
    process = os.getppid()
    while process > 1:
        above.append(process)
        try:
            status = Path(f"/proc/{process}/stat").read_text()
        except OSError:
            break
        process = int(status.rpartition(")")[2].split()[1])
    return above


def _of(process: int) -> Path | None:
    """The bpffs that a process sees, or None. The path stays good when the process ends."""
    path = Path(f"/proc/{process}/root{_MOUNT_POINT}")
    if not is_bpffs(path):
        return None
    if process == 1:
        return path
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_DIRECTORY)
    return Path(f"/proc/self/fd/{descriptor}")


def _mounts(process: int | str) -> Path | None:
    """What tells mount namespaces apart; None where it may not be seen."""
    try:
        return Path(f"/proc/{process}/ns/mnt").readlink()
    except OSError:
        return None


def _oldest_elsewhere() -> int | None:
    """The oldest process that is known to see other mounts than this one."""
    mine = _mounts("self")
    processes = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdecimal()]
    return min(
        (each for each in processes if _mounts(each) not in (None, mine)),
        key=_age_key,
        default=None,
    )


def _age_key(process: int) -> tuple[int, int]:
    """Sorts processes by when they began (proc_pid_stat(5), starttime); gone ones last."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return sys.maxsize, process
    return int(status.rpartition(")")[2].split()[19]), process


def _mount_for(process: int) -> bool:
    """Mount in the mount namespace of a process, from a child that enters it."""
    child = os.fork()
    if not child:
        status = 1
        try:
            namespace = os.open(f"/proc/{process}/ns/mnt", os.O_RDONLY)
            if _libc.setns(namespace, _CLONE_NEWNS) == 0 and _mount() == 0:
                status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
