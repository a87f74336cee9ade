"""hotswitchd on a database behind TLS, with throw-away authorities; without forwarding."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.external.certificates import Authority
from tests.external.server import OvsdbServer, followed, follower, where
from tests.support.daemon import environment
from tests.support.room import Room
from tests.support.wait import until

REMOTE = "ssl:127.0.0.1:6641"


def test_a_database_behind_tls_is_followed(room: Room, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ca")
    theirs, ours = authority.issue("server"), authority.issue("switch")
    more = (*ours.options, "--ssl-protocols", "TLSv1.2", "--ssl-ciphers", "HIGH:!aNULL")
    with (
        OvsdbServer(room, tmp_path, "pssl:6641:127.0.0.1", options=theirs.options) as db,
        follower(room, tmp_path, REMOTE, *more) as daemon,
    ):
        db.vsctl("--no-wait init")
        followed(daemon)
        db.vsctl("add-br br0")
        daemon.do("bridge add br1")
        assert db.vsctl("list-br").split() == ["br0", "br1"]


def test_a_wrong_authority_is_one_clear_line(room: Room, tmp_path: Path) -> None:
    right, wrong = Authority(tmp_path, "ca"), Authority(tmp_path, "wrong")
    server, stranger = right.issue("server"), wrong.issue("stranger")
    with OvsdbServer(room, tmp_path, "pssl:6641:127.0.0.1", options=server.options) as db:
        db.vsctl("--no-wait init")
        distrusting = replace(right.issue("switch"), authority=wrong.certificate)
        with follower(room, tmp_path, REMOTE, *distrusting.options) as daemon:
            until(lambda: "certificate verify failed" in where(daemon)[1], "it does not trust")
            until(lambda: "verify failed" in daemon.log, "it is logged, since it lasts")
            lines = [line for line in daemon.log.splitlines() if "verify failed" in line]
            assert len(lines) == 1 and "Traceback" not in daemon.log
            assert f"{REMOTE}: certificate verify failed: " in lines[0]
        distrusted = replace(stranger, authority=right.certificate)
        with follower(room, tmp_path, REMOTE, *distrusted.options, name="other") as daemon:
            # Now and then the server closes before its alert is read: the next attempt tells.
            until(lambda: "unknown ca" in where(daemon)[1], "it is not trusted", 40)
            until(lambda: "unknown ca" in daemon.log, "it is logged, since it lasts")
            assert daemon.log.count("unknown ca") == 1 and "Traceback" not in daemon.log


def test_the_authority_may_be_taken_from_the_server(room: Room, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ca")
    theirs, ours = authority.issue("server", chain=True), authority.issue("switch")
    kept = tmp_path / "kept.pem"
    options = (*ours.options[:2], f"--bootstrap-ca-cert={kept}")
    with OvsdbServer(room, tmp_path, "pssl:6641:127.0.0.1", options=theirs.options) as db:
        db.vsctl("--no-wait init")
        with follower(room, tmp_path, REMOTE, *options) as daemon:
            followed(daemon)
            assert "BEGIN CERTIFICATE" in kept.read_text()
            shown = room.run("openssl", "x509", "-in", str(kept), "-noout", "-subject").stdout
            assert shown.strip() == "subject=CN = ca"
            assert "trusts commonName=ca from now on" in daemon.log
    # From now on it is the only one.
    wrong = Authority(tmp_path, "wrong").issue("wrong-server", chain=True)
    accepting = replace(wrong, authority=authority.certificate)
    with (
        OvsdbServer(room, tmp_path, "pssl:6641:127.0.0.1", options=accepting.options, schema=None),
        follower(room, tmp_path, REMOTE, *options) as daemon,
    ):
        until(lambda: "certificate verify failed" in where(daemon)[1], "it does not trust")


def test_a_server_that_does_not_show_its_authority_is_not_trusted(
    room: Room, tmp_path: Path
) -> None:
    authority = Authority(tmp_path, "ca")
    ours = authority.issue("switch")
    # OpenSSL sends the authority of itself, if it knows that.
    unknown = Authority(tmp_path, "unknown").certificate
    theirs = replace(authority.issue("server"), authority=unknown)
    kept = tmp_path / "kept.pem"
    options = (*ours.options[:2], f"--bootstrap-ca-cert={kept}")
    with (
        OvsdbServer(room, tmp_path, "pssl:6641:127.0.0.1", options=theirs.options) as db,
        follower(room, tmp_path, REMOTE, *options) as daemon,
    ):
        db.vsctl("--no-wait init")
        until(lambda: "has not shown the certificate" in where(daemon)[1], "it is refused")
        assert not kept.exists()


def _refuse(room: Room, folder: Path, database: str, *options: str) -> str:
    """Start a daemon that must not begin; its one line."""
    done = subprocess.run(
        follower(room, folder, database, *options).command(),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize("database", [REMOTE, "own.db"])
@pytest.mark.parametrize("what", ["key", "certificate", "authority"])
def test_a_file_that_is_no_good_is_refused_at_the_start(
    room: Room, tmp_path: Path, what: str, database: str
) -> None:
    good = Authority(tmp_path, "ca").issue("switch")
    for content in (None, "junk"):
        bad = tmp_path / "bad.pem"
        if content is not None:
            bad.write_text(content)
        options = replace(good, **{what: bad}).options
        where_it_is = database if database == REMOTE else str(tmp_path / database)
        assert "for TLS" in _refuse(room, tmp_path, where_it_is, *options)


def test_files_that_are_mixed_up_are_said_to_be(room: Room, tmp_path: Path) -> None:
    good = Authority(tmp_path, "ca").issue("switch")
    for wrong, what in (("certificate", "certificate"), ("key", "private key")):
        other = good.key if wrong == "certificate" else good.certificate
        said = _refuse(room, tmp_path, REMOTE, *replace(good, **{wrong: other}).options)
        assert f"can't use {other} for TLS: it holds no {what} in PEM" in said


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (("--ssl-protocols", "SSLv3"), "'SSLv3' is no TLS protocol here (TLSv1.2, TLSv1.3)"),
        (("--ssl-ciphers", "none-such"), "'none-such' names no TLS cipher: No cipher can be"),
    ],
)
def test_protocols_and_ciphers_that_there_are_not_are_refused_at_the_start(
    room: Room, tmp_path: Path, option: tuple[str, str], says: str
) -> None:
    options = Authority(tmp_path, "ca").issue("switch").options
    assert says in _refuse(room, tmp_path, REMOTE, *options, *option)
