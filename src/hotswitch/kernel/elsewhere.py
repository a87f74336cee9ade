"""Links that have gone to other network namespaces.

The kernel lets nobody change a link by its namespace's id (IFLA_TARGET_NETNSID asks, makes and
deletes; in RTM_SETLINK it moves). So a way in is looked for: where a namespace is mounted, and in
the processes that are in it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from hotswitch.kernel import link_actions, netns
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.links import get_link
from hotswitch.kernel.namespace_ids import known_id
from hotswitch.kernel.sysfs import NetworkDevices

_PROCESSES = Path("/proc")
_MOUNTS = Path("/proc/self/mountinfo")
_FILE_SYSTEM = b" - nsfs "
_MOUNT_POINT = 4
"""The field of /proc/self/mountinfo (proc(5))."""
_ESCAPE = re.compile(rb"\\([0-7]{3})")


def calm(namespace: int, index: int, incarnation: int) -> bool:
    """Turn promiscuous mode of a link off in the namespace of this id, if it is that life of it.

    Whether there was a way in.
    """
    for path in _ways():
        with suppress(KernelError, OSError):
            descriptor = netns.open_namespace(str(path))
            try:
                if known_id(descriptor) == namespace:
                    with netns.inside(f"/proc/self/fd/{descriptor}"):
                        _calm(index, incarnation)
                    return True
            finally:
                os.close(descriptor)
    return False


def _calm(index: int, incarnation: int) -> None:
    """In this thread's namespace. Raises KernelError."""
    link = get_link(index)
    if link is None or not link.promiscuous:
        return
    with NetworkDevices() as devices:
        if devices.incarnation(link.name, index) == incarnation:
            link_actions.set_promiscuous(index, False)


def _ways() -> Iterator[Path]:
    """A file for each namespace that one can be found for, but for the thread's own."""
    seen = {netns.identity()}
    for path in (*_mounted(), *_PROCESSES.glob("[0-9]*/ns/net")):
        with suppress(OSError):
            status = path.stat()
            which = status.st_dev, status.st_ino
            if which not in seen:
                seen.add(which)
                yield path


def _mounted() -> Iterator[Path]:
    for line in _MOUNTS.read_bytes().splitlines():
        if _FILE_SYSTEM in line:
            point = _ESCAPE.sub(lambda found: bytes([int(found[1], 8)]), line.split()[_MOUNT_POINT])
            yield Path(os.fsdecode(point))
