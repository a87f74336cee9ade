"""One stream of bytes, and what becomes of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Case:
    """What a client sends on a new connection, and what the server does then.

    answers: the replies as (id, result, error), in their order.
    closed: whether the server hangs up then.
    differs: why Open vSwitch's server does not do so; empty if it does.
    """

    name: str
    sent: bytes
    answers: tuple[tuple[Any, Any, Any], ...] = ()
    closed: bool = False
    differs: str = ""


def request(method: str, *params: Any, id_: Any = 1) -> bytes:
    """A request as JSON."""
    return json.dumps({"method": method, "params": params, "id": id_}).encode()


def echo(argument: bytes) -> bytes:
    """A request to send this back, whatever it is."""
    return b'{"method":"echo","params":[' + argument + b'],"id":1}'


def answered(*params: Any) -> tuple[tuple[Any, Any, Any], ...]:
    """What is answered to `echo`."""
    return ((1, list(params), None),)


def syntax_error(details: str, syntax: Any = ...) -> dict[str, str]:
    """The error of RFC 7047 section 3.1, with the part that is wrong."""
    error = {"error": "syntax error", "details": details}
    if syntax is not ...:
        text = json.dumps(syntax, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        error["syntax"] = text
    return error
