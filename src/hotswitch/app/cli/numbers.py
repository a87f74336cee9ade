"""Numbers on the command line, in ASCII digits: click takes any script's."""

from __future__ import annotations

from typing import Any

import click


class WholeNumber(click.IntRange):
    """As click's own."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        _require_ascii(self, value, param, ctx)
        return super().convert(value, param, ctx)


class Number(click.FloatRange):
    """As click's own."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        _require_ascii(self, value, param, ctx)
        return super().convert(value, param, ctx)


def _require_ascii(
    kind: click.ParamType[Any], value: Any, param: click.Parameter | None, ctx: click.Context | None
) -> None:
    if isinstance(value, str) and not value.isascii():
        kind.fail(f"{value!r} is not a number in the digits 0 to 9", param, ctx)
