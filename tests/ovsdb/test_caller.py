"""A client's connection that is made again and again, to servers of all manners."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hotswitch.ovsdb import caller
from hotswitch.ovsdb.caller import Caller, Pauses, usable_servers
from hotswitch.ovsdb.jsonrpc import Message, Reply, Request
from hotswitch.ovsdb.remotes import RemoteError, parse_servers
from tests.ovsdb.room import eventually

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Follower:
    """A caller, and what it has received."""

    def __init__(self, *servers: str) -> None:
        self.received: list[Message] = []
        self.caller = Caller(parse_servers(",".join(servers)), None, self._event)
        self.caller.start()

    def _event(self) -> None:
        while (message := self.caller.receive()) is not None:
            self.received.append(message)


@asynccontextmanager
async def serving(path: Path, talk: Talk) -> AsyncIterator[str]:
    """A server that talks with each client like that; its name."""
    server = await asyncio.start_unix_server(talk, path)
    try:
        yield f"unix:{path}"
    finally:
        server.close()


def _json(**members: Any) -> bytes:
    return json.dumps(members, ensure_ascii=False).encode()


def test_the_first_round_is_called_at_once_then_there_are_pauses() -> None:
    pauses = Pauses(3)
    assert [pauses.next() for _ in range(9)] == [0, 0, 0, 1, 2, 4, 8, 8, 8]
    pauses.reset()
    assert [pauses.next() for _ in range(4)] == [0, 0, 0, 1]


def test_messages_in_any_pieces(tmp_path: Path) -> None:
    texts = ["ü€😀 \u2028", 'br"ace}{', ""]

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in b"".join(_json(id=1, result=text, error=None) for text in texts):
            writer.write(bytes([byte]))
            await writer.drain()

    async def story() -> None:
        async with serving(tmp_path / "s", talk) as name:
            follower = Follower(name)
            await eventually(lambda: len(follower.received) == 3)
            assert follower.received == [Reply(text, None, 1) for text in texts]
            follower.caller.close()

    asyncio.run(story())


def test_a_server_that_asks_whether_it_is_there_is_answered(tmp_path: Path) -> None:
    answers: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(_json(id="x", method="echo", params=[1]))
        answers.append(await reader.readuntil(b"}"))

    async def story() -> None:
        async with serving(tmp_path / "s", talk) as name:
            follower = Follower(name)
            await eventually(lambda: answers)
            assert json.loads(answers[0]) == {"id": "x", "result": [1], "error": None}
            assert follower.received == []
            follower.caller.close()

    asyncio.run(story())


@pytest.mark.parametrize("junk", [b"\xff\xfe", b"[]", b"HTTP/1.1 400\r\n", b'{"id":1}', b"}"])
def test_a_server_of_something_else_is_left(tmp_path: Path, junk: bytes) -> None:
    calls: list[int] = []

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append(1)
        writer.write(junk)
        await writer.drain()

    async def story() -> None:
        async with serving(tmp_path / "s", talk) as name:
            follower = Follower(name)
            await eventually(lambda: len(calls) > 1, "it is called again")
            assert "not the protocol" in follower.caller.problems[name]
            assert not follower.received
            follower.caller.close()

    asyncio.run(story())


def test_of_several_servers_the_one_that_is_there_is_found(tmp_path: Path) -> None:
    async def talk(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async def story() -> None:
        gone = [f"unix:{tmp_path / name}" for name in ("a,b", "c")]
        async with serving(tmp_path / "s", talk) as name:
            follower = Follower(*gone, name)
            await eventually(lambda: follower.caller.connected)
            assert follower.caller.name == name and follower.caller.generation == 1
            follower.caller.hang_up("it is not the leader")
            assert not follower.caller.connected
            assert not follower.caller.send(Request("echo", [], 1))
            await eventually(lambda: follower.caller.generation == 2, "it is called again")
            assert follower.caller.problems[name] == "it is not the leader"
            assert {follower.caller.problems[each] for each in gone} == {
                "No such file or directory"
            }
            follower.caller.close()

    asyncio.run(story())


def test_a_server_that_falls_silent_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caller, "_PATIENCE", 0.1)
    asked: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"}"))
        await reader.read()

    async def story() -> None:
        server = await asyncio.start_server(talk, "localhost")
        port = server.sockets[0].getsockname()[1]
        name = f"tcp:localhost:{port}"
        follower = Follower(name)
        await eventually(lambda: follower.caller.problems)
        assert json.loads(asked[0])["method"] == "echo"
        assert follower.caller.problems[name] == "no sign of life for 0.2 s"
        follower.caller.close()
        server.close()

    asyncio.run(story())


def test_a_host_that_has_no_address() -> None:
    async def story() -> None:
        follower = Follower("tcp:no-such-host.invalid:6640")
        await eventually(lambda: follower.caller.problems)
        [problem] = follower.caller.problems.values()
        assert "known" in problem or "resolution" in problem, problem
        follower.caller.close()

    asyncio.run(story())


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "tcp:1.2.3.4",
        "tcp::1",
        "punix:x",
        "db:a,b,c",
        "tcp:1.2.3.4:1,x",
        "ssl:a:1",
        "udp:a:1",
    ],
)
def test_what_is_no_server(text: str) -> None:
    with pytest.raises(RemoteError):
        usable_servers(text, None)
