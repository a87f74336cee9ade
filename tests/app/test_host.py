"""What is said of the host."""

from __future__ import annotations

import os
import re

from hotswitch.app.host import host_statistics, memory, mount_points


def test_memory() -> None:
    lines = "MemTotal: 100 kB\nMemFree: 60 kB\nBuffers: 5 kB\nCached: 15 kB\n"
    swap = "SwapTotal: 30 kB\nSwapFree: 20 kB\nHugePages_Total: 0\n\n"
    assert memory(lines + swap) == "100,40,20,30,10"
    assert memory(lines) == "100,40,20,0,0"


def test_mount_points() -> None:
    mounts = (
        "/dev/sda / ext4 rw,relatime 0 0\n"
        "proc /proc proc rw 0 0\n"
        "/dev/sda /bound ext4 rw 0 0\n"
        "/dev/sr0 /cd iso9660 ro,relatime 0 0\n"
        "/dev/sdb /a\\040b,c xfs rw 0 0\n"
    )
    assert list(mount_points(mounts)) == ["/", "/a b,c"]


def test_of_this_host() -> None:
    found = host_statistics("me")
    assert found["cpu"] == str(os.cpu_count())
    assert re.fullmatch(r"[\d.]+,[\d.]+,[\d.]+", found["load_average"])
    total, used, discardable, _, _ = map(int, found["memory"].split(","))
    assert 0 < used < total and discardable < total
    virtual, resident, processor, crashes, age, _ = map(int, found["process_me"].split(","))
    assert 0 < resident < virtual and processor > 0 and crashes == 0 < age
    for each in found.get("file_systems", "").split():
        _, size, in_use = each.split(",")
        assert int(in_use) <= int(size)
