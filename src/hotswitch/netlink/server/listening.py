"""A Unix socket to listen on: datagrams in order, for its owner and a group."""

from __future__ import annotations

import os
import socket
from pathlib import Path

_BACKLOG = 4096


def listen(path: Path, group: int | None) -> socket.socket:
    """A socket at `path`, in place of one that nobody listens on any more. Raises OSError."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    try:
        if path.is_socket():
            _remove_dead(path)
        mask = os.umask(0o177)
        try:
            listening.bind(str(path))
        finally:
            os.umask(mask)
        if group is not None:
            os.chown(path, -1, group)
            path.chmod(0o660)
        listening.listen(_BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening


def _remove_dead(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except (BlockingIOError, OSError):
            return
