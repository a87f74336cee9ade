"""The daemon is killed at each step of a request to the Netlink server, which then is repeated.

    python -m tests.long.netlink_kills [REQUEST [EVERY]]

Begins with the first step and goes on to every (EVERY: 1) next one, until the request comes to its
end; without REQUEST does all (`tests.netlink.really_killed.REQUESTS`). Prints each step, and ends
at the first after which the repeated request is not answered or done as if it came for the first
time. It takes a few seconds a step.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.netlink.really_killed import REQUESTS, KillLab
from tests.support.room import Room


def main() -> None:
    """Of each request, each step."""
    names = sys.argv[1:2] or list(REQUESTS)
    every = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    for name in names:
        with Room() as room, tempfile.TemporaryDirectory() as folder:
            lab, step = KillLab(room, Path(folder)), 1
            while where := lab.killed_at(name, step):
                print(f"{name}: {step} {where}", flush=True)
                step += every
            lab.close()


if __name__ == "__main__":
    main()
