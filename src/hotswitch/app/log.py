"""Structured logs on standard error: `key=value` for people, or a JSON object a line.

    2026-01-02T03:04:05.678Z INFO  hotswitch.app.service  port added  bridge=br0 port=tap0

What belongs to a message goes in as `extra={"bridge": …}`.
"""

from __future__ import annotations

import json
import logging
import sys
import time

from hotswitch.base.log_extra import extra, in_words

FORMATS = ("text", "json")
LEVELS = ("debug", "info", "warning", "error")


def _moment(record: logging.LogRecord) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{whole}.{int(record.msecs):03d}Z"


class TextFormatter(logging.Formatter):
    """One line a message; only a bug's traceback takes more."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_moment(record)} {record.levelname:<7} {record.name} {in_words(record)}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class JsonFormatter(logging.Formatter):
    """One JSON object a message."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": _moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **extra(record),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str, ensure_ascii=False)


def set_up(level: str, form: str) -> None:
    """Send all logs from `level` on to standard error in the format `form`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("hotswitch").setLevel(level.upper())
