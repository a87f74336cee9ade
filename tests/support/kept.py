"""What a daemon has kept on the disk."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hotswitch.config.read import Reader
from hotswitch.config.rows import embedded_tables
from hotswitch.ovsdb.storage import Storage
from hotswitch.switch.desired import Desired


def kept(run_dir: Path) -> Desired:
    """What the database's file in a run directory wants; the daemon may go on using it."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "conf.db")
        shutil.copy(run_dir / "conf.db", copy)
        storage = Storage.open(copy)
        try:
            return Reader().read(embedded_tables(storage.database)).desired
        finally:
            storage.close()
