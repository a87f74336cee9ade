"""Command lines of hotswitchd that can't be, and too few descriptors."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.daemon import REFERENCE, Daemon, environment
from tests.support.room import Room


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (("--db", ""), 2, "'--db': it is empty"),
        (("--netns", ""), 2, "'--netns': it is empty"),
        (("--netns", " "), 2, "'--netns': it is empty"),
        (("--db", "tcp:nope"), 1, "names no port (tcp:HOST:PORT)"),
        (("--db", "tcp:"), 1, "names no host"),
        (("--db", "tcp:127.0.0.1:65536"), 1, "is not a port"),
        (("--db", "tcp:[::1]"), 1, "names no port"),
        (("--db", "tcp:127.0.0.1:1,tcp:x"), 1, "names no port"),
        (("--db", "unix:"), 1, "names no file"),
        (("--db", "ptcp:6640"), 1, "a database elsewhere is called (unix:, tcp: or ssl:)"),
        (("--db", "db:Open_vSwitch,Open_vSwitch,manager_options"), 1, "is called"),
        (("--db", "ssl:127.0.0.1:6640"), 1, "needs a private key and a certificate"),
        (("--db", "tcp:127.0.0.1:1", "--private-key", "k"), 2, "needs both"),
        (("--db", "tcp:127.0.0.1:1", "--ca-cert", "k"), 2, "needs both"),
        (("--group", "no such group"), 2, "there is no group 'no such group'"),
    ],
)
def test_what_can_not_be_is_refused_in_one_line(
    room: Room, tmp_path: Path, options: tuple[str, ...], code: int, says: str
) -> None:
    done = subprocess.run(
        Daemon(room, tmp_path / "run", *options, kind=REFERENCE).command(),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr
    assert says in done.stderr
    assert not (tmp_path / "run" / "conf.db").exists()
