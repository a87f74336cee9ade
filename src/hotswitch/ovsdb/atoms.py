"""The five atomic types with their constraints (RFC 7047 section 3.2, `<base-type>`).

Each type reads and writes its atoms in their JSON form, and says what violates it.
"""

from __future__ import annotations

import json as json_text
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from hotswitch.ovsdb.errors import OvsdbError, syntax_error
from hotswitch.ovsdb.values import (
    INTEGER_MAX,
    INTEGER_MIN,
    ZERO_UUID,
    Atom,
    Json,
    Symbols,
    Uuid,
    as_integer,
    is_identifier,
    parse_uuid,
)

LENGTH_MAX = 2**32 - 1
REAL_MAX = sys.float_info.max


def violation(details: str) -> OvsdbError:
    """Return the error for a value that its column may not have."""
    return OvsdbError("constraint violation", details)


@dataclass(frozen=True)
class BaseType:
    """One atomic type; `enum` is None or the sorted atoms that are allowed."""

    name: ClassVar[str]
    default: ClassVar[Atom]

    enum: tuple[Atom, ...] | None = None

    def read(self, json: Json, symbols: Symbols | None) -> Atom:
        """Return the atom that `json` stands for; raise `OvsdbError` if it may not be here.

        What overrides this is a shorter way to the same, for what is read most.
        """
        atom = self.parse(json, symbols)
        self.check(atom)
        return atom

    def parse(self, json: Json, symbols: Symbols | None) -> Atom:
        """Return the atom that `json` stands for, whatever the constraints."""
        raise NotImplementedError

    def check(self, atom: Atom) -> None:
        """Raise `OvsdbError` if `atom` violates a constraint."""
        if self.enum is not None and atom not in self.enum:
            allowed = ", ".join(map(self.text, self.enum))
            # Open vSwitch writes the allowed values as it writes a set.
            raise violation(f"{self.text(atom)} is not one of the allowed values ([{allowed}])")

    def write(self, atom: Atom) -> Json:
        """Return the atom's JSON form."""
        return atom

    def text(self, atom: Atom) -> str:
        """Return the atom as people read it."""
        return str(atom)

    @property
    def unconstrained(self) -> BaseType:
        """This type without its constraints."""
        return type(self)()

    def constraints_to_json(self) -> dict[str, Json]:
        """Return the members of `<base-type>` beside `type` and `enum`."""
        return {}

    def mismatch(self, json: Json) -> OvsdbError:
        """Return the error for JSON of another type."""
        return syntax_error(json, f"expected {self.name}")


@dataclass(frozen=True)
class IntegerType(BaseType):
    """64-bit signed integers from `minimum` to `maximum`."""

    name: ClassVar[str] = "integer"
    default: ClassVar[Atom] = 0

    minimum: int = INTEGER_MIN
    maximum: int = INTEGER_MAX

    def read(self, json: Json, symbols: Symbols | None) -> Atom:
        if type(json) is int and self.enum is None and self.minimum <= json <= self.maximum:
            return json
        return super().read(json, symbols)

    def parse(self, json: Json, symbols: Symbols | None) -> Atom:
        atom = as_integer(json)
        if atom is None:
            raise self.mismatch(json)
        return atom

    def check(self, atom: Atom) -> None:
        super().check(atom)
        if not self.minimum <= atom <= self.maximum:
            limited = (self.minimum != INTEGER_MIN, self.maximum != INTEGER_MAX)
            raise _out_of_range(str, atom, self.minimum, self.maximum, limited)

    def constraints_to_json(self) -> dict[str, Json]:
        members = {}
        if self.minimum != INTEGER_MIN:
            members["minInteger"] = self.minimum
        if self.maximum != INTEGER_MAX:
            members["maxInteger"] = self.maximum
        return members


@dataclass(frozen=True)
class RealType(BaseType):
    """Finite floating-point numbers from `minimum` to `maximum`."""

    name: ClassVar[str] = "real"
    default: ClassVar[Atom] = 0.0

    minimum: float = -REAL_MAX
    maximum: float = REAL_MAX

    def parse(self, json: Json, symbols: Symbols | None) -> Atom:
        if type(json) is float or type(json) is int:
            try:
                return float(json) + 0.0  # no negative zero
            except OverflowError:
                return float("inf") if json > 0 else float("-inf")
        raise self.mismatch(json)

    def check(self, atom: Atom) -> None:
        super().check(atom)
        if not self.minimum <= atom <= self.maximum:
            limited = (self.minimum != -REAL_MAX, self.maximum != REAL_MAX)
            raise _out_of_range(self.text, atom, self.minimum, self.maximum, limited)

    def text(self, atom: Atom) -> str:
        return f"{atom:.15g}"

    def constraints_to_json(self) -> dict[str, Json]:
        members = {}
        if self.minimum != -REAL_MAX:
            members["minReal"] = self.minimum
        if self.maximum != REAL_MAX:
            members["maxReal"] = self.maximum
        return members


@dataclass(frozen=True)
class BooleanType(BaseType):
    """True and false."""

    name: ClassVar[str] = "boolean"
    default: ClassVar[Atom] = False

    def parse(self, json: Json, symbols: Symbols | None) -> Atom:
        if type(json) is not bool:
            raise self.mismatch(json)
        return json

    def text(self, atom: Atom) -> str:
        return "true" if atom else "false"


@dataclass(frozen=True)
class StringType(BaseType):
    """Text without null characters, of `minimum` to `maximum` characters."""

    name: ClassVar[str] = "string"
    default: ClassVar[Atom] = ""

    minimum: int = 0
    maximum: int = LENGTH_MAX

    def read(self, json: Json, symbols: Symbols | None) -> Atom:
        if (
            type(json) is str
            and json.isascii()
            and self.enum is None
            and "\0" not in json
            and self.minimum <= len(json) <= self.maximum
        ):
            return json
        return super().read(json, symbols)

    def parse(self, json: Json, symbols: Symbols | None) -> Atom:
        if type(json) is not str or "\0" in json:
            raise self.mismatch(json)
        return json

    def check(self, atom: Atom) -> None:
        if self.enum is not None:
            super().check(atom)
        if not atom.isascii() and any("\ud800" <= character <= "\udfff" for character in atom):
            raise violation("not a valid UTF-8 string: lone surrogate")
        if len(atom) < self.minimum:
            raise violation(
                f'"{atom}" length {len(atom)} is less than minimum allowed length {self.minimum}'
            )
        if len(atom) > self.maximum:
            raise violation(
                f'"{atom}" length {len(atom)} is greater than maximum allowed length {self.maximum}'
            )

    def text(self, atom: Atom) -> str:
        plain = (
            is_identifier(atom.replace("-", "_").replace(".", "_"))
            and atom[0] not in "-."
            and atom not in ("true", "false")
            and parse_uuid(atom) is None
        )
        return str(atom) if plain else json_text.dumps(atom, ensure_ascii=False)

    def constraints_to_json(self) -> dict[str, Json]:
        members = {}
        if self.minimum != 0:
            members["minLength"] = self.minimum
        if self.maximum != LENGTH_MAX:
            members["maxLength"] = self.maximum
        return members


@dataclass(frozen=True)
class UuidType(BaseType):
    """UUIDs; with `table`, references to its rows.

    A strong reference keeps its row and must have one; a weak one goes when the row goes.
    """

    name: ClassVar[str] = "uuid"
    default: ClassVar[Atom] = ZERO_UUID

    table: str | None = None
    weak: bool = False

    def read(self, json: Json, symbols: Symbols | None) -> Atom:
        return self.parse(json, symbols) if self.enum is None else super().read(json, symbols)

    def parse(self, json: Json, symbols: Symbols | None) -> Atom:
        if type(json) is list and len(json) == 2 and type(json[1]) is str:
            if json[0] == "uuid":
                uuid = parse_uuid(json[1])
                if uuid is None:
                    raise syntax_error(json, f'"{json[1]}" is not a valid UUID')
                return uuid
            if json[0] == "named-uuid" and symbols is not None:
                if not is_identifier(json[1]):
                    raise syntax_error(json, "named-uuid string is not a valid <id>")
                return symbols.refer(json[1])
        raise syntax_error(json, 'expected ["uuid", <string>]')

    def write(self, atom: Uuid) -> Json:
        return ["uuid", atom]

    def constraints_to_json(self) -> dict[str, Json]:
        if self.table is None:
            return {}
        return {"refTable": self.table} | ({"refType": "weak"} if self.weak else {})


def _out_of_range(
    text: Callable[[Atom], str],
    atom: Atom,
    minimum: Atom,
    maximum: Atom,
    limited: tuple[bool, bool],
) -> OvsdbError:
    if all(limited):
        limits = f"not in the valid range {text(minimum)} to {text(maximum)} (inclusive)"
    elif limited[0]:
        limits = f"less than minimum allowed value {text(minimum)}"
    else:
        limits = f"greater than maximum allowed value {text(maximum)}"
    return violation(f"{text(atom)} is {limits}")


BASE_TYPES: dict[str, type[BaseType]] = {
    base.name: base for base in (IntegerType, RealType, BooleanType, StringType, UuidType)
}
