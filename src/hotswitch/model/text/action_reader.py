"""Actions as text: read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from hotswitch.headers.field_text import TextError, read_value
from hotswitch.headers.registry import Registry
from hotswitch.model import action as act
from hotswitch.model.action import Action, Actions
from hotswitch.model.text.terms import braced, number, parts, read_field

_BITS = re.compile(
    r"(?P<name>[^\[\]]+)(\[(?P<first>[0-9]{1,3})(?P<dots>\.\.(?P<last>[0-9]{1,3})?)?\])?"
)

_OPEN = -1


def read_actions(registry: Registry, text: str) -> Actions:
    """The actions that a text stands for. Every mask has the width of its field."""
    return tuple(_read_action(registry, part) for part in parts(text, "none"))


def _read_action(registry: Registry, text: str) -> Action:
    if "{" in text or "}" in text:
        return _read_with_lists(registry, text)
    return _read_plain(registry, text)


def _read_with_lists(registry: Registry, text: str) -> Action:
    head, brace, rest = text.partition("{")
    lists = tuple(read_actions(registry, each) for each in braced(brace + rest))
    name, _, argument = (each.strip() for each in head.partition(":"))
    most = {"clone": 1, "sample": 1, "check_length": 2, "decrement_ttl": 1}.get(name)
    if most is None:
        raise TextError(f"{name[:60]!r}: no actions can be in it")
    if len(lists) > most:
        raise TextError(f"{name}: at most {most} in braces")
    match name:
        case "clone":
            if argument:
                raise TextError(f"clone has only actions, without {argument[:60]!r}")
            return act.Clone(lists[0])
        case "sample":
            return act.Sample(number("sample", argument), lists[0])
        case "check_length":
            return act.CheckLength(number("check_length", argument), *lists)
    plain = _read_plain(registry, head.strip())
    return act.with_lists(plain, lists)


def _read_plain(registry: Registry, text: str) -> Action:
    name, colon, argument = (each.strip() for each in text.partition(":"))
    if colon and not argument and name != "outputs":
        raise TextError(f"{name[:60]!r}: something is missing after the colon")
    if name in _PLAIN and not (colon and name in _READERS):
        if colon:
            raise TextError(f"{name} stands alone, without {argument[:60]!r}")
        return _PLAIN[name]
    if name in _WITH_LISTS:
        raise TextError(f"{name}: actions are missing, in braces")
    if name not in _READERS:
        raise TextError(f"no action {name[:60]!r}; actions are {', '.join(_NAMES)}")
    if not colon:
        if name not in _DEFAULTS:
            raise TextError(f"{name}: write {name}:…")
        return _DEFAULTS[name]
    return _READERS[name](registry, argument)


def _read_output(_registry: Registry, text: str) -> Action:
    port, colon, hairpin = (each.strip() for each in text.partition(":"))
    if colon and hairpin != "hairpin":
        raise TextError(f"output: {hairpin[:60]!r}; write output:PORT:hairpin")
    return act.Output(act.IN_PORT if port == "in_port" else number("output", port), bool(colon))


def _read_outputs(_registry: Registry, text: str) -> Action:
    listed, colon, hairpin = (each.strip() for each in text.partition(":"))
    if colon and hairpin != "hairpin":
        raise TextError(f"outputs: {hairpin[:60]!r}; write outputs:PORT+PORT:hairpin")
    ports = listed.split("+") if listed else []
    return act.OutputList(tuple(number("outputs", each.strip()) for each in ports), bool(colon))


def _read_set(registry: Registry, text: str) -> Action:
    name, equals, value = (each.strip() for each in text.partition("="))
    info = read_field(registry, name)
    if not equals:
        raise TextError(f"set:{info.name}: a value is missing")
    return act.SetField(info.name, *read_value(info, value))


def _read_copy(registry: Registry, text: str) -> Action:
    source, target = _arrow("copy", text)
    from_name, first, last = _bits(registry, source)
    to_name, to_first, to_last = _bits(registry, target)
    width = 0
    if first is not None and last != _OPEN:
        if last is None:
            raise TextError(f"copy: {source} needs the last bit too, as in reg0[4..15]")
        if last < first:
            raise TextError(f"copy: in {source} the last bit is before the first")
        width = last - first + 1
    if to_last is not None:
        raise TextError(f"copy: {target} needs the first bit only, as in reg0[4]")
    return act.CopyField(from_name, to_name, first or 0, to_first or 0, width)


def _read_lookup(registry: Registry, text: str) -> Action:
    vlan, target = _arrow("lookup", text)
    return act.Lookup(read_field(registry, vlan).name, read_field(registry, target).name)


def _read_copy_to_user(registry: Registry, text: str) -> Action:
    given: dict[str, int] = {}
    fields: tuple[str, ...] = ()
    for part in text.split(":"):
        key, _, value = (each.strip() for each in part.partition("="))
        if key == "fields" and not fields:
            fields = tuple(read_field(registry, each.strip()).name for each in value.split("+"))
        elif key not in ("reason", "length") or key in given:
            raise TextError(
                f"copy_to_user: {part[:60]!r}; write reason=NUMBER:length=NUMBER:fields=FIELD+FIELD"
            )
        else:
            given[key] = number(f"copy_to_user: {key}", value)
    return act.CopyToUser(**given, fields=fields)


def _arrow(what: str, text: str) -> tuple[str, str]:
    source, arrow, target = (each.strip() for each in text.partition("->"))
    if not arrow:
        raise TextError(f"{what}: {text[:60]!r} is not of the form SOURCE->TARGET")
    return source, target


def _bits(registry: Registry, text: str) -> tuple[str, int | None, int | None]:
    """Name, first and last bit; None if not said, _OPEN where it is left open: reg0[4..]."""
    found = _BITS.fullmatch(text)
    if not found:
        raise TextError(f"copy: {text[:60]!r} is neither FIELD nor FIELD[FIRST..LAST]")
    name = read_field(registry, found["name"]).name
    if found["first"] is None:
        return name, None, None
    if not found["dots"]:
        return name, int(found["first"]), None
    return name, int(found["first"]), int(found["last"]) if found["last"] else _OPEN


_Reader = Callable[[Registry, str], Action]

_PLAIN: Mapping[str, Action] = {
    "drop": act.Drop(),
    "host": act.ToHost(),
    "pop_vlan": act.PopVlan(),
    "note_flags": act.NoteFlags(),
}

_DEFAULTS: Mapping[str, Action] = {
    "push_vlan": act.PushVlan(),
    "push_mpls": act.PushMpls(),
    "decrement_ttl": act.DecrementTtl(),
    "copy_to_user": act.CopyToUser(),
    "learn": act.Learn(),
    "lookup": act.Lookup(),
    "hash": act.Hash(),
}

_READERS: Mapping[str, _Reader] = {
    "output": _read_output,
    "outputs": _read_outputs,
    "set": _read_set,
    "copy": _read_copy,
    "push_vlan": lambda _, text: act.PushVlan(number("push_vlan", text)),
    "push_mpls": lambda _, text: act.PushMpls(number("push_mpls", text)),
    "pop_mpls": lambda _, text: act.PopMpls(number("pop_mpls", text)),
    "decrement_ttl": lambda registry, text: act.DecrementTtl(read_field(registry, text).name),
    "goto": lambda _, text: act.GotoTable(number("goto", text)),
    "copy_to_user": _read_copy_to_user,
    "learn": lambda registry, text: act.Learn(read_field(registry, text).name),
    "lookup": _read_lookup,
    "limit": lambda _, text: act.Limit(number("limit", text)),
    "drop": lambda _, text: act.Drop(number("drop", text)),
    "truncate": lambda _, text: act.Truncate(number("truncate", text)),
    "hash": lambda _, text: act.Hash(number("hash", text)),
    "recirculate": lambda _, text: act.Recirculate(number("recirculate", text)),
}

_WITH_LISTS = ("clone", "sample", "check_length")

_NAMES: tuple[str, ...] = (*dict.fromkeys((*_READERS, *_PLAIN)), *_WITH_LISTS)
"""The words that actions begin with."""
