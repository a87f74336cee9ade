"""Whatever is typed: it is done, or refused in one line; a bug is never shown."""

from __future__ import annotations

import random

import pytest

from hotswitch.app.cli import run
from tests.support.daemon import Daemon

VALUES = (
    *("", "0", "-1", "1e9", "4096", "99999999999999999999", "none", "-", "=", ",", ";", "{", "[]"),
    *("é", "日本", "\x1b[31m", "\u200b", "a b", "a/b", "br0", "v0", "id=0", "name=v0", "x" * 3000),
)
KEYWORDS = (
    *("tag", "trunks", "mode", "hook", "storm-limit", "number", "type", "peer", "mac", "mtu"),
    *("lifecycle", "link", "follow-rename", "vif", "metadata"),
)
LINES = (
    *(f"port set v0 {each} ?" for each in KEYWORDS),
    *(f"port add q bridge br0 {each} ? --absent-ok" for each in KEYWORDS),
    *("port add ? bridge br0", "port add q bridge ?", "port show ?", "port list bridge ?"),
    *("port del ?", "port del v0 --incarnation ?", "bridge add ?", "bridge del ?"),
    *(f"bridge set br0 {each} ?" for each in ("adopt", "facade", "lifecycle", "ageing")),
    *("link show ?", "link id ?", "link name ?", "link rename v0 ?", "link list ?"),
    *("vnic add --over ?", "vnic add --netns ?", "vnic add --mac ?", "vnic add --name ?"),
    *("vnic del ?", "vnic rename v0 ?", "vnic list ?", "stats bridge ?"),
    *("events --no-follow --since ?", "events --no-follow bridge ?", "fdb add v0 ? vlan 0"),
)


def test_all_is_done_or_refused_in_one_line(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOTSWITCH_RUN_DIR", str(daemon.run_dir))
    daemon.do("bridge add br0")
    daemon.do("port add v0 bridge br0 --absent-ok")
    chance = random.Random(7)
    for line in LINES:
        for value in chance.sample(VALUES, 8):
            words = [value if word == "?" else word for word in line.split()]
            code = run([*(["--json"] if chance.random() < 0.2 else []), *words])
            out, error = capsys.readouterr()
            where = f"{words}: {code}, {out[:200]!r}, {error[:400]!r}"
            assert code in (0, 1, 2), where
            if code:
                assert out == "" and error.startswith("hotswitch: "), where
                assert error.count("\n") == 1, where
                assert len(error) < 800 and "\x1b" not in error, where
                assert "internal error" not in error and "database refuses" not in error, where
    assert "Traceback" not in daemon.log and "a bug" not in daemon.log
