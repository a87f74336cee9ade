"""`vlog/list` and `vlog/set` over Python's logging: a module is a logger below `hotswitch`."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from hotswitch.ovsdb.unixctl import CommandError, Commands

_ROOT = "hotswitch"
_LEVELS = {
    "off": logging.CRITICAL + 10,
    "emer": logging.CRITICAL,
    "err": logging.ERROR,
    "warn": logging.WARNING,
    "info": logging.INFO,
    "dbg": logging.DEBUG,
}
_DESTINATIONS = frozenset({"console", "syslog", "file"})


def register(commands: Commands) -> None:
    """Add the commands."""
    commands.add("vlog/list", "", 0, 0, lambda _: show())
    commands.add("vlog/set", "{spec | PATTERN:destination:pattern}", 1, 64, set_levels)


def show() -> str:
    """Return the table of modules and levels. All logs go to the console, that is stderr."""
    lines = [
        "                 console    syslog    file",
        "                 -------    ------    ------",
    ]
    for name in ("", *_modules()):
        level = _level_name(_logger(name).getEffectiveLevel())
        lines.append(f"{name or _ROOT:<16}  {level:>4}        OFF        OFF")
    return "\n".join([*lines, ""])


def set_levels(specs: Sequence[str]) -> str:
    """Carry out `[MODULE][:DESTINATION][:LEVEL]`, in any order. Raises CommandError."""
    wanted = [_parse(each) for each in specs]
    for module, destination, level in wanted:
        if destination in ("", "console"):
            _set(module, level)
    return ""


def _parse(spec: str) -> tuple[str, str, str]:
    module, destination, level = "", "", "dbg"
    words = spec.replace(",", ":").replace(" ", ":").split(":")
    if words[0].lower() in ("pattern", "facility"):
        raise CommandError(f"{words[0]} can't be set: logs have one form")
    for word in filter(None, words):
        low = word.lower()
        if low == "any":
            continue
        if low in _DESTINATIONS:
            destination = low
        elif low in _LEVELS:
            level = low
        elif word == _ROOT or word in _modules():
            module = "" if word == _ROOT else word
        else:
            raise CommandError(f'no destination, level, or module "{word}"')
    return module, destination, level


def _set(module: str, level: str) -> None:
    _logger(module).setLevel(_LEVELS[level])
    if not module:
        for name in _modules():
            _logger(name).setLevel(logging.NOTSET)


def _modules() -> list[str]:
    lead = f"{_ROOT}."
    known = logging.Logger.manager.loggerDict
    return sorted(name.removeprefix(lead) for name in known if name.startswith(lead))


def _logger(module: str) -> logging.Logger:
    return logging.getLogger(f"{_ROOT}.{module}" if module else _ROOT)


def _level_name(level: int) -> str:
    for name, number in _LEVELS.items():
        if level >= number:
            return name.upper()
    return "DBG"
