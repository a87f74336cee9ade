"""What belongs to a log message: `extra={"bridge": …}`, written behind it as `key=value`."""

from __future__ import annotations

import json
import logging

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def extra(record: logging.LogRecord) -> dict[str, object]:
    """The values by key."""
    return {key: value for key, value in vars(record).items() if key not in _OWN}


def in_words(record: logging.LogRecord) -> str:
    """The message and what belongs to it, on one line."""
    words = [record.getMessage().rstrip("\n")]
    words += [f"{key}={_quoted(value)}" for key, value in extra(record).items()]
    return " ".join(words).replace("\n", " ")


def _quoted(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if not text or set(text) & set(' ="\n') else text
