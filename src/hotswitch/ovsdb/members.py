"""Takes the members of a JSON object, and says what is wrong with them."""

from __future__ import annotations

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


def _is(kind: Kind, value: Json) -> bool:
    match kind:
        case Kind.ANY:
            return True
        case Kind.ARRAY:
            return isinstance(value, list)
        case Kind.BOOLEAN:
            return isinstance(value, bool)
        case Kind.IDENTIFIER:
            return isinstance(value, str) and is_identifier(value)
        case Kind.INTEGER:
            return as_integer(value) is not None
        case Kind.NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case Kind.OBJECT:
            return isinstance(value, dict)
        case Kind.STRING:
            return isinstance(value, str)


#: The forms that one look at the type decides.
_QUICK = {Kind.ARRAY: list, Kind.OBJECT: dict, Kind.STRING: str}


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
        if type(value) is not _QUICK.get(kinds[0]) and not any(_is(kind, value) for kind in kinds):
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
