"""What was measured: values by measure, figure and subject, one a round."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.summary import Summary, ratio, summarise
from hotswitch.base.errors import HotswitchError


@dataclass(frozen=True)
class Figure:
    """One number that a measurement gives; `digits` behind the point are shown."""

    name: str
    title: str
    unit: str
    digits: int = 2


@dataclass(frozen=True)
class Row:
    """One line of a measurement that stands alone; the value may be a text: why there is none.

    key: what aims know it by, if any of them needs it.
    """

    what: str
    value: float | str
    unit: str
    key: str = ""


def rows_of(
    parts: Iterable[tuple[str, Callable[[], list[Row]]]], note: Callable[[str], None]
) -> list[Row]:
    """The rows of parts with titles; what can't be done has the reason in the number's place."""
    rows: list[Row] = []
    for title, part in parts:
        note(title)
        try:
            rows += part()
        except (HotswitchError, OSError) as error:
            rows.append(Row(title, str(error), ""))
    return rows


@dataclass
class Results:
    """All values. `values[figure][subject]` has one value a round; None: it failed.

    others: how many CPUs other programs of the machine used, by measurement.
    """

    values: dict[str, dict[str, list[float | None]]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    others: list[float] = field(default_factory=list)
    alone: dict[str, list[Row]] = field(default_factory=dict)

    def add(self, figure: str, subject: str, value: float | None) -> None:
        """One more round."""
        self.values.setdefault(figure, {}).setdefault(subject, []).append(value)

    def summary(self, figure: str, subject: str) -> Summary | None:
        """Of the rounds that did not fail."""
        given = [each for each in self._rounds(figure, subject) if each is not None]
        return summarise(given) if given else None

    def ratio(self, figure: str, subject: str, base: str) -> Summary | None:
        """To another subject's value in the same rounds."""
        pairs = [
            (ours, theirs)
            for ours, theirs in zip(
                self._rounds(figure, subject), self._rounds(figure, base), strict=False
            )
            if ours is not None and theirs is not None
        ]
        return ratio([ours for ours, _ in pairs], [theirs for _, theirs in pairs])

    def row(self, key: str) -> float | None:
        """The value of a row, if it has one."""
        for rows in self.alone.values():
            for row in rows:
                if row.key == key and not isinstance(row.value, str):
                    return row.value
        return None

    def _rounds(self, figure: str, subject: str) -> list[float | None]:
        return self.values.get(figure, {}).get(subject, [])


def document(
    results: Results,
    figures: Mapping[str, Figure],
    bases: tuple[str, ...],
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """Everything as one JSON value: raw values too, so that others can judge for themselves."""
    compared: dict[str, Any] = {}
    for name, by_subject in results.values.items():
        figure = figures[name]
        compared[name] = {
            "title": figure.title,
            "unit": figure.unit,
            "subjects": {
                subject: {
                    "values": values,
                    "summary": _as_json(results.summary(name, subject)),
                    "ratios": {
                        base: _as_json(results.ratio(name, subject, base)) for base in bases
                    },
                }
                for subject, values in by_subject.items()
            },
        }
    return {
        "about": dict(about),
        "compared": compared,
        "alone": {name: [asdict(row) for row in rows] for name, rows in results.alone.items()},
        "failures": results.failures,
        "cpus_used_by_others": _as_json(summarise(results.others)) if results.others else None,
    }


def _as_json(summary: Summary | None) -> dict[str, Any] | None:
    return asdict(summary) if summary else None
