"""What the database says and the switch does not do: one remark a note."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hotswitch.config.rows import Uuid


@dataclass(frozen=True, slots=True)
class Note:
    """A remark about a row.

    refused: the row as a whole is not in force; otherwise only what `text` says is not.
    """

    table: str
    row: Uuid
    name: str
    text: str
    refused: bool = False

    def __str__(self) -> str:
        kept = "" if self.refused else " is kept but not acted on"
        who = f"{self.table} {self.name}".rstrip()
        return f"{who}: {self.text}{kept}"


@dataclass(frozen=True, slots=True)
class Remarks:
    """All notes about one row: why it is refused, and what of it is not acted on."""

    error: str = ""
    not_acted_on: str = ""

    @property
    def status(self) -> dict[str, str]:
        """What the row's `status` column says of it."""
        said = {"error": self.error, "not_acted_on": self.not_acted_on}
        return {key: value for key, value in said.items() if value}


NONE = Remarks()


def by_row(notes: Iterable[Note]) -> Mapping[Uuid, Remarks]:
    """The remarks about each row that has any."""
    refused: dict[Uuid, list[str]] = {}
    ignored: dict[Uuid, list[str]] = {}
    for note in notes:
        (refused if note.refused else ignored).setdefault(note.row, []).append(note.text)
    return {
        row: Remarks("; ".join(refused.get(row, ())), "; ".join(ignored.get(row, ())))
        for row in {**refused, **ignored}
    }
