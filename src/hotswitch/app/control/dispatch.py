"""Requests to handlers: parameters checked before, errors put into words after."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any

import msgspec

from hotswitch.app.control.codec import Reply, Request
from hotswitch.base.errors import HotswitchError

_log = logging.getLogger(__name__)


class RequestError(HotswitchError):
    """A request that names no method, has wrong parameters, or can't be carried out."""


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters."""


@dataclass(frozen=True, slots=True)
class Method:
    """What a client may ask for.

    parameters: a msgspec structure; it decides what is accepted.
    handler: takes such a structure, returns what JSON can hold (msgspec's idea of it), or an
        awaitable for it.
    """

    name: str
    doc: str
    handler: Callable[[Any], Any]
    parameters: type[msgspec.Struct] = Nothing


class Dispatcher:
    """The table of methods.

    Parameters come as one object, and the result is JSON; or, as from `ovs-appctl`, as texts in
    the order of the structure's fields, and the result is a text.
    """

    def __init__(self, methods: Iterable[Method]) -> None:
        listing = Method("list-commands", "List the methods.", self._list)
        self._methods: Mapping[str, Method] = {each.name: each for each in (*methods, listing)}

    async def answer(self, request: Request) -> Reply:
        """Carry out a request. Never raises: a bug is logged and answered as an internal error."""
        try:
            method = self._methods.get(request.method)
            if method is None:
                raise RequestError(f"{request.method!r} is not a method", remedy="list-commands")
            result = method.handler(_parameters(method, request.params))
            if isawaitable(result):
                result = await result
            result = msgspec.to_builtins(result)
        except HotswitchError as error:
            return Reply(request.id, error=str(error) + "\n" * _is_text(request.params))
        except Exception:
            _log.exception("a request failed for a reason that is a bug: %s", request.method)
            return Reply(request.id, error="internal error (the daemon's log has the details)")
        if _is_text(request.params):
            result = _as_text(result)
        return Reply(request.id, result)

    def _list(self, _: Nothing) -> Mapping[str, str]:
        return {name: self._methods[name].doc for name in sorted(self._methods)}


def _is_text(parameters: list[Any]) -> bool:
    """Whether to reply in text. Without parameters as well: a client of ours sends `[{}]`."""
    return all(isinstance(each, str) for each in parameters)


def _parameters(method: Method, given: list[Any]) -> msgspec.Struct:
    names = method.parameters.__struct_fields__
    if _is_text(given):
        if len(given) > len(names):
            raise RequestError(f"{method.name} takes at most {len(names)} parameters")
        raw: Any = dict(zip(names, given, strict=False))
    elif len(given) == 1 and isinstance(given[0], dict):
        raw = given[0]
    else:
        raise RequestError("params is a list of texts, or of one object")
    try:
        return msgspec.convert(raw, method.parameters, strict=not _is_text(given))
    except msgspec.ValidationError as error:
        raise RequestError(f"{method.name}: {error}") from error


def _as_text(result: Any) -> str:
    if result is None:
        return ""
    if isinstance(result, str):
        return result
    return msgspec.json.format(msgspec.json.encode(result), indent=2).decode() + "\n"
