"""What became of one packet."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from hotswitch.model.port import Upcall


class End(enum.Enum):
    """Why a packet's way through the pipeline ended; the value is how people read it."""

    DONE = "no more actions"
    DROP = "drop"
    HOST = "passed to the host"
    MISSED = "no entry in the table"
    MALFORMED = "shorter than an Ethernet header"
    EXPIRED = "time to live expired"
    LIMITED = "over its meter's rate"
    ERROR = "too many tags or labels"


@dataclass(slots=True)
class Outcome:
    """outputs: (port, frame) in their order; beside: for each of them, the fields beside the packet
    that were not 0. copies: to user space. host: the frame that the host's stack got, or None.
    """

    end: End = End.DONE
    outputs: list[tuple[int, bytes]] = field(default_factory=list)
    beside: list[Mapping[str, int]] = field(default_factory=list)
    copies: list[Upcall] = field(default_factory=list)
    host: bytes | None = None

    @property
    def went_nowhere(self) -> bool:
        """Nothing was sent, copied or passed to the host."""
        return not self.outputs and not self.copies and self.host is None
