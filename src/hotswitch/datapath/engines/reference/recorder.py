"""Someone who watches a packet on its way; a trace is the production path with a recorder."""

from __future__ import annotations

from collections.abc import Mapping

from hotswitch.datapath.engines.reference.outcome import End
from hotswitch.model.action import Action
from hotswitch.model.entry import Entry
from hotswitch.model.port import Address, Upcall


class Recorder:
    """Is told, in order, what happens. This one does not listen; override what is wanted."""

    def header(self, layer: str, offset: int, length: int, values: Mapping[str, int]) -> None:
        """A header was recognised and recorded as `layer`, `length` bytes at `offset`."""

    def parsed(self, end: int, malformed: bool) -> None:
        """Parsing ended; the payload begins at `end`."""

    def table(self, number: int) -> None:
        """The packet enters a table."""

    def entry(self, entry: Entry) -> None:
        """This entry has won."""

    def missed(self, table: int) -> None:
        """No entry of the table matches."""

    def action(self, action: Action) -> None:
        """This action begins; what it brings about is told next."""

    def field(self, name: str, before: int, after: int) -> None:
        """A field was set, perhaps to what it was before."""

    def absent(self, name: str) -> None:
        """A field was not set, since its header is absent."""

    def sent(self, port: int, frame: bytes) -> None:
        """The frame left by a port."""

    def not_sent(self, port: int, why: str) -> None:
        """The frame did not leave by a port."""

    def copied(self, upcall: Upcall) -> None:
        """User space got a copy."""

    def recirculated(self, number: int) -> None:
        """The packet begins again in table 0, with this number."""

    def learned(self, address: Address) -> None:
        """The address table has this row now."""

    def end(self, end: End) -> None:
        """The packet's way ends."""


SILENT = Recorder()
