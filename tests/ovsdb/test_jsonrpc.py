"""The stream of JSON-RPC messages: any cut, any junk."""

from __future__ import annotations

import contextlib
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotswitch.ovsdb.jsonrpc import (
    MAXIMUM_DEPTH,
    Framer,
    Message,
    Notification,
    ProtocolError,
    Reply,
    Request,
    canonical,
    encode,
)

_text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _text
    | st.sampled_from(["}{", '"}{"', "\\", '\\"', "[[[", "\\u0000"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_text, inner, max_size=4),
    max_leaves=12,
)
_something = _values.filter(lambda value: value is not None)
_messages = st.one_of(
    st.builds(
        Request, _text, st.lists(_values, max_size=4), _values.filter(lambda v: v is not None)
    ),
    st.builds(Notification, _text, st.lists(_values, max_size=4)),
    st.builds(Reply, _something, st.none(), st.integers()),
    st.builds(Reply, st.none(), _something, st.integers()),
)


def _feed(framer: Framer, *pieces: bytes) -> list[Message]:
    return [message for piece in pieces for message in framer.feed(piece)]


@given(st.lists(_messages, max_size=5), st.data())
def test_messages_survive_any_cut(messages: list[Message], data: st.DataObject) -> None:
    blank = data.draw(st.sampled_from([b"", b"\n", b" \r\n\t"]))
    stream = blank.join(encode(each) for each in messages) + blank
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    framer = Framer()
    assert _feed(framer, *pieces) == messages
    assert framer.held == 0


@given(_messages)
def test_a_message_survives_byte_by_byte_and_in_other_spellings(message: Message) -> None:
    spelled = json.dumps(json.loads(encode(message)), indent=1).encode()
    assert _feed(Framer(), *(spelled[i : i + 1] for i in range(len(spelled)))) == [message]


@pytest.mark.parametrize(
    "junk",
    [
        b"hello",
        b"[1]",
        b"\x00\x00",
        b"GET / HTTP/1.0\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b'{"a":',
        b"{x",
        b"{]",
        b"{}",
        b"{'method':1}",
        b'{"method":"\xff\xfe","params":[],"id":1}',
        b'{"method":"echo","params":["\xed\xa0\x80"],"id":1}',
        b'{"method":"echo","params":["\\ud800"],"id":1}',
        b'{"method":"echo","params":["\\q"],"id":1}',
        b'{"method":"echo","params":["\\u0000"],"id":1}',
        b'{"method":"echo","params":["\n"],"id":1}',
        b'{"method":"echo","params":[1e999],"id":1}',
        b'{"method":"echo","params":[' + b"9" * 5000 + b'],"id":1}',
        b'{"method":"echo","params":[NaN],"id":1}',
        b'{"method":"echo","params":{},"id":1}',
        b'{"method":"echo","id":1}',
        b'{"method":1,"params":[],"id":1}',
        b'{"method":"echo","params":[],"id":1,"more":1}',
        b'{"method":"echo","params":[],"result":1,"id":1}',
        b'{"result":1,"error":1,"id":1}',
        b'{"result":null,"error":null,"id":1}',
        b'{"id":1}',
        b'{"result":1,"error":null,"id":null}',
    ],
)
def test_junk_is_a_protocol_error(junk: bytes) -> None:
    for pieces in ([junk], [junk[i : i + 1] for i in range(len(junk))]):
        framer = Framer()
        if junk == b'{"a":':
            assert _feed(framer, *pieces) == []  # it may still become something
            continue
        with pytest.raises(ProtocolError):
            _feed(framer, *pieces)


@given(st.binary(max_size=300), st.integers(1, 50))
def test_nothing_but_protocol_errors_comes_out(junk: bytes, size: int) -> None:
    framer = Framer()
    with contextlib.suppress(ProtocolError):
        _feed(framer, *(junk[i : i + size] for i in range(0, len(junk), size)))


def test_messages_before_junk_are_heard() -> None:
    good = Request("echo", [], 1)
    heard: list[Message] = []
    with pytest.raises(ProtocolError):
        for each in Framer().feed(encode(good) + encode(good) + b"junk"):
            heard.append(each)  # noqa: PERF402
    assert heard == [good, good]


@pytest.mark.parametrize(("depth", "fits"), [(MAXIMUM_DEPTH, True), (MAXIMUM_DEPTH + 1, False)])
def test_the_depth_is_limited(depth: int, fits: bool) -> None:
    inner = b"[" * (depth - 2) + b"]" * (depth - 2)
    message = b'{"method":"echo","id":1,"params":[' + inner + b"]}"
    if fits:
        assert len(_feed(Framer(), message)) == 1
    else:
        with pytest.raises(ProtocolError, match="nests"):
            _feed(Framer(), message)


def test_a_message_is_limited_in_bytes() -> None:
    framer = Framer(maximum=1000)
    message = encode(Request("echo", ["x" * 900], 1))
    assert len(_feed(framer, message[:500], message[500:])) == 1
    with pytest.raises(ProtocolError, match="1000 bytes"):
        _feed(framer, b'{"method":"', b"x" * 999)


def test_junk_that_looks_like_json_costs_no_memory() -> None:
    framer = Framer()
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError):
            for _ in range(1000):
                _feed(framer, b"{ \x01 [\xff" * 10_000)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_the_work_is_linear() -> None:
    """A large message in small pieces, full of what could be an end."""
    value: list[Any] = [{"a": [{}, {}]}] * 20_000
    stream = encode(Request("echo", value, 1))
    framer = Framer()
    looked_at = 0
    for start in range(0, len(stream) - 1000, 1000):
        assert _feed(framer, stream[start : start + 1000]) == []
        looked_at = start + 1000
        assert framer._scanned >= looked_at - 2
    assert _feed(framer, stream[looked_at:]) == [Request("echo", value, 1)]


@pytest.mark.parametrize("number", [2**63, -(2**63), 2**64, 10**30, -(10**30), 10**400, -(10**400)])
def test_huge_integers_come_out_as_numbers_again(number: int) -> None:
    text = b'{"method":"echo","params":[{"a":[%d]}],"id":%d}' % (number, number)
    (request,) = _feed(Framer(), text)
    assert isinstance(request, Request)
    (reply,) = _feed(Framer(), encode(Reply(request.params, None, request.id)))
    assert isinstance(reply, Reply)
    assert (reply.result, reply.id) == ([{"a": [number]}], number)
    assert canonical(number) != canonical(number - 1)


def test_values_that_are_the_same_are_found() -> None:
    assert canonical(1) == canonical(1.0) != canonical("1")
    assert canonical({"a": 1, "b": [2]}) == canonical({"b": [2], "a": 1})
