"""The files in a run directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DEFAULT = Path("/run/hotswitch")
DATABASE = "conf.db"
"""The configuration database's file in the run directory, unless another is given."""

LINK_IDS = ".link-ids"
"""What the file of link ids is called, behind the name of the database's file."""

VNICS = ".vnics"
"""The same of vNICs that are over links."""

DEPARTURES = ".departures"
"""The same of rows whose ports have gone with their devices."""

VARIABLE = "HOTSWITCH_RUN_DIR"


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """One daemon's folder."""

    path: Path

    @property
    def database(self) -> Path:
        """The configuration database's socket."""
        return self.path / "db.sock"

    @property
    def control(self) -> Path:
        """The control socket."""
        return self.path / "ctl.sock"

    @property
    def netlink(self) -> Path:
        """The socket for Netlink messages."""
        return self.path / "netlink.sock"

    @property
    def netlink_journal(self) -> Path:
        """What is known of Netlink's datapaths beside what is pinned."""
        return self.path / "netlink.journal"

    @property
    def lock(self) -> Path:
        """Locked while a daemon runs; holds its process id."""
        return self.path / "hotswitchd.lock"

    @property
    def tree(self) -> Path:
        """Where the tree of files is mounted."""
        return self.path / "sys"


def beside(database: Path, suffix: str) -> Path:
    """A file that belongs to a database's file, and is in the same directory."""
    return database.with_name(database.name + suffix)
