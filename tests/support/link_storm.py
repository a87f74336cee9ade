"""Random operations on links, without an end: python -m tests.support.link_storm SEED.

Names are few, so they are used again and again, also as alternative names. Ends on SIGTERM,
between two operations.
"""

from __future__ import annotations

import random
import signal
import sys
import time

from hotswitch.kernel import link_actions
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.links import Link, get_link

_NAMES = [f"tap{number}" for number in range(6)]
_NAMES += [f"{kind}{guest}.0" for kind in ("em", "pv") for guest in range(3)]
_PAUSE = 0.01


def _create(name: str) -> None:
    number = _NAMES.index(name)
    near = link_actions.create_veth(name, f"peer{number}-{random.randrange(1000)}")
    for end in (near.index, near.peer):
        link_actions.set_up(end)


def _delete(link: Link) -> None:
    link_actions.delete(link.index)


def _delete_and_create(link: Link) -> None:
    link_actions.delete(link.index)
    _create(link.name)


def _rename(link: Link) -> None:
    link_actions.rename(link.index, random.choice([*_NAMES, f"other{random.randrange(4)}"]))


def _turn(link: Link) -> None:
    link_actions.set_up(link.index, up=not link.up)


_OPERATIONS = (_delete, _delete_and_create, _rename, _turn)


def main() -> None:
    """Go on until SIGTERM."""
    random.seed(int(sys.argv[1]))
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    while not ended:
        name = random.choice([*_NAMES, *(f"other{number}" for number in range(4))])
        try:
            link = get_link(name)
            if link:
                random.choice(_OPERATIONS)(link)
            elif name in _NAMES:
                _create(name)
        except (KernelError, ValueError):
            continue  # the name is taken, or the switch had the link first
        time.sleep(_PAUSE)


if __name__ == "__main__":
    main()
