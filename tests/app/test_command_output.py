"""The command line where it can't reach the daemon, or can't print."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.support.daemon import command, environment


def _run(line: list[str], run_dir: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        line,
        env=environment(HOTSWITCH_RUN_DIR=str(run_dir)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("words", [["version"], ["port", "list"]])
def test_without_access_there_is_one_line_that_says_so(words: list[str]) -> None:
    if os.geteuid():
        pytest.skip("only root can become someone else")
    # Not in tmp_path, whose parents are closed to others.
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(f"{folder}/ctl.sock")
        daemon.listen()
        Path(folder).chmod(0o755)
        Path(folder, "ctl.sock").chmod(0o600)
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        done = _run([*nobody, *command(*words)], Path(folder))
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (
            f"hotswitch: can't connect to {folder}/ctl.sock: Permission denied (run it as root)\n"
        )


@pytest.mark.parametrize(
    ("script", "code", "says"),
    [
        ("{} >/dev/full", 1, "hotswitch: can't write: No space left on device\n"),
        ("{} >&-", 0, ""),
        ("exec 9> >(:); wait $!; {} >&9", 1, ""),
    ],
)
@pytest.mark.parametrize("words", [["version"], ["port", "add", "--help"]])
def test_output_that_can_not_be_written_is_one_line_at_most(
    tmp_path: Path, words: list[str], script: str, code: int, says: str
) -> None:
    done = _run(["bash", "-c", script.format(shlex.join(command(*words)))], tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", says)


def test_the_manual_page_has_the_help_of_every_command(tmp_path: Path) -> None:
    page = _run(command("manual"), tmp_path).stdout
    sections = page.split("\n.SS\n")
    assert sections[0].startswith('.TH HOTSWITCH 1 "" "hotswitch ')
    below = {each.partition("\n")[0] for each in sections[1:]}
    for name in ("show", "port", "port add", "port list", "dp add\\-flow", "events", "manual"):
        (mine,) = (each for each in below if re.match(f"hotswitch {re.escape(name)} [^a-z]", each))
        (text,) = (each for each in sections if each.startswith(mine))
        assert name == "port" or "Example" in text, name
    assert "grace=SECONDS: it goes after so long" in page and "\b" not in page
    for line in page.splitlines():
        assert not line.startswith("'") and re.match(r"\.[A-Z]{1,2}|\.nf|\.fi|[^.]|$", line), line
        assert not re.search(r"\\(?![-e&])", line), line
    assert _run(command("manual", "hotswitchd"), tmp_path).stdout.startswith(".TH HOTSWITCHD 8 ")
    assert _run(command("manual", "ovs"), tmp_path).returncode == 2
