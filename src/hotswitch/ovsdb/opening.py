"""Open a database's file, whether it is there by now or not."""

from __future__ import annotations

import logging
from pathlib import Path

from hotswitch.ovsdb.log import LogError
from hotswitch.ovsdb.schemas import load
from hotswitch.ovsdb.storage import Storage

_log = logging.getLogger(__name__)


def open_or_create(path: Path, schema: str) -> Storage:
    """Open a file; one that is not there is made, with a schema from `schemas`.

    Raises LogError, and touches nothing else.
    """
    try:
        storage = Storage.open(path) if path.exists() else Storage.create(path, load(schema))
    except OSError as error:
        raise LogError(f"can't open {path}: {error.strerror or error}") from error
    if storage.torn is not None:
        _log.warning(
            "%s: cut off an incomplete record of %d bytes at offset %d, left by a crash",
            path,
            storage.torn.length,
            storage.torn.offset,
        )
    return storage
