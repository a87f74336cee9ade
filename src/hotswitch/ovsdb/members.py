"""Takes the members of a JSON object, and says what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum

from hotswitch.ovsdb.errors import OvsdbError, syntax_error
from hotswitch.ovsdb.values import Json, as_integer, is_identifier


class Kind(Enum):
    """A form that a member may have."""

    ANY = "any"
    ARRAY = "array"
    BOOLEAN = "boolean"
    IDENTIFIER = "identifier"
    INTEGER = "integer"
    NUMBER = "number"
    OBJECT = "object"
    STRING = "string"


_CHECKS: Mapping[Kind, Callable[[Json], bool]] = {
    Kind.ANY: lambda value: True,
    Kind.ARRAY: lambda value: type(value) is list,
    Kind.BOOLEAN: lambda value: type(value) is bool,
    Kind.IDENTIFIER: lambda value: type(value) is str and is_identifier(value),
    Kind.INTEGER: lambda value: as_integer(value) is not None,
    Kind.NUMBER: lambda value: type(value) is int or type(value) is float,
    Kind.OBJECT: lambda value: type(value) is dict,
    Kind.STRING: lambda value: type(value) is str,
}


class Members:
    """The members of one object, each to be taken once.

    `name` says in errors what is being read. Errors are syntax errors with the object.
    """

    def __init__(self, json: Json, name: str) -> None:
        self.json = json
        self._name = name
        if not isinstance(json, dict):
            raise OvsdbError("syntax error", f"Parsing {name} failed: Object expected.")
        self._taken: list[str] = []
        self._failed = False

    def error(self, message: str) -> OvsdbError:
        """Return the error that says `message` of this object."""
        self._failed = True
        return syntax_error(self.json, f"Parsing {self._name} failed: {message}")

    def take(self, name: str, *kinds: Kind) -> Json:
        """Return a member of one of `kinds`, which must be there."""
        if name not in self.json:
            raise self.error(f"Required '{name}' member is missing.")
        return self.maybe(name, *kinds)

    def maybe(self, name: str, *kinds: Kind) -> Json:
        """Return a member of one of `kinds`, or None if there is none."""
        value = self.json.get(name)
        if value is None and name not in self.json:
            return None
        # Nearly always it is the first kind.
        if not _CHECKS[kinds[0]](value) and not any(_CHECKS[kind](value) for kind in kinds[1:]):
            raise self.error(f"Type mismatch for member '{name}'.")
        self._taken.append(name)
        return value

    def finish(self) -> None:
        """Refuse the members that nobody has taken, unless there was an error before."""
        if self._failed or len(self._taken) == len(self.json):
            return
        unknown = [name for name in self.json if name not in self._taken]
        others = len(unknown) - 1
        if others > 0:
            plural = "s" if others > 1 else ""
            raise self.error(
                f"Member '{unknown[0]}' and {others} other member{plural} "
                "are present but not allowed here."
            )
        raise self.error(f"Member '{unknown[0]}' is present but not allowed here.")
