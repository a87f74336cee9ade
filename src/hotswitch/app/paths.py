"""The files in a run directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DEFAULT = Path("/run/hotswitch")
DATABASE = "conf.db"
"""The configuration database's file in the run directory, unless another is given."""

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
