"""Where ports are attached to links, and what the pins of their attachments are called."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import NamedTuple

from hotswitch.datapath.engines.kernel.leftovers import PREFIX

_LINK = "link_"
LINK_PINS = (_LINK, PREFIX)
"""What the names of links' pins begin with."""


class Place(enum.StrEnum):
    """Where on a link's way packets are taken."""

    INGRESS = "tcx"
    EGRESS = "egress"
    XDP = "xdp"


class Spot(NamedTuple):
    """A place at a link."""

    place: Place
    ifindex: int


class PortSpot(NamedTuple):
    """A place at a link of the port with this number."""

    number: int
    spot: Spot

    def pin(self, directory: Path) -> Path:
        """The pin of the link that is attached there."""
        return directory / f"{_LINK}{self.number}_{self.spot.place}_{self.spot.ifindex}"


def unfinished(pin: Path) -> Path:
    """The pin of a link until it is alone at its place."""
    return pin.with_name(f"{pin.name}_new")
