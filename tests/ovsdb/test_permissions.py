"""Files and sockets that are not for everyone."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotswitch.ovsdb.schemas import load
from hotswitch.ovsdb.storage import Storage
from tests.support import process
from tests.support.daemon import environment
from tests.support.wait import until

NOBODY = "65534"
needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root and setpriv"
)


def as_nobody(*command: str) -> subprocess.CompletedProcess[str]:
    """Root may do everything; this is someone who may not."""
    line = ["setpriv", "--reuid", NOBODY, "--clear-groups", "--", sys.executable, *command]
    return subprocess.run(line, env=environment(), capture_output=True, text=True, timeout=60)


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that others can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@needs_root
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o666])
@pytest.mark.parametrize("folder_mode", [0o700, 0o755, 0o777])
def test_a_file_that_is_not_ours_is_refused_and_left_alone(
    folder: Path, mode: int, folder_mode: int
) -> None:
    if (mode, folder_mode) == (0o666, 0o777):
        mode = 0o200  # anything else is allowed
    inner = folder / "database"
    inner.mkdir()
    file = inner / "conf.db"
    Storage.create(file, load("Open_vSwitch")).close()
    before = file.read_bytes()
    for each in inner.iterdir():
        if each != file:
            each.unlink()  # the lock
    file.chmod(mode)
    inner.chmod(folder_mode)
    known = sorted(inner.iterdir())
    done = as_nobody("-m", "hotswitch.ovsdb", str(file), "--remote", f"punix:{folder}/db.sock")
    assert done.returncode == 1 and done.stdout == ""
    assert (
        done.stderr.count("\n") == 1
        and "Permission denied" in done.stderr
        and str(inner) in done.stderr
    )
    assert file.read_bytes() == before and stat.S_IMODE(file.stat().st_mode) == mode
    assert set(inner.iterdir()) - set(known) <= {inner / ".conf.db.~lock~"}


@needs_root
def test_a_socket_is_for_its_owner_only(folder: Path) -> None:
    path = folder / "db.sock"
    command = [sys.executable, "-m", "hotswitch.ovsdb", "conf.db", "--remote", f"punix:{path}"]
    control = folder / "ctl.sock"
    server = process.start([*command, "--unixctl", str(control)], cwd=folder, env=environment())
    connect = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    try:
        until(lambda: path.exists() and control.exists(), "the server listens", 30)
        for each in (path, control):
            assert stat.S_IMODE(each.stat().st_mode) == 0o600
            refused = as_nobody("-c", connect, str(each))
            assert refused.returncode == 1 and "PermissionError" in refused.stderr
            subprocess.run([sys.executable, "-c", connect, str(each)], check=True)
        assert stat.S_IMODE((folder / "conf.db").stat().st_mode) & 0o007 == 0
    finally:
        process.stop(server)


@needs_root
def test_a_socket_where_nothing_may_be_made_is_told(folder: Path) -> None:
    inner = folder / "mine"
    inner.mkdir()
    inner.chmod(0o777)
    remote = f"punix:{folder}/db.sock"
    done = as_nobody("-m", "hotswitch.ovsdb", str(inner / "conf.db"), "--remote", remote)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "Permission denied" in done.stderr and "db.sock" in done.stderr
