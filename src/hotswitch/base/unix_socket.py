"""Unix sockets at a path, for their owner and a group."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def bind(path: Path, kind: socket.SocketKind, group: int | None = None) -> socket.socket:
    """A socket that is bound to `path`, in place of one that nobody listens on any more.

    Its owner may connect, and `group` if given. It does not listen yet. Raises OSError.
    """
    bound = socket.socket(socket.AF_UNIX, kind)
    try:
        _remove_dead(path, kind)
        mask = os.umask(0o177)
        try:
            bound.bind(str(path))
        finally:
            os.umask(mask)
        if group is not None:
            os.chown(path, -1, group)
            path.chmod(0o660)
    except BaseException:
        bound.close()
        raise
    return bound


def _remove_dead(path: Path, kind: socket.SocketKind) -> None:
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, kind) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except BlockingIOError:
            raise FileExistsError(0, "another program listens there") from None
        else:
            raise FileExistsError(0, "another program listens there")
