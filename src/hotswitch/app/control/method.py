"""Commands that have structure: parameters checked before, results as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import isawaitable
from typing import Any

import msgspec

from hotswitch.base.errors import HotswitchError
from hotswitch.ovsdb.unixctl import Commands


class RequestError(HotswitchError):
    """A request that has wrong parameters, or can't be carried out."""


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
    handler: Callable[[Any], Any]
    parameters: type[msgspec.Struct] = Nothing


def register(commands: Commands, methods: Iterable[Method]) -> None:
    """Add methods, for parameters in one object.

    Also for texts in the order of the structure's fields, with the result as JSON for people,
    unless there already is a command in text of that name.
    """
    for each in methods:
        commands.add_call(each.name, partial(carry_out, each))
        if each.name not in commands:
            fields = msgspec.structs.fields(each.parameters)
            needed = sum(field.required for field in fields)
            words = [field.name if field.required else f"[{field.name}]" for field in fields]
            commands.add(each.name, " ".join(words), needed, len(fields), partial(_run, each))


async def carry_out(method: Method, given: Mapping[str, Any], *, strict: bool = True) -> Any:
    """Check the parameters and do it. strict: no texts for numbers. Raises HotswitchError."""
    try:
        parameters = msgspec.convert(given, method.parameters, strict=strict)
    except msgspec.ValidationError as error:
        raise RequestError(f"{method.name}: {error}") from error
    result = method.handler(parameters)
    if isawaitable(result):
        result = await result
    return {} if result is None else msgspec.to_builtins(result)


async def _run(method: Method, words: Sequence[str]) -> str:
    names = method.parameters.__struct_fields__
    result = await carry_out(method, dict(zip(names, words, strict=False)), strict=False)
    if result == {}:
        return ""
    return msgspec.json.format(msgspec.json.encode(result), indent=2).decode() + "\n"
