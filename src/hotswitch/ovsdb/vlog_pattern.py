"""The form of log lines as `vlog/set PATTERN:…` gives it.

Source: ovs-appctl(8), lib/vlog.c (`format_log_message`). A conversion is `%`, then `-` (pad on the
right), `0` (pad with zeros), a width, and a letter; `%c`, `%d` and `%D` take braces.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path

from hotswitch.base.log_extra import in_words

_CONVERSION = re.compile(
    r"%(?P<left>-?)(?P<zero>0?)(?P<width>\d*)(?P<letter>.)(?:\{(?P<braces>[^}]*)\}?)?", re.DOTALL
)
_WITH_BRACES = "cdD"
_MOMENT = "%Y-%m-%d %H:%M:%S.###"
_LOCAL0 = 16 << 3
"""LOG_LOCAL0 (syslog.h)."""
_SEVERITIES = (
    (logging.CRITICAL, 1, "EMER"),
    (logging.ERROR, 3, "ERR"),
    (logging.WARNING, 4, "WARN"),
    (logging.INFO, 5, "INFO"),
    (logging.NOTSET, 7, "DBG"),
)
"""Levels, their numbers (RFC 5424 section 6.2.1; include/openvswitch/vlog.h) and names."""
_STARTED = time.time()


class PatternFormatter(logging.Formatter):
    """Writes a record as a pattern says; only a bug's traceback takes more lines."""

    def __init__(self, pattern: str) -> None:
        super().__init__()
        self.pattern = pattern
        self._numbers = count(1)

    def format(self, record: logging.LogRecord) -> str:
        number = next(self._numbers)
        line = _CONVERSION.sub(lambda found: _convert(found, record, number), self.pattern)
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def _convert(found: re.Match[str], record: logging.LogRecord, number: int) -> str:
    letter, braces = found["letter"], found["braces"]
    rest = ""
    if braces is not None and letter not in _WITH_BRACES:
        rest = found[0][found[0].index("{") :]
    if letter in "dD":
        text = _moment(record, braces if braces is not None else _MOMENT, letter == "D")
    elif letter == "N":
        text = str(number)
    else:
        text = _WRITERS[letter](record) if letter in _WRITERS else letter
    width = int(found["width"] or 0)
    if found["left"]:
        return text.ljust(width, "0" if found["zero"] else " ") + rest
    return text.rjust(width, "0" if found["zero"] else " ") + rest


def _moment(record: logging.LogRecord, form: str, universal: bool) -> str:
    """As strftime(3); `###` are milliseconds."""
    moment = (time.gmtime if universal else time.localtime)(record.created)
    return time.strftime(form, moment).replace("###", f"{int(record.msecs):03d}")


def _severity(record: logging.LogRecord) -> tuple[int, str]:
    return next((number, name) for level, number, name in _SEVERITIES if record.levelno >= level)


def _thread() -> str:
    thread = threading.current_thread()
    return "" if thread is threading.main_thread() else thread.name


def _in_parentheses(text: str) -> str:
    return f"({text})" if text else ""


_WRITERS: Mapping[str, Callable[[logging.LogRecord], str]] = {
    "A": lambda _: Path(sys.argv[0]).name,
    "B": lambda record: str(_LOCAL0 + _severity(record)[0]),
    "c": lambda record: record.name.removeprefix("hotswitch."),
    "E": lambda _: socket.gethostname(),
    "m": in_words,
    "n": lambda _: "\n",
    "p": lambda record: _severity(record)[1],
    "P": lambda _: str(os.getpid()),
    "r": lambda record: str(int((record.created - _STARTED) * 1000)),
    "t": lambda _: _thread() or "main",
    "T": lambda _: _in_parentheses(_thread()),
}
