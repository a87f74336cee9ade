"""The `vlog/` commands over Python's logging: a module is a logger below `hotswitch`.

All logs go to the console, that is standard error; what is set for `syslog` and `file` is accepted
and stays off. Source of names, forms and messages: ovs-appctl(8), lib/vlog.c.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from hotswitch.ovsdb.log_limit import unlimited
from hotswitch.ovsdb.unixctl import CommandError, Commands
from hotswitch.ovsdb.vlog_pattern import PatternFormatter

_ROOT = "hotswitch"
_LEVELS = {
    "off": logging.CRITICAL + 10,
    "emer": logging.CRITICAL,
    "err": logging.ERROR,
    "warn": logging.WARNING,
    "info": logging.INFO,
    "dbg": logging.DEBUG,
}
_CONSOLE = "console"
_DESTINATIONS = ("syslog", _CONSOLE, "file")
_ANY = "any"
_FACILITIES = {
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "clock", "ftp"),
    *("ntp", "audit", "alert", "clock2", *(f"local{number}" for number in range(8))),
}
_MANY = 1 << 16
_OWN_FORM = "(as --log-format says)"


def register(commands: Commands) -> None:
    """Add the commands."""
    spec = "{spec | PATTERN:destination:pattern}"
    commands.add("vlog/list", "", 0, 0, lambda _: show())
    commands.add("vlog/list-pattern", "", 0, 0, lambda _: show_patterns())
    commands.add("vlog/set", spec, 0, _MANY, set_levels)
    commands.add("vlog/enable-rate-limit", "[module]...", 0, _MANY, _enable)
    commands.add("vlog/disable-rate-limit", "[module]...", 0, _MANY, _disable)
    commands.add("vlog/reopen", "", 0, 0, _reopen)
    commands.add("vlog/close", "", 0, 0, lambda _: "")


def show() -> str:
    """Return the table of modules and levels."""
    lines = [
        "                 console    syslog    file",
        "                 -------    ------    ------",
    ]
    for name in ("", *_modules()):
        level = _level_name(_logger(name).getEffectiveLevel())
        free = "    (rate limiting disabled)" if _name(name) in unlimited else ""
        lines.append(f"{name or _ROOT:<16}  {level:>4}        OFF        OFF{free}")
    return "\n".join([*lines, ""])


def show_patterns() -> str:
    """Return the table of the forms in which logs are written."""
    formatters = [each.formatter for each in logging.getLogger().handlers]
    known = (each.pattern for each in formatters if isinstance(each, PatternFormatter))
    patterns = dict.fromkeys(_DESTINATIONS, "(off)") | {_CONSOLE: next(known, _OWN_FORM)}
    lines = [
        "         prefix                            format",
        "         ------                            ------",
    ]
    for name, pattern in patterns.items():
        lines.append(f"{name.upper():<7}  {'none':<32}  {pattern}")
    return "\n".join([*lines, ""])


def set_levels(specs: Sequence[str]) -> str:
    """Carry out what `vlog/set` takes: `[MODULE][:DESTINATION][:LEVEL]` in any order, or
    `PATTERN:DESTINATION:PATTERN`, or `FACILITY:NAME`; nothing means everything at `dbg`.

    One that is wrong stops those behind it, as in Open vSwitch. Raises CommandError.
    """
    for spec in specs or [_ANY]:
        first, _, rest = spec.strip(" ,:\t").partition(":")
        match first.lower():
            case "pattern":
                _set_pattern(rest)
            case "facility":
                if rest.lower() not in _FACILITIES:
                    raise CommandError("invalid facility")
            case _:
                module, destination, level = _parse(spec)
                if destination in (_ANY, _CONSOLE):
                    _set(module, level)
    return ""


def _parse(spec: str) -> tuple[str, str, str]:
    module, destination, level = "", "", ""
    for word in spec.replace(",", ":").replace(" ", ":").replace("\t", ":").split(":"):
        low = word.lower()
        if not word or low == _ANY:
            continue
        if low in _DESTINATIONS:
            destination = _once("destinations", destination, low)
        elif low in _LEVELS:
            level = _once("levels", level, low)
        elif word == _ROOT or word in _modules():
            module = _once("modules", module, word)
        else:
            raise CommandError(f'no destination, level, or module "{word}"')
    return "" if module == _ROOT else module, destination or _ANY, level or "dbg"


def _once(what: str, before: str, word: str) -> str:
    if before:
        raise CommandError(f"cannot specify multiple {what}")
    return word


def _set(module: str, level: str) -> None:
    _logger(module).setLevel(_LEVELS[level])
    if not module:
        for name in _modules():
            _logger(name).setLevel(logging.NOTSET)


def _set_pattern(text: str) -> None:
    destination, _, pattern = text.partition(":")
    if not destination:
        raise CommandError("missing destination")
    if destination.lower() not in (_ANY, *_DESTINATIONS):
        raise CommandError(f'unknown destination "{destination}"')
    if destination.lower() in (_ANY, _CONSOLE):
        for each in logging.getLogger().handlers:
            each.setFormatter(PatternFormatter(pattern))


def _limit(words: Sequence[str], *, limited: bool) -> str:
    for word in words or [_ANY]:
        if word.lower() != _ANY and word != _ROOT and word not in _modules():
            raise CommandError("unknown module")
        if word.lower() == _ANY:
            names = {_name(each) for each in ("", *_modules())}
        else:
            names = {_name(word.removeprefix(_ROOT))}
        if limited:
            unlimited.difference_update(names)
        else:
            unlimited.update(names)
    return ""


def _enable(words: Sequence[str]) -> str:
    return _limit(words, limited=True)


def _disable(words: Sequence[str]) -> str:
    return _limit(words, limited=False)


def _reopen(_: Sequence[str]) -> str:
    raise CommandError("Logging to file not configured")


def _modules() -> list[str]:
    lead = f"{_ROOT}."
    known = logging.Logger.manager.loggerDict
    return sorted(name.removeprefix(lead) for name in known if name.startswith(lead))


def _name(module: str) -> str:
    return f"{_ROOT}.{module}" if module else _ROOT


def _logger(module: str) -> logging.Logger:
    return logging.getLogger(_name(module))


def _level_name(level: int) -> str:
    for name, number in _LEVELS.items():
        if level >= number:
            return name.upper()
    return "DBG"
