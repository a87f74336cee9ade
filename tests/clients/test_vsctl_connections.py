"""All the ways in which ovs-vsctl reaches the database, or is reached by it."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients import peers
from tests.clients.peers import Switch
from tests.external.certificates import Authority
from tests.support import process
from tests.support.daemon import REFERENCE, Daemon
from tests.support.room import Room
from tests.support.wait import until

pytestmark = pytest.mark.skipif(not peers.AVAILABLE, reason="no ovs-vsctl here")

_TCP, _TLS = "127.0.0.1:6641", "127.0.0.1:6642"


@pytest.fixture
def switch(tmp_path: Path) -> Iterator[Switch]:
    with peers.hotswitch(tmp_path) as running:
        running.vsctl("add-br br0")
        yield running


def _start(room: Room, *words: str) -> subprocess.Popen[str]:
    command = room.command("ovs-vsctl", "--timeout=20", *words)
    return process.start(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)


def _ended(running: subprocess.Popen[str]) -> str:
    """What it printed; it must succeed."""
    try:
        output, _ = running.communicate(timeout=30)
    finally:
        process.stop(running)
    assert running.returncode == 0
    return output.strip()


def test_it_can_wait_for_the_daemon_to_come(tmp_path: Path) -> None:
    with Room() as room:
        waiting = _start(room, "--retry", f"--db=unix:{tmp_path}/run/db.sock", "add-br", "br0")
        with Daemon(room, tmp_path / "run", kind=REFERENCE) as daemon:
            assert _ended(waiting) == ""
            assert [each["name"] for each in daemon.ask("bridge list")] == ["br0"]


def test_it_finds_the_database_in_the_run_directory_of_the_environment(switch: Switch) -> None:
    run_dir = f"OVS_RUNDIR={switch.socket.parent}"
    assert switch.room.run("env", run_dir, "ovs-vsctl", "list-br").stdout == "br0\n"


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_it_can_be_called_by_the_database(switch: Switch, kind: str) -> None:
    path = switch.folder / "called"
    passive, active = {
        "tcp": ("ptcp:6641:127.0.0.1", f"tcp:{_TCP}"),
        "unix": (f"punix:{path}", f"unix:{path}"),
    }[kind]
    waiting = _start(
        switch.room, f"--db={passive}", "add-port", "br0", "p0", "--", "list-ports", "br0"
    )

    def listens() -> bool:
        if kind == "unix":
            return path.exists()
        return "6641" in switch.room.run("ss", "-Hlnt", "sport", "=", "6641").stdout

    until(listens, "ovs-vsctl listens")
    switch.vsctl(f"set-manager {active}")
    assert _ended(waiting) == "p0"
    assert switch.vsctl("list-ports br0") == "p0"


def test_tls_as_set_ssl_says(switch: Switch, tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    server, client, stranger = (
        ours.issue("server"),
        ours.issue("client"),
        theirs.issue("stranger"),
    )
    to_server = f"--db=ssl:{_TLS} " + " ".join(client.options)
    switch.vsctl(f"set-manager pssl:6642:127.0.0.1 -- set-ssl {server.words}")
    assert switch.vsctl(f"{to_server} list-br") == "br0"
    not_trusted = " ".join(stranger.options).replace(str(theirs.certificate), str(ours.certificate))
    for options in (" ".join(stranger.options), not_trusted):
        said = switch.try_vsctl(f"--timeout=5 --db=ssl:{_TLS} {options} list-br")
        assert said.status and said.output == ""
    other = theirs.issue("server-again")
    switch.vsctl(f"set-ssl {other.words}")
    assert switch.vsctl(f"--db=ssl:{_TLS} {' '.join(stranger.options)} list-br") == "br0"
    switch.vsctl("del-ssl")
    said = switch.try_vsctl(f"{to_server} list-br")
    assert said.status and "Connection refused" in said.errors


def test_it_trusts_the_first_certificate_if_told_to(switch: Switch, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    server = authority.issue("server", chain=True)
    switch.vsctl(f"set-manager pssl:6642:127.0.0.1 -- set-ssl {server.words}")
    client, kept = authority.issue("client"), tmp_path / "kept.pem"
    options = f"--private-key={client.key} --certificate={client.certificate}"
    command = f"--retry --db=ssl:{_TLS} {options} --bootstrap-ca-cert={kept} list-br"
    said = switch.try_vsctl(command)
    assert (said.status, said.output) == (0, "br0\n")
    assert "CERTIFICATE" in kept.read_text()
    assert switch.vsctl(command) == "br0"


def test_a_manager_that_is_gone_is_not_listened_on(switch: Switch) -> None:
    more = switch.folder / "more.sock"
    switch.vsctl(f"set-manager ptcp:6641:127.0.0.1 punix:{more}")
    assert switch.vsctl(f"--db=tcp:{_TCP} list-br") == "br0"
    assert switch.vsctl(f"--db=unix:{more} list-br") == "br0"
    with socket.socket(socket.AF_UNIX) as idle:
        idle.connect(str(more))
        switch.vsctl("del-manager")
        assert idle.recv(1) == b""
    assert not more.exists()
    assert "Connection refused" in switch.try_vsctl(f"--db=tcp:{_TCP} list-br").errors


def test_the_status_of_managers_is_there_when_ovs_vsctl_returns(
    switch: Switch, tmp_path: Path
) -> None:
    server = Authority(tmp_path, "authority").issue("server")
    state = "get Manager {} status:state is_connected"
    switch.vsctl(f"set-manager ptcp:6641:127.0.0.1 pssl:6642:127.0.0.1 -- set-ssl {server.words}")
    for target in ("ptcp:6641:127.0.0.1", "pssl:6642:127.0.0.1"):
        assert switch.vsctl(state.format(f'"{target}"')).split() == ["LISTENING", "false"]
    switch.vsctl("del-ssl")
    secure = switch.vsctl('get Manager "pssl:6642:127.0.0.1" status')
    assert "TLS needs a private key" in secure and "LISTENING" not in secure
    switch.vsctl(f"set-ssl {server.words}")
    secure = switch.vsctl('get Manager "pssl:6642:127.0.0.1" status')
    assert "LISTENING" in secure and "last_error" not in secure
    switch.vsctl("set-manager ptcp:6643:127.0.0.1")
    assert '"6643"' in switch.vsctl('get Manager "ptcp:6643:127.0.0.1" status:bound_port')
