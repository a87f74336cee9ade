"""Where the configuration database is: in a file of this daemon's, or with a server elsewhere."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from hotswitch.app.database import ConfigDatabase, open_storage
from hotswitch.app.departures import KeptDepartures
from hotswitch.app.paths import DATABASE, DEPARTURES, RunDirectory, beside
from hotswitch.app.store import StoreError
from hotswitch.base.clock import Clock
from hotswitch.ovsdb.caller import usable_servers
from hotswitch.ovsdb.remotes import Connect
from hotswitch.ovsdb.storage import Storage
from hotswitch.ovsdb.tls import Tls
from hotswitch.switch.switch import Switch

if TYPE_CHECKING:
    from hotswitch.app.external import ExternalConfig

Config: TypeAlias = "ConfigDatabase | ExternalConfig"

_METHODS = re.compile(r"p?(unix|tcp|ssl|db):")
"""What begins like this is no file: an external database, or a mistake."""

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9+_-]*:")


class DatabasePlace:
    """given, tls, group: as `Life` has them."""

    def __init__(
        self, given: str | None, files: RunDirectory, tls: Tls | None, group: int | None
    ) -> None:
        self._given = given or str(files.path / DATABASE)
        self._files = files
        self._tls = tls
        self._group = group

    def beside(self, suffix: str) -> Path:
        """A file beside the database's, or if that is elsewhere, in the run directory."""
        if _METHODS.match(self._given):
            return beside(self._files.path / DATABASE, suffix)
        return beside(Path(self._given), suffix)

    @contextmanager
    def opened(self) -> Iterator[Callable[[Switch, Clock], Config]]:
        """What a switch's configuration is made by, until the end.

        Raises HotswitchError for what can't be, before anything is touched.
        """
        if self._tls is not None:
            self._tls.check()
        if _METHODS.match(self._given):
            yield partial(self._elsewhere, usable_servers(self._given, self._tls))
        else:
            with closing(open_storage(self._file())) as storage:
                yield partial(self._own, storage)

    def _own(self, storage: Storage, switch: Switch, clock: Clock) -> ConfigDatabase:
        departures = KeptDepartures(self.beside(DEPARTURES))
        return ConfigDatabase(
            storage, self._files, switch, clock, departures, tls=self._tls, group=self._group
        )

    def _elsewhere(
        self, servers: Mapping[str, Connect], switch: Switch, clock: Clock
    ) -> ExternalConfig:
        from hotswitch.app.external import ExternalConfig  # it loads the ovs library

        departures = KeptDepartures(self.beside(DEPARTURES))
        return ExternalConfig(servers, self._tls, switch, clock, departures)

    def _file(self) -> Path:
        """Raises StoreError for what is rather a remote with a mistake in it."""
        if _WORD.match(self._given) and not os.path.lexists(self._given):
            raise StoreError(
                f"--db {self._given}: there is no such file, and no such way to a server",
                remedy="unix:PATH, tcp:HOST:PORT or ssl:HOST:PORT, or for a new file "
                f"./{self._given}",
            )
        return Path(self._given)
