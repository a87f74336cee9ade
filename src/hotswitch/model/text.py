"""Matches and actions as text: what people type and read.

A match is terms with commas between them, or `any`:

    in_port=1,vlan.vid=10,ipv4.src=10.0.0.0/8,tcp,!vlan2

    FIELD=VALUE        the field has the value
    FIELD=VALUE/MASK   in the bits of the mask, or of a prefix: 10.0.0.0/8, 0x10/0xf0
    LAYER, !LAYER      the header is present, is absent

Actions are in the order in which they are carried out, with commas between them, or `none`:

    output:3                           output:in_port (back where it came from)
    outputs:1+2+3                      a port list, without the ingress port
    set:ipv4.src=10.0.0.1              set:reg0=0x10/0xf0 (these bits only)
    copy:vlan.vid->reg0                copy:reg0[4..15]->vlan.vid, copy:reg0->metadata[32]
    push_vlan:0x88a8, pop_vlan         push_mpls:0x8847, pop_mpls:0x800
    decrement_ttl:ipv6.hop_limit       goto:5
    learn:reg0, lookup:reg0->reg1      limit:7
    copy_to_user:reason=1:length=128   drop, host
    copy_to_user:fields=reg0+skb_mark  with the values of fields beside the packet
    output:3:hairpin                   to port 3 even if the packet came in there
    drop:7                             with a reason
    clone{output:2,push_vlan}          with a copy; also sample:0x7fffffff{…} (a chance of a half)
    check_length:1514{output:2}{…}     if longer, and otherwise
    decrement_ttl:ipv4.ttl{…}          what is done with a packet whose TTL is spent
    truncate:64, hash:5                recirculate:9, note_flags

Bits in brackets count from the least significant one. What an action has a default for may be
left out. `read_*` raises TextError, one line that names the culprit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from hotswitch.headers.registry import FieldInfo, FieldKind, HeaderError, Registry
from hotswitch.headers.text import TextError, read_number, read_value, show_value
from hotswitch.model import action as act
from hotswitch.model.action import Action, Actions
from hotswitch.model.match import Match

_BITS = re.compile(
    r"(?P<name>[^\[\]]+)(\[(?P<first>[0-9]{1,3})(?P<dots>\.\.(?P<last>[0-9]{1,3})?)?\])?"
)

_OPEN = -1


def show_match(registry: Registry, match: Match) -> str:
    """The text of a match. Raises HeaderError for a field that does not exist."""
    terms = []
    for term in match:
        info = registry.field(term.field)
        if info.kind is FieldKind.PRESENCE:
            terms.append(info.name if term.value else f"!{info.name}")
        else:
            terms.append(f"{info.name}={show_value(info, term.value, term.mask)}")
    return ",".join(terms) or "any"


def read_match(registry: Registry, text: str) -> Match:
    """The match that a text stands for. Every mask has the width of its field, none is -1."""
    found: dict[str, tuple[int, int]] = {}
    for part in _parts(text, "any"):
        name, equals, value = (each.strip() for each in part.partition("="))
        info = _field(registry, name.removeprefix("!") if not equals else name)
        if info.name in found:
            raise TextError(f"{info.name} is matched twice")
        if equals:
            found[info.name] = read_value(info, value)
        elif info.kind is FieldKind.PRESENCE:
            found[info.name] = (0 if name.startswith("!") else 1, 1)
        else:
            raise TextError(f"{info.name}: a value is missing")
    return Match.of(found)


def show_actions(registry: Registry, actions: Actions) -> str:
    """The text of actions. Raises HeaderError for a field that does not exist."""
    return ",".join(show_action(registry, each) for each in actions) or "none"


def show_action(registry: Registry, action: Action) -> str:
    """The text of one action. Raises HeaderError for a field that does not exist."""
    match action:
        case act.Output(port, hairpin):
            name = "in_port" if port == act.IN_PORT else port
            return f"output:{name}{':hairpin' if hairpin else ''}"
        case act.OutputList(ports):
            return f"outputs:{'+'.join(map(str, ports))}"
        case act.Drop(reason):
            return f"drop:{reason}" if reason else "drop"
        case act.ToHost():
            return "host"
        case act.SetField(field, value, mask):
            return f"set:{field}={show_value(registry.field(field), value, mask)}"
        case act.CopyField():
            return f"copy:{_show_source(action)}->{_show_target(action)}"
        case act.PushVlan(ethertype):
            return f"push_vlan:{ethertype:#x}"
        case act.PopVlan():
            return "pop_vlan"
        case act.PushMpls(ethertype):
            return f"push_mpls:{ethertype:#x}"
        case act.PopMpls(ethertype):
            return f"pop_mpls:{ethertype:#x}"
        case act.DecrementTtl(field, spent):
            return f"decrement_ttl:{field}" + (_show_lists(registry, spent) if spent else "")
        case act.GotoTable(table):
            return f"goto:{table}"
        case act.CopyToUser(reason, length, fields):
            with_fields = f":fields={'+'.join(fields)}" if fields else ""
            return f"copy_to_user:reason={reason}:length={length}{with_fields}"
        case act.Learn(vlan):
            return f"learn:{vlan}"
        case act.Lookup(vlan, target):
            return f"lookup:{vlan}->{target}"
        case act.Limit(meter):
            return f"limit:{meter}"
        case act.Clone(inner):
            return f"clone{_show_lists(registry, inner)}"
        case act.Sample(probability, inner):
            return f"sample:{probability:#x}{_show_lists(registry, inner)}"
        case act.CheckLength(length, longer, otherwise):
            return f"check_length:{length}{_show_lists(registry, longer, otherwise)}"
        case act.Truncate(length):
            return f"truncate:{length}"
        case act.Hash(basis):
            return f"hash:{basis}"
        case act.Recirculate(number):
            return f"recirculate:{number}"
        case act.NoteFlags():
            return "note_flags"


def _show_lists(registry: Registry, *lists: Actions) -> str:
    return "".join(f"{{{show_actions(registry, each)}}}" for each in lists)


def read_actions(registry: Registry, text: str) -> Actions:
    """The actions that a text stands for. Every mask has the width of its field."""
    return tuple(_read_action(registry, part) for part in _parts(text, "none"))


def _read_action(registry: Registry, text: str) -> Action:
    if "{" in text or "}" in text:
        return _read_with_lists(registry, text)
    return _read_plain(registry, text)


def _read_with_lists(registry: Registry, text: str) -> Action:
    head, brace, rest = text.partition("{")
    lists = tuple(read_actions(registry, each) for each in _braced(brace + rest))
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
            return act.Sample(_number("sample", argument), lists[0])
        case "check_length":
            return act.CheckLength(_number("check_length", argument), *lists)
    plain = _read_plain(registry, head.strip())
    return act.with_lists(plain, lists)


def _braced(text: str) -> list[str]:
    """What is in each of some pairs of braces that follow each other."""
    found = []
    while text:
        if text[0] != "{":
            raise TextError(f"{text[:60]!r}: something stands behind a brace")
        end = _closing(text)
        found.append(text[1:end])
        text = text[end + 1 :].strip()
    return found


def _closing(text: str) -> int:
    """Where the first brace is closed."""
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "{") - (letter == "}")
        if not depth:
            return place
    raise TextError(f"{text[:60]!r}: a brace is not closed")


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
        raise TextError(f"no action {name[:60]!r}; actions are {', '.join(ACTION_NAMES)}")
    if not colon:
        if name not in _DEFAULTS:
            raise TextError(f"{name}: write {name}:…")
        return _DEFAULTS[name]
    return _READERS[name](registry, argument)


def _read_output(_registry: Registry, text: str) -> Action:
    port, colon, hairpin = (each.strip() for each in text.partition(":"))
    if colon and hairpin != "hairpin":
        raise TextError(f"output: {hairpin[:60]!r}; write output:PORT:hairpin")
    return act.Output(act.IN_PORT if port == "in_port" else _number("output", port), bool(colon))


def _read_outputs(_registry: Registry, text: str) -> Action:
    ports = text.split("+") if text else []
    return act.OutputList(tuple(_number("outputs", each.strip()) for each in ports))


def _read_set(registry: Registry, text: str) -> Action:
    name, equals, value = (each.strip() for each in text.partition("="))
    info = _field(registry, name)
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
    return act.Lookup(_field(registry, vlan).name, _field(registry, target).name)


def _read_copy_to_user(registry: Registry, text: str) -> Action:
    given: dict[str, int] = {}
    fields: tuple[str, ...] = ()
    for part in text.split(":"):
        key, _, value = (each.strip() for each in part.partition("="))
        if key == "fields" and not fields:
            fields = tuple(_field(registry, each.strip()).name for each in value.split("+"))
        elif key not in ("reason", "length") or key in given:
            raise TextError(
                f"copy_to_user: {part[:60]!r}; write reason=NUMBER:length=NUMBER:fields=FIELD+FIELD"
            )
        else:
            given[key] = _number(f"copy_to_user: {key}", value)
    return act.CopyToUser(**given, fields=fields)


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
    "push_vlan": lambda _, text: act.PushVlan(_number("push_vlan", text)),
    "push_mpls": lambda _, text: act.PushMpls(_number("push_mpls", text)),
    "pop_mpls": lambda _, text: act.PopMpls(_number("pop_mpls", text)),
    "decrement_ttl": lambda registry, text: act.DecrementTtl(_field(registry, text).name),
    "goto": lambda _, text: act.GotoTable(_number("goto", text)),
    "copy_to_user": _read_copy_to_user,
    "learn": lambda registry, text: act.Learn(_field(registry, text).name),
    "lookup": _read_lookup,
    "limit": lambda _, text: act.Limit(_number("limit", text)),
    "drop": lambda _, text: act.Drop(_number("drop", text)),
    "truncate": lambda _, text: act.Truncate(_number("truncate", text)),
    "hash": lambda _, text: act.Hash(_number("hash", text)),
    "recirculate": lambda _, text: act.Recirculate(_number("recirculate", text)),
}

_WITH_LISTS = ("clone", "sample", "check_length")

ACTION_NAMES: tuple[str, ...] = (*dict.fromkeys((*_READERS, *_PLAIN)), *_WITH_LISTS)
"""The words that actions begin with."""


def _parts(text: str, nothing: str) -> list[str]:
    if text.strip() in ("", nothing):
        return []
    parts = [part.strip() for part in _split(text)]
    if "" in parts:
        raise TextError(f"{text[:60]!r}: nothing between two commas, or before or after one")
    return parts


def _split(text: str) -> Iterator[str]:
    """What is between commas that are not in braces."""
    depth = start = 0
    for place, letter in enumerate(text):
        depth += (letter == "{") - (letter == "}")
        if letter == "," and depth == 0:
            yield text[start:place]
            start = place + 1
    yield text[start:]


def _field(registry: Registry, name: str) -> FieldInfo:
    try:
        return registry.field(name)
    except HeaderError as error:
        raise TextError(error.message) from None


def _number(what: str, text: str) -> int:
    try:
        return read_number(text)
    except ValueError:
        raise TextError(f"{what}: {text[:60]!r} is not a number") from None


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
    name = _field(registry, found["name"]).name
    if found["first"] is None:
        return name, None, None
    if not found["dots"]:
        return name, int(found["first"]), None
    return name, int(found["first"]), int(found["last"]) if found["last"] else _OPEN


def _show_source(copy: act.CopyField) -> str:
    if copy.width:
        return f"{copy.source}[{copy.source_bit}..{copy.source_bit + copy.width - 1}]"
    return f"{copy.source}[{copy.source_bit}..]" if copy.source_bit else copy.source


def _show_target(copy: act.CopyField) -> str:
    return f"{copy.target}[{copy.target_bit}]" if copy.target_bit else copy.target
