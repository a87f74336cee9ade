"""The tree of files, mounted while the daemon runs."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import logging
import os
import threading
from pathlib import Path

from hotswitch.app.files.desk import Desk
from hotswitch.base.errors import HotswitchError
from hotswitch.kernel import mounts

_DEVICE = Path("/dev/fuse")
_TYPE = "fuse.hotswitch"
_LIBRARIES = ("libfuse3.so.4", "libfuse3.so.3")
_PATIENCE = 10.0
"""Seconds for the kernel to begin, and for the threads to end."""

_THREADS, _TAKES_THREADS = 10, (3, 12)
"""At most so many answer; libfuse's own default makes some versions complain."""

_CLONE_FS = 0x200
"""include/uapi/linux/sched.h."""

_log = logging.getLogger(__name__)


class FilesError(HotswitchError):
    """The tree can't be had."""


def take_away(path: Path) -> None:
    """Unmount what a daemon, perhaps a killed one, has left there. Raises KernelError."""
    place = _place(path)
    for _ in range(mounts.file_systems(place).count(_TYPE)):
        mounts.detach(place)


class FileTree:
    """Mounted at `path`, from `start` to `stop`.

    group: whose members may use it as root may; None: only root may.
    """

    def __init__(self, path: Path, desk: Desk, group: int | None) -> None:
        self._path = _place(path)
        self._desk = desk
        self._group = group
        self._thread: threading.Thread | None = None
        self._mounted = threading.Event()
        self._is_ending = False

    def start(self) -> None:
        """Mount it. Where that can't be, the log says why, and the daemon goes on without.

        It returns when the kernel asks, and then needs no loop for that.
        """
        try:
            self._prepare()
            self._thread = threading.Thread(target=self._serve, name="files", daemon=True)
            self._thread.start()
            self._mounted.wait(_PATIENCE)
        except (HotswitchError, OSError) as error:
            _log.warning("there is no tree of files at %s: %s", self._path, error)

    async def stop(self) -> None:
        """Unmount it, and remove the folder. Who is in it gets errors."""
        self._is_ending = True
        self._desk.close()
        try:
            take_away(self._path)
            if self._thread is not None:
                await asyncio.to_thread(self._thread.join, _PATIENCE)
            self._path.rmdir()
        except FileNotFoundError:
            pass
        except (HotswitchError, OSError) as error:
            _log.warning("the tree of files at %s is left behind: %s", self._path, error)

    def _prepare(self) -> None:
        try:
            os.close(os.open(_DEVICE, os.O_RDWR | os.O_CLOEXEC))
        except OSError as error:
            denied = error.errno in (errno.EACCES, errno.EPERM)
            raise FilesError(
                f"{_DEVICE}: {os.strerror(error.errno or errno.EIO)}",
                remedy="run it as root" if denied else "load the kernel module fuse",
            ) from None
        self._path.mkdir(mode=0o755, exist_ok=True)

    def _serve(self) -> None:
        """Answer the kernel until it is unmounted; in a thread of its own."""
        try:
            self._run_library()
        except (ImportError, AttributeError, OSError) as error:
            _log.warning(
                "there is no tree of files at %s: no libfuse: %s (install libfuse3)",
                self._path,
                error,
            )
        except RuntimeError:  # the library has written to standard error why
            if not self._is_ending:
                _log.warning("there is no tree of files at %s: it can't be mounted", self._path)
        else:
            if not self._is_ending:
                _log.warning("somebody has unmounted the tree of files at %s", self._path)
        finally:
            self._mounted.set()

    def _run_library(self) -> None:
        # libfuse goes to the root directory; this thread must not take the daemon with it.
        ctypes.CDLL(None).unshare(_CLONE_FS)
        _find_library()
        import mfusepy

        from hotswitch.app.files.operations import TreeOperations

        options: dict[str, bool | int] = {}
        if self._group is not None:
            options = {"allow_other": True, "default_permissions": True}
        if (mfusepy.fuse_version_major, mfusepy.fuse_version_minor) >= _TAKES_THREADS:
            options |= {"max_threads": _THREADS, "max_idle_threads": _THREADS}
        mfusepy.FUSE(
            TreeOperations(self._desk, self._group, self._mounted),
            str(self._path),
            foreground=True,
            fsname="hotswitch",
            subtype="hotswitch",
            direct_io=True,  # sizes are not known
            # What the kernel has been told, it asks again: it may be otherwise already.
            entry_timeout=1,
            attr_timeout=0,
            negative_timeout=0,
            nosuid=True,
            nodev=True,
            noexec=True,
            **options,
        )


def _place(path: Path) -> Path:
    """Absolute, without touching what may be mounted there."""
    return path.parent.resolve() / path.name


def _find_library() -> None:
    """Tell mfusepy of a libfuse that is there; its own search runs compilers."""
    for name in _LIBRARIES:
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        os.environ.setdefault("FUSE_LIBRARY_PATH", name)
        return
