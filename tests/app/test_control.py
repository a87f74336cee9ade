"""The control protocol: framing, dispatch, and the socket."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import stat
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from hotswitch.app.control.client import ControlClient, ControlError
from hotswitch.app.control.codec import (
    MAXIMUM_REQUEST,
    CodecError,
    Framer,
    Reply,
    Request,
    decode_request,
    encode,
)
from hotswitch.app.control.dispatch import Dispatcher, Method, RequestError
from hotswitch.app.control.server import ControlServer

json_values = some.recursive(
    some.none() | some.booleans() | some.integers(-(2**53), 2**53) | some.text(max_size=8),
    lambda inner: (
        some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
objects = some.dictionaries(some.text(max_size=6), json_values, max_size=4)


@given(some.lists(objects, max_size=5), some.data())
def test_objects_come_out_as_they_went_in_however_the_bytes_arrive(
    messages: list[dict[str, Any]], data: some.DataObject
) -> None:
    gap = some.sampled_from([b"", b" ", b"\n", b"\r\n\t"])
    stream = b"".join(
        data.draw(gap) + json.dumps(each, ensure_ascii=data.draw(some.booleans())).encode()
        for each in messages
    )
    framer, found = Framer(), []
    while stream:
        length = data.draw(some.integers(1, len(stream)))
        found += framer.feed(stream[:length])
        stream = stream[length:]
    assert [json.loads(each) for each in found] == messages


@given(some.lists(some.binary(max_size=40) | some.sampled_from([b'{"', b"{[", b"}", b"\\"])))
def test_garbage_gives_objects_or_the_declared_error(chunks: list[bytes]) -> None:
    framer = Framer(100)
    try:
        for each in chunks:
            for message in framer.feed(each):
                decode_request(message)
    except CodecError:
        pass


@pytest.mark.parametrize(
    "stream", [b"[]", b"null", b"GET / HTTP/1.1", b'{"a": "' + b"x" * MAXIMUM_REQUEST, b"{[" * 40]
)
def test_what_is_no_object_is_refused(stream: bytes) -> None:
    with pytest.raises(CodecError):
        Framer().feed(stream)


class Pair(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    count: int = 1


def _fail(_: Any) -> None:
    raise ZeroDivisionError


def _refuse(_: Any) -> None:
    raise RequestError("no", remedy="try later")


DISPATCHER = Dispatcher(
    [
        Method("repeat", "Repeat a name.", lambda pair: [pair.name] * pair.count, Pair),
        Method("fail", "Have a bug.", _fail),
        Method("refuse", "Refuse.", _refuse),
        Method("long", "Say much.", lambda _: "x" * 4_000_000),
    ]
)


def answer(request: Request) -> Reply:
    return asyncio.run(DISPATCHER.answer(request))


def test_an_object_of_parameters_gives_json_and_texts_give_text() -> None:
    reply = answer(Request("repeat", [{"name": "a", "count": 2}], 7))
    assert reply == Reply(7, ["a", "a"])
    reply = answer(Request("repeat", ["a", "2"], "x"))
    assert reply.id == "x" and json.loads(reply.result) == ["a", "a"]
    assert "Repeat a name." in answer(Request("list-commands")).result


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (Request("repeat", [{"name": "a", "count": "2"}]), "count"),
        (Request("repeat", [{"name": "a", "colour": 1}]), "colour"),
        (Request("repeat", []), "name"),
        (Request("repeat", ["a", "1", "2"]), "at most 2"),
        (Request("repeat", [1]), "params is"),
        (Request("repeat", [{}, {}]), "params is"),
        (Request("nothing"), "'nothing' is not a method (list-commands)"),
        (Request("refuse", [{}]), "no (try later)"),
    ],
)
def test_a_wrong_request_is_answered_with_an_error(request_: Request, says: str) -> None:
    reply = answer(request_)
    assert reply.result is None and says in reply.error


def test_a_bug_is_logged_and_answered(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        reply = answer(Request("fail"))
    assert "internal error" in reply.error
    assert "ZeroDivisionError" in caplog.text


async def _serving(path: Path) -> ControlServer:
    server = ControlServer(path, DISPATCHER.answer)
    await server.start()
    return server


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
            deaf.sendall(encode(Request("long")) * 20)
            for stream in (b"garbage", b'{"method":', b"{}", b"\xff\xfe", b"{[" * 100):
                _ask(path, stream)
            with socket.socket(socket.AF_UNIX) as rude:
                rude.connect(str(path))
                rude.sendall(encode(Request("long")))
            assert b"JSON object" in _ask(path, good + b"garbage" + good)
            assert _ask(path, good * 3).count(b'["a"]') == 3
            with ControlClient(path) as first, ControlClient(path) as second:
                assert first.call("repeat", name="b") == second.call("repeat", name="b") == ["b"]
                with pytest.raises(ControlError, match=r"no \(try later\)"):
                    first.call("refuse")
                assert len(first.call("long")) == 4_000_000

    async def scenario() -> None:
        server = await _serving(path)
        try:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            await asyncio.wait_for(asyncio.to_thread(bad_and_good_clients), 30)
        finally:
            server.close()
            await server.hang_up()

    asyncio.run(scenario())
    assert not path.exists()


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
