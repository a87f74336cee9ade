"""The control socket: objects and texts, the server, and the client."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from hotswitch.app.control.client import ControlClient, ControlError
from hotswitch.app.control.method import Method, RequestError, register
from hotswitch.ovsdb.jsonrpc import Reply, Request, encode
from hotswitch.ovsdb.unixctl import Commands
from hotswitch.ovsdb.unixctl_server import ControlServer


class Pair(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    count: int = 1


def _fail(_: Any) -> None:
    raise ZeroDivisionError


def _refuse(_: Any) -> None:
    raise RequestError("no", remedy="try later")


def _commands(*more: Method) -> Commands:
    commands = Commands("a version")
    commands.add("both", "", 0, 0, lambda _: "a text\n")
    register(
        commands,
        [
            Method("repeat", lambda pair: [pair.name] * pair.count, Pair),
            Method("both", lambda _: 1),
            Method("fail", _fail),
            Method("refuse", _refuse),
            Method("nothing", lambda _: None),
            Method("long", lambda _: "x" * 4_000_000),
            *more,
        ],
    )
    return commands


def answer(method: str, *params: Any) -> Reply:
    return asyncio.run(_commands().answer(Request(method, list(params), 7)))


def test_an_object_of_parameters_gives_json_and_texts_give_text() -> None:
    assert answer("repeat", {"name": "a", "count": 2}) == Reply(["a", "a"], None, 7)
    assert json.loads(answer("repeat", "a", "2").result) == ["a", "a"]
    assert answer("both", {}).result == 1 and answer("both").result == "a text\n"
    assert answer("nothing", {}) == Reply({}, None, 7)
    assert answer("nothing") == Reply("", None, 7)
    listed = answer("list-commands").result.splitlines()
    assert (
        "  repeat                  name [count]" in listed
        and "  both                    " in listed
    )


@pytest.mark.parametrize(
    ("method", "params", "says"),
    [
        ("repeat", [{"name": "a", "count": "2"}], "count"),
        ("repeat", [{"name": "a", "colour": 1}], "colour"),
        ("repeat", [{}], "name"),
        ("repeat", [], '"repeat" command requires at least 1 arguments\n'),
        ("repeat", ["a", "many"], "count"),
        ("repeat", ["a", "1", "2"], '"repeat" command takes at most 2 arguments\n'),
        ("repeat", [1], "non-string"),
        ("repeat", [{}, {}], "non-string"),
        ("unknown", [], '"unknown" is not a valid command'),
        ("unknown", [{}], '"unknown" takes no object'),
        ("refuse", [{}], "no (try later)"),
        ("refuse", [], "no (try later)\n"),
    ],
)
def test_a_wrong_request_is_answered_with_an_error(
    method: str, params: list[Any], says: str
) -> None:
    reply = answer(method, *params)
    assert reply.result is None and says in reply.error


def test_a_bug_is_logged_and_answered(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        reply = answer("fail")
    assert "internal error" in reply.error
    assert "ZeroDivisionError" in caplog.text


def _served(path: Path, commands: Commands, clients: Callable[[], None]) -> None:
    """Run blocking clients against a server, and end it."""

    async def scenario() -> None:
        server = ControlServer(path, commands)
        await server.start()
        try:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            await asyncio.wait_for(asyncio.to_thread(clients), 30)
        finally:
            await server.close()

    asyncio.run(scenario())
    assert not path.exists()


def _ask(path: Path, stream: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(path))
        client.sendall(stream)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b""))


def test_the_socket_serves_many_and_survives_bad_clients(tmp_path: Path) -> None:
    path = tmp_path / "ctl.sock"

    def bad_and_good_clients() -> None:
        good = encode(Request("repeat", [{"name": "a"}], 1))
        with socket.socket(socket.AF_UNIX) as deaf:
            # Asks for far more than a socket holds and never reads.
            deaf.connect(str(path))
            deaf.sendall(encode(Request("long", [], 1)) * 20)
            for stream in (b"garbage", b'{"method":', b"{}", b"\xff\xfe", b"{[" * 200):
                assert _ask(path, stream) == b""
            with socket.socket(socket.AF_UNIX) as rude:
                rude.connect(str(path))
                rude.sendall(encode(Request("long", [], 1)))
            assert _ask(path, good + b"garbage" + good).count(b'["a"]') == 1
            assert _ask(path, good * 3).count(b'["a"]') == 3
            with ControlClient(path) as first, ControlClient(path) as second:
                assert first.call("repeat", name="b") == second.call("repeat", name="b") == ["b"]
                with pytest.raises(ControlError, match=r"no \(try later\)"):
                    first.call("refuse")
                assert len(first.call("long")) == 4_000_000

    _served(path, _commands(), bad_and_good_clients)


def test_who_asks_for_the_end_is_answered_when_it_has_come(tmp_path: Path) -> None:
    path = tmp_path / "ctl.sock"

    async def scenario() -> None:
        asked, ended = asyncio.Event(), asyncio.Event()
        leaving: list[asyncio.Task[None]] = []

        async def leave(_: Any) -> str:
            leaving.append(cast("asyncio.Task[None]", asyncio.current_task()))
            asked.set()
            await ended.wait()
            return "it has ended"

        server = ControlServer(path, _commands(Method("exit", leave)))
        await server.start()
        with ControlClient(path) as client, ControlClient(path) as idle:
            answered = asyncio.create_task(asyncio.to_thread(client.call, "exit"))
            await asyncio.wait_for(asked.wait(), 10)
            await server.hang_up(but=leaving)
            assert not path.exists() and not answered.done()
            with pytest.raises(ControlError, match="lost the daemon"):
                await asyncio.to_thread(idle.call, "nothing")
            ended.set()
            await server.close()
            assert await asyncio.wait_for(answered, 10) == "it has ended"

    asyncio.run(scenario())


def test_without_a_daemon_the_client_says_how_to_start_it(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="hotswitchd --run-dir"):
        ControlClient(tmp_path / "ctl.sock")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "ctl.sock"))
    with pytest.raises(ControlError, match="no daemon is running"):
        ControlClient(tmp_path / "ctl.sock")


def test_a_client_waits_while_the_daemon_has_more_before_it_than_its_queue_holds(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ctl.sock"
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as first:
        busy.bind(str(path))
        busy.listen(0)
        first.connect(str(path))
        with pytest.raises(ControlError, match="does not answer"):
            ControlClient(path, timeout=0.2)
        timer = threading.Timer(0.2, lambda: busy.accept()[0].close())
        timer.start()
        with ControlClient(path, timeout=30):
            timer.join()
