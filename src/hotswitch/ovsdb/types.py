"""The type of a column (RFC 7047 section 3.2, `<type>`): how its data are read and written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from hotswitch.ovsdb.atoms import BaseType, StringType, UuidType
from hotswitch.ovsdb.base_types import base_type_from_json, base_type_to_json
from hotswitch.ovsdb.errors import OvsdbError, syntax_error
from hotswitch.ovsdb.members import Kind, Members
from hotswitch.ovsdb.sets import apply_difference, difference, distinct, distinct_keys
from hotswitch.ovsdb.values import Atom, Datum, Json, Symbols, as_integer

UNLIMITED = 2**32 - 1


@dataclass(frozen=True)
class Type:
    """From `minimum` to `maximum` atoms of `key`, or with `value`, pairs of both."""

    key: BaseType
    value: BaseType | None = None
    minimum: int = 1
    maximum: int = 1

    # What is asked for each datum is worked out once.

    @cached_property
    def is_map(self) -> bool:
        return self.value is not None

    @cached_property
    def is_scalar(self) -> bool:
        return self.value is None and self.minimum == self.maximum == 1

    @cached_property
    def is_optional_scalar(self) -> bool:
        return self.value is None and self.minimum == 0 and self.maximum == 1

    @cached_property
    def is_text(self) -> bool:
        """Whether data of this type are written as strings and nothing else."""
        bases = (self.key, self.value or self.key)
        return all(isinstance(each, StringType | UuidType) for each in bases)

    @cached_property
    def default(self) -> Datum:
        """The datum of a column that nobody has set."""
        if self.minimum == 0:
            return ()
        return (self.key.default if self.value is None else (self.key.default, self.value.default),)

    def read(self, json: Json, symbols: Symbols | None = None) -> Datum:
        """Return the datum that `json` stands for.

        Named UUIDs are known if there are `symbols`. Raises `OvsdbError`.
        """
        if self.value is None:
            if type(json) is list and json and json[0] == "set":
                read = self.key.read
                return distinct([read(member, symbols) for member in self._members(json, "set")])
            return (self.key.read(json, symbols),)
        pairs = []
        for pair in self._members(json, "map"):
            if type(pair) is not list or len(pair) != 2:
                raise syntax_error(pair, "expected 2-element array")
            pairs.append((self.key.read(pair[0], symbols), self.value.read(pair[1], symbols)))
        return distinct_keys(pairs)

    def _members(self, json: Json, kind: str) -> list[Json]:
        if type(json) is not list or len(json) != 2 or json[0] != kind or type(json[1]) is not list:
            raise syntax_error(json, f'expected ["{kind}", <array>]')
        members: list[Json] = json[1]
        if not self.minimum <= len(members) <= self.maximum:
            if self.minimum == self.maximum == 1:
                wanted = "exactly one member"
            else:
                wanted = f"{self.minimum} to {self.maximum} members"
            raise syntax_error(json, f"{kind} must have {wanted} but {len(members)} are present")
        return members

    def write(self, datum: Datum) -> Json:
        """Return the JSON form of a datum, whatever its number of members."""
        write = self.key.write
        if self.value is None:
            if len(datum) == 1:
                return write(datum[0])
            return ["set", [write(atom) for atom in datum]]
        write_value = self.value.write
        return ["map", [[write(key), write_value(value)] for key, value in datum]]

    def check(self, datum: Datum) -> None:
        """Raise `OvsdbError` if an atom violates its constraints."""
        for atom in self.keys(datum):
            self.key.check(atom)
        if self.value is not None:
            for _, atom in datum:
                self.value.check(atom)

    def keys(self, datum: Datum) -> tuple[Atom, ...]:
        """Return the atoms of a set, or the keys of a map."""
        return datum if self.value is None else tuple(key for key, _ in datum)

    def holds(self, datum: Datum) -> bool:
        """Whether the number of members is allowed."""
        return self.minimum <= len(datum) <= self.maximum

    def difference(self, old: Datum, new: Datum) -> Datum:
        """Return the difference that `update2` and the log write for this type."""
        if self.maximum == 1:
            return new
        return difference(old, new, is_map=self.is_map)

    def apply(self, old: Datum, delta: Datum) -> Datum:
        """Return the datum of which `delta` is the difference; raise `OvsdbError`."""
        simple = self.maximum == 1
        new = delta if simple else apply_difference(old, delta, is_map=self.is_map)
        if not self.holds(new):
            raise OvsdbError("ovsdb error", "a difference gives a datum of a wrong size")
        return new

    def text(self, datum: Datum) -> str:
        """Return a datum as people read it."""
        if self.value is None:
            inner = ", ".join(map(self.key.text, datum))
        else:
            inner = ", ".join(f"{self.key.text(k)}={self.value.text(v)}" for k, v in datum)
        if self.maximum == 1 and datum:
            return inner
        return f"{{{inner}}}" if self.is_map else f"[{inner}]"

    def english(self) -> str:
        """Return the type in words, for errors."""
        if self.is_scalar:
            return self.key.name
        if self.maximum == UNLIMITED:
            number = f"of {self.minimum} or more" if self.minimum else "of"
        elif self.minimum:
            number = f"of {self.minimum} to {self.maximum}"
        else:
            number = f"of up to {self.maximum}"
        if self.value is None:
            return f"set {number} {self.key.name}s"
        return f"map {number} ({self.key.name}, {self.value.name}) pairs"

    @cached_property
    def optional(self) -> Type:
        """This type with no members as well."""
        return replace(self, minimum=0)

    @cached_property
    def unlimited(self) -> Type:
        """This type with any number of members."""
        return replace(self, minimum=0, maximum=UNLIMITED)

    @cached_property
    def single(self) -> Type:
        """This type with exactly one member."""
        return replace(self, minimum=1, maximum=1)

    @cached_property
    def operand(self) -> Type:
        """What arithmetic takes: one member, whatever the constraints."""
        return replace(self.single, key=self.key.unconstrained)

    @property
    def references(self) -> tuple[UuidType | None, UuidType | None]:
        """The types of key and value, where they refer to rows."""
        return _reference(self.key), _reference(self.value)


def _reference(base: BaseType | None) -> UuidType | None:
    return base if isinstance(base, UuidType) and base.table is not None else None


def type_from_json(json: Json) -> Type:
    """Return the type that a `<type>` describes; raise `OvsdbError` if it is bad."""
    if isinstance(json, str):
        return Type(base_type_from_json(json))
    if not isinstance(json, dict):
        raise syntax_error(json, "ovsdb type expected")
    members = Members(json, "ovsdb type")
    key = members.take("key", Kind.STRING, Kind.OBJECT)
    value = members.maybe("value", Kind.STRING, Kind.OBJECT)
    minimum = members.maybe("min", Kind.INTEGER)
    maximum = members.maybe("max", Kind.INTEGER, Kind.STRING)
    members.finish()
    result = Type(
        base_type_from_json(key),
        None if value is None else base_type_from_json(value),
        _count(minimum),
        UNLIMITED if maximum == "unlimited" else _count(maximum),
    )
    if result.minimum > 1 or result.maximum < 1:
        raise syntax_error(json, "ovsdb type fails constraint checks")
    return result


def _count(json: Json) -> int:
    if json is None:
        return 1
    count = as_integer(json)
    if count is None or not 0 <= count < UNLIMITED:
        raise syntax_error(json, "bad min or max value")
    return count


def type_to_json(type_: Type) -> Json:
    """Return the shortest form of `type_`."""
    key = base_type_to_json(type_.key)
    if type_.is_scalar and isinstance(key, str):
        return key
    result: dict[str, Json] = {"key": key}
    if type_.value is not None:
        result["value"] = base_type_to_json(type_.value)
    if type_.minimum != 1:
        result["min"] = type_.minimum
    if type_.maximum == UNLIMITED:
        result["max"] = "unlimited"
    elif type_.maximum != 1:
        result["max"] = type_.maximum
    return result
