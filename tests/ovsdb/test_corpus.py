"""The corpus of bad input: each stream gets its answer, from Open vSwitch's server too."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hotswitch.ovsdb.schemas import load
from tests.ovsdb import real_server
from tests.ovsdb.corpus import CASES
from tests.ovsdb.corpus.case import Case, request
from tests.support import process
from tests.support.daemon import environment
from tests.support.wait import until

PATIENCE = 20.0


class Server:
    """A server with a new Open_vSwitch database, in a process of its own."""

    def __init__(self, folder: Path, command: list[str]) -> None:
        self.file = folder / "conf.db"
        self.socket = folder / "db.sock"
        self._process = process.start(command, cwd=folder, env=environment())
        until(self.socket.exists, "the server listens", PATIENCE)

    def close(self) -> None:
        process.stop(self._process)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("ours")
    command = [sys.executable, "-m", "hotswitch.ovsdb", "conf.db"]
    server = Server(folder, [*command, "--remote", "punix:db.sock", "--run-dir", str(folder)])
    with contextlib.closing(server):
        yield server


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if not real_server.AVAILABLE:
        pytest.skip("Open vSwitch's ovsdb-server is not installed")
    folder = tmp_path_factory.mktemp("real")
    (folder / "schema").write_text(json.dumps(load("Open_vSwitch").to_json()))
    subprocess.run(["ovsdb-tool", "create", "conf.db", "schema"], cwd=folder, check=True)
    command = ["ovsdb-server", "conf.db", f"--remote=punix:{folder}/db.sock", "--unixctl=none"]
    server = Server(folder, [*command, "-vconsole:off", "-vsyslog:off"])
    with contextlib.closing(server):
        yield server


def _connect(server: Server) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(PATIENCE)
    client.connect(str(server.socket))
    return client


def _messages(client: socket.socket, wanted: int) -> Iterator[dict[str, Any]]:
    """So many messages, or those that come until the server hangs up."""
    text = ""
    while wanted:
        with contextlib.suppress(json.JSONDecodeError):
            message, end = json.JSONDecoder().raw_decode(text)
            text = text[end:]
            wanted -= 1
            yield message
            continue
        piece = client.recv(1 << 20)
        if not piece:
            return
        text += piece.decode()
    assert not text


def _hung_up(server: Server, client: socket.socket) -> bool:
    """Whether it is, once the server has done all that it was asked to do."""
    with _connect(server) as other:
        other.sendall(request("list_dbs"))
        assert list(_messages(other, 1))
    client.setblocking(False)
    try:
        return not client.recv(1)
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def check(server: Server, case: Case) -> None:
    before = server.file.read_bytes()
    with _connect(server) as client:
        with contextlib.suppress(ConnectionError):
            client.sendall(case.sent)
        try:
            heard = list(_messages(client, -1 if case.closed else len(case.answers)))
        except ConnectionError:
            heard = []
        answers = [(each["id"], each.get("result"), each.get("error")) for each in heard]
        assert answers == list(case.answers)
        assert _hung_up(server, client) is case.closed
    assert server.file.read_bytes() == before


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_stream_has_its_answer(ours: Server, case: Case) -> None:
    check(ours, case)


@pytest.mark.parametrize(
    "case", [each for each in CASES if not each.differs], ids=lambda case: case.name
)
def test_open_vswitch_answers_so_too(real: Server, case: Case) -> None:
    check(real, case)


def test_the_cases_have_names_of_their_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
