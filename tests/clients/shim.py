"""The shim that lets Open vSwitch's programs use hotswitch's Netlink server."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("nlshim.c")


def build(folder: Path, *programs: str) -> Path:
    """Build it; skips the test if there is no compiler, or not these programs."""
    for each in ("gcc", *programs):
        if shutil.which(each, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
            pytest.skip(f"there is no {each} here")
    built = folder / "nlshim.so"
    options = ["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["gcc", *options, "-o", str(built), str(SOURCE), "-ldl"], check=True)
    return built


def environment(shim: Path, run_dir: Path) -> list[str]:
    """What to put before a command that shall use it."""
    return ["env", f"LD_PRELOAD={shim}", f"HOTSWITCH_NETLINK={run_dir / 'netlink.sock'}"]
