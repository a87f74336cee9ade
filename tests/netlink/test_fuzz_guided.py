"""The fuzzer itself for some seconds: `python -m tests.long.netlink` is the long one."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.daemon import environment

_SECONDS = 6


@pytest.mark.skipif(not importlib.util.find_spec("atheris"), reason="Atheris is not installed")
@pytest.mark.parametrize("target", ["decoder", "server"])
def test_nothing_is_found(target: str, tmp_path: Path) -> None:
    words = ("--target", target, "--minutes", str(_SECONDS / 60), "--corpus", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-m", "tests.long.netlink", *words],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    found = [path.read_bytes().hex() for path in tmp_path.glob("crash-*")]
    assert done.returncode == 0 and not found, (found, done.stderr[-4000:])
    assert "Done " in done.stderr
