"""What the host is doing, in the keys of ovs-vswitchd.conf.db(5), Open_vSwitch: statistics.

Sizes are in kilobytes (KiB, as there and in proc(5)), times in milliseconds.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

_PROC = Path("/proc")
_ESCAPED = re.compile(r"\\([0-7]{3})")
_RESIDENT, _VIRTUAL = 23, 22
_USER_TIME, _SYSTEM_TIME, _START_TIME = 13, 14, 21
"""Places in /proc/PID/stat (proc(5)), which counts them from 1."""


def host_statistics(process: str) -> Mapping[str, str]:
    """Of the host, and of this process under the name `process`. It may block on a disk."""
    found = {
        "cpu": str(os.cpu_count() or 1),
        "load_average": ",".join((_PROC / "loadavg").read_text().split()[:3]),
        "memory": memory((_PROC / "meminfo").read_text()),
        f"process_{process}": _own_process(),
    }
    file_systems = " ".join(_usage((_PROC / "self/mounts").read_text()))
    return {**found, **({"file_systems": file_systems} if file_systems else {})}


def memory(meminfo: str) -> str:
    """Total, in use, of that what could be discarded, swap's total, swap in use."""
    sizes = {
        name: int(rest.split()[0])
        for name, _, rest in (line.partition(":") for line in meminfo.splitlines())
        if rest.split()
    }
    total, free, swap, swap_free = (
        sizes.get(name, 0) for name in ("MemTotal", "MemFree", "SwapTotal", "SwapFree")
    )
    discardable = sizes.get("Buffers", 0) + sizes.get("Cached", 0)
    return f"{total},{total - free},{discardable},{swap},{swap - swap_free}"


def mount_points(mounts: str) -> Iterator[str]:
    """Of local file systems that can be written, each device once (fstab(5) has the format)."""
    seen = set()
    for line in mounts.splitlines():
        device, place, _, options = line.split(" ")[:4]
        if device.startswith("/") and "rw" in options.split(",") and device not in seen:
            seen.add(device)
            yield _ESCAPED.sub(lambda found: chr(int(found[1], 8)), place)


def _usage(mounts: str) -> Iterator[str]:
    for place in mount_points(mounts):
        try:
            found = os.statvfs(place)
        except OSError:  # it has been unmounted
            continue
        blocks = found.f_blocks, found.f_blocks - found.f_bfree
        total, used = (count * found.f_frsize // 1024 for count in blocks)
        if total:
            yield f"{re.sub('[ ,]', '_', place)},{total},{used}"


def _own_process() -> str:
    """Virtual size, resident size, processor time, crashes, age twice: nobody restarts it."""
    # The name, in brackets, may hold anything.
    _, _, rest = (_PROC / "self/stat").read_text().rpartition(")")
    words = ["", "", *rest.split()]
    ticks = os.sysconf("SC_CLK_TCK")
    used = (int(words[_USER_TIME]) + int(words[_SYSTEM_TIME])) * 1000 // ticks
    age = int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000)
    age -= int(words[_START_TIME]) * 1000 // ticks
    resident = int(words[_RESIDENT]) * os.sysconf("SC_PAGE_SIZE") // 1024
    return f"{int(words[_VIRTUAL]) // 1024},{resident},{used},0,{age},{age}"
