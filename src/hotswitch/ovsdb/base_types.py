"""Reads and writes `<base-type>` of a schema (RFC 7047 section 3.2)."""

from __future__ import annotations

from typing import Any

from hotswitch.ovsdb.atoms import (
    BASE_TYPES,
    LENGTH_MAX,
    BaseType,
    IntegerType,
    RealType,
    StringType,
    UuidType,
)
from hotswitch.ovsdb.errors import syntax_error
from hotswitch.ovsdb.members import Kind, Members
from hotswitch.ovsdb.sets import distinct
from hotswitch.ovsdb.values import Atom, Json, as_integer


def base_type_from_json(json: Json) -> BaseType:
    """Return the type that a `<base-type>` describes; raise `OvsdbError` if it is bad."""
    if isinstance(json, str):
        return _class(json)()
    members = Members(json, "ovsdb type")
    base = _class(members.take("type", Kind.STRING))
    enum = members.maybe("enum", Kind.ANY)
    arguments: dict[str, Any] = {}
    if enum is not None:
        arguments["enum"] = _enum(base(), enum)
    elif base is IntegerType:
        arguments = _range(members, "Integer", Kind.INTEGER)
        arguments = {name: as_integer(value) for name, value in arguments.items()}
    elif base is RealType:
        arguments = _range(members, "Real", Kind.NUMBER)
        arguments = {name: RealType().parse(value, None) for name, value in arguments.items()}
    elif base is StringType:
        arguments = _lengths(members)
    elif base is UuidType:
        arguments = _reference(members)
    result = base(**arguments)
    members.finish()
    _check_order(json, result)
    return result


def base_type_to_json(base: BaseType) -> Json:
    """Return the shortest form of `base`."""
    members: dict[str, Json] = {}
    if base.enum is not None:
        atoms = [base.write(atom) for atom in base.enum]
        members["enum"] = atoms[0] if len(atoms) == 1 else ["set", atoms]
    members |= base.constraints_to_json()
    return {"type": base.name} | members if members else base.name


def _class(name: str) -> type[BaseType]:
    base = BASE_TYPES.get(name)
    if base is None:
        raise syntax_error(name, f'"{name}" is not an atomic-type')
    return base


def _enum(base: BaseType, json: Json) -> tuple[Atom, ...]:
    """Read one atom or a set of them."""
    if isinstance(json, list) and json[:1] == ["set"]:
        if len(json) != 2 or not isinstance(json[1], list):
            raise syntax_error(json, 'expected ["set", <array>]')
        if not json[1]:
            raise syntax_error(json, f"set must have 1 to {LENGTH_MAX} members but 0 are present")
        return distinct([base.read(atom, None) for atom in json[1]])
    return (base.read(json, None),)


def _range(members: Members, suffix: str, kind: Kind) -> dict[str, Any]:
    limits = {
        "minimum": members.maybe(f"min{suffix}", kind),
        "maximum": members.maybe(f"max{suffix}", kind),
    }
    return {name: value for name, value in limits.items() if value is not None}


def _lengths(members: Members) -> dict[str, int]:
    lengths = _range(members, "Length", Kind.INTEGER)
    for name, value in lengths.items():
        if not 0 <= value <= LENGTH_MAX:
            member = "minLength" if name == "minimum" else "maxLength"
            raise syntax_error(value, f"{member} out of valid range 0 to {LENGTH_MAX}")
    return {name: int(value) for name, value in lengths.items()}


def _reference(members: Members) -> dict[str, Any]:
    table = members.maybe("refTable", Kind.IDENTIFIER)
    if table is None:
        return {}
    reference = members.maybe("refType", Kind.IDENTIFIER)
    if reference not in (None, "strong", "weak"):
        raise syntax_error(members.json, f'refType must be "strong" or "weak" (not "{reference}")')
    return {"table": table, "weak": reference == "weak"}


def _check_order(json: Json, base: BaseType) -> None:
    suffix = {IntegerType: "Integer", RealType: "Real", StringType: "Length"}.get(type(base))
    if isinstance(base, IntegerType | RealType | StringType) and base.minimum > base.maximum:
        raise syntax_error(json, f"min{suffix} exceeds max{suffix}")
