"""hotswitchd's own database server for clients elsewhere: Open vSwitch's, over TLS."""

from __future__ import annotations

import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.external.certificates import Authority, Identity
from tests.support.daemon import REFERENCE, Daemon
from tests.support.room import Room
from tests.support.wait import until

REMOTE = "ssl:127.0.0.1:6641"
MANAGER = "pssl:6641:127.0.0.1"


class Clients:
    """ovs-vsctl and others in the daemon's room."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.room = daemon.room

    def local(self, line: str) -> str:
        """Over the Unix socket; must succeed."""
        remote = f"--db=unix:{self.daemon.run_dir}/db.sock"
        return self.room.run("ovs-vsctl", "--timeout=20", remote, *line.split()).stdout.strip()

    def remote(self, line: str, identity: Identity, remote: str = REMOTE) -> str:
        """Over TLS; what it printed, or nothing if it was not let in."""
        command = ["ovs-vsctl", "--timeout=2", f"--db={remote}", *identity.options]
        return self.room.run(*command, *line.split(), check=False).stdout.strip()


@pytest.fixture
def clients(room: Room, tmp_path: Path) -> Iterator[Clients]:
    with Daemon(room, tmp_path / "run", kind=REFERENCE) as daemon:
        yield Clients(daemon)


def test_managers_over_tls_as_ovs_vsctl_sets_them(clients: Clients, tmp_path: Path) -> None:
    right, wrong = Authority(tmp_path, "ca"), Authority(tmp_path, "wrong")
    ours, theirs = right.issue("switch"), right.issue("client")
    stranger = replace(wrong.issue("stranger"), authority=right.certificate)
    distrusting = replace(theirs, authority=wrong.certificate)
    clients.local(f"set-ssl {ours.words} -- set-manager {MANAGER} -- add-br br0")
    assert clients.remote("list-br", theirs) == "br0"
    assert clients.remote("list-br", stranger) == ""
    assert clients.remote("list-br", distrusting) == ""
    assert clients.remote("add-br br1 -- list-br", theirs).split() == ["br0", "br1"]
    assert clients.local("get-ssl").splitlines()[0] == f"Private key: {ours.key}"
    clients.local("del-ssl")
    assert clients.remote("list-br", theirs) == ""
    clients.local(f"set-ssl {ours.words}")
    assert clients.remote("list-br", theirs).split() == ["br0", "br1"]
    assert "Traceback" not in clients.daemon.log


def test_files_that_have_changed_are_read_again(clients: Clients, tmp_path: Path) -> None:
    old, new = Authority(tmp_path, "old"), Authority(tmp_path, "new")
    before, after = old.issue("before"), new.issue("after")
    ours = Identity(tmp_path / "our.key", tmp_path / "our.pem", tmp_path / "our-ca.pem")

    def install(identity: Identity) -> None:
        for source, target in (
            (identity.key, ours.key),
            (identity.certificate, ours.certificate),
            (identity.authority, ours.authority),
        ):
            shutil.copy(source, target)

    # The row may come before the files.
    clients.local(f"set-ssl {ours.words} -- set-manager {MANAGER} -- add-br br0")
    install(before)
    until(lambda: clients.remote("list-br", before) == "br0", "they are read")
    command = ["ovsdb-client", "monitor", REMOTE, *before.options, "Bridge", "name"]
    monitor = clients.room.start(*command, stdout=subprocess.PIPE)
    try:
        assert monitor.stdout
        lines = monitor.stdout
        until(lambda: "br0" in lines.readline(), "the monitor is there")
        install(after)
        until(lambda: clients.remote("list-br", after) == "br0", "they are read again")
        assert clients.remote("list-br", before) == ""
        clients.local("add-br br1")
        until(lambda: "br1" in lines.readline(), "who was there is there")
    finally:
        monitor.kill()
        monitor.communicate()
    ours.key.write_text("junk")
    until(lambda: "goes on as before: can't use" in clients.daemon.log, "junk is refused")
    assert clients.remote("list-br", after).split() == ["br0", "br1"]


def test_the_authority_may_be_taken_from_the_first_manager(
    clients: Clients, tmp_path: Path
) -> None:
    authority = Authority(tmp_path, "ca")
    ours, theirs = authority.issue("switch"), authority.issue("client", chain=True)
    kept = tmp_path / "kept.pem"
    words = replace(ours, authority=kept).words
    clients.local(f"--bootstrap set-ssl {words} -- add-br br0 -- set-manager {REMOTE}")
    clients.local("set Manager . max_backoff=1000")
    # ovs-vsctl is the one that is called here.
    command = ["ovs-vsctl", "--timeout=20", f"--db={MANAGER}", *theirs.options, "list-br"]
    assert clients.room.run(*command).stdout.strip() == "br0"
    assert "BEGIN CERTIFICATE" in kept.read_text()
    wrong = Authority(tmp_path, "wrong").issue("wrong-client", chain=True)
    accepting = replace(wrong, authority=authority.certificate)
    assert clients.remote("list-br", accepting, MANAGER) == ""
    assert "certificate verify failed" in clients.daemon.log


def test_options_take_the_place_of_the_table(room: Room, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ca")
    ours, theirs = authority.issue("switch"), authority.issue("client")
    more = ("--ssl-protocols", "TLSv1.2", "--ssl-ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256")
    with Daemon(room, tmp_path / "run", *ours.options, *more, kind=REFERENCE) as daemon:
        clients = Clients(daemon)
        clients.local(f"set-manager {MANAGER} -- add-br br0")
        assert clients.remote("list-br", theirs) == "br0"
        command = ["openssl", "s_client", "-connect", "127.0.0.1:6641", "-brief"]
        command += ["-cert", str(theirs.certificate), "-key", str(theirs.key)]
        said = room.run(*command, "-CAfile", str(theirs.authority), check=False).stderr
        assert "TLSv1.2" in said and "ECDHE-ECDSA-AES128-GCM-SHA256" in said
        refused = room.run(*command, "-tls1_3", check=False)
        assert refused.returncode


def test_sockets_are_the_owners_and_a_groups(room: Room, tmp_path: Path) -> None:
    for options, mode in (((), 0o600), (("--group", "12345"), 0o660)):
        name = f"run{mode:o}"
        with Daemon(room, tmp_path / name, *options, kind=REFERENCE):
            for socket in ("db.sock", "ctl.sock"):
                status = (tmp_path / name / socket).stat()
                assert stat.S_IMODE(status.st_mode) == mode
                assert status.st_gid == (12345 if options else 0)
