"""JSON that is no message, and messages that ask for what there is not (RFC 7047 section 4)."""

from __future__ import annotations

from typing import Any

from tests.ovsdb.corpus.case import Case, answered, echo, request, syntax_error

_DATABASE = "Open_vSwitch"
_ECHO = '"method":"echo"'


def _refused(name: str, sent: bytes, error: Any) -> Case:
    return Case(name, sent, ((1, None, error),))


def _monitor(requests: Any) -> bytes:
    return request("monitor", _DATABASE, "m", requests)


_NO_MESSAGE = {
    "an empty object": "{}",
    "a member too many": f'{{{_ECHO},"params":[],"id":1,"x":1}}',
    "a method that is a number": '{"method":1,"params":[],"id":1}',
    "parameters that are an object": f'{{{_ECHO},"params":{{}},"id":1}}',
    "a request without parameters": f'{{{_ECHO},"id":1}}',
    "a request with a result": f'{{{_ECHO},"params":[],"result":1,"id":1}}',
    "a reply with both": '{"result":1,"error":2,"id":9}',
    "a reply without an id": '{"result":1,"error":null}',
}

_TWICE = request("monitor", _DATABASE, 5, {}) + request("monitor", _DATABASE, 5, {}, id_=2)

CASES = (
    *(Case(name, sent.encode(), closed=True) for name, sent in _NO_MESSAGE.items()),
    Case("a notification of nothing known", b'{"method":"x","params":[],"id":null}'),
    Case("a notification without an id", b'{"method":"x","params":[]}'),
    Case(
        "a reply that nobody waits for",
        b'{"result":[],"error":null,"id":9}' + echo(b"1"),
        answered(1),
        differs="it hangs up",
    ),
    Case("an id of any kind", request("echo", id_={"a": [1.5]}), (({"a": [1.5]}, [], None),)),
    _refused("an unknown method", request("nonsense"), "unknown method"),
    _refused(
        "no database",
        request("get_schema"),
        syntax_error("get_schema request params must begin with <db-name>", []),
    ),
    _refused(
        "an unknown database",
        request("transact", "x"),
        syntax_error("transact request specifies unknown database x", ["x"])
        | {"error": "unknown database"},
    ),
    _refused(
        "a monitor of everything", _monitor([]), syntax_error("monitor-requests must be object", [])
    ),
    _refused(
        "a monitor of an unknown table", _monitor({"X": {}}), syntax_error("no table named X")
    ),
    _refused(
        "a monitor of an unknown column",
        _monitor({"Bridge": {"columns": ["x"]}}),
        syntax_error("x is not a valid column name", ["x"]),
    ),
    _refused(
        "a monitor of a column twice",
        _monitor({"Bridge": {"columns": ["name", "name"]}}),
        syntax_error("column name mentioned more than once", ["name", "name"]),
    ),
    _refused(
        "a condition with an unknown function",
        request("monitor_cond", _DATABASE, 1, {"Bridge": {"where": [["name", "~", "x"]]}}),
        {"error": "unknown function", "details": "No function named ~."},
    ),
    Case(
        "two monitors with one id",
        _TWICE,
        ((1, {}, None), (2, None, syntax_error("duplicate monitor ID", 5))),
    ),
    _refused("the end of an unknown monitor", request("monitor_cancel", 1), "unknown monitor"),
    _refused(
        "a lock with a blank in its name",
        request("lock", "a b"),
        syntax_error("lock request params must be <id>", ["a b"]),
    ),
    _refused(
        "an unlock without a lock",
        request("unlock", "a"),
        syntax_error('unlock: "unlock" without "lock" or "steal"', ["a"]),
    ),
    Case(
        "a transaction taken back that never was",
        b'{"method":"cancel","params":[5],"id":null}' + echo(b"1"),
        answered(1),
    ),
)
