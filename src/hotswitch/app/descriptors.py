"""How many open files the daemon may have: each bridge's maps, each client and more need one."""

from __future__ import annotations

import resource

from hotswitch.base.errors import HotswitchError

LEAST = 128
"""What a daemon with a few bridges and clients needs; a bridge's maps and programs are about 33."""


class TooFewError(HotswitchError):
    """The daemon may not have as many open files as it needs."""


def claim() -> None:
    """Take as many as the system allows. Raises TooFewError if those are too few."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < LEAST:
        raise TooFewError(
            f"{most} open files are too few for a switch, which needs {LEAST} at least",
            remedy="raise the hard limit of open files: ulimit -Hn, or LimitNOFILE= of its service",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
