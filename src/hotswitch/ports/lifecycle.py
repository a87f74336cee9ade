"""What becomes of a port when its device goes. Pure: time is an argument.

static        it stays, and a missing device is normal
ephemeral     it goes with its device
grace=30      it goes when it has been without a device for 30 seconds
"""

from __future__ import annotations

import enum
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Generic, TypeVar

from hotswitch.ports.errors import PortTextError

MAXIMUM_GRACE = 1_000_000
"""The longest time of grace, in seconds."""

_SECOND = 1_000_000_000

_Key = TypeVar("_Key", bound=Hashable)


class Policy(enum.StrEnum):
    """What is done without a device."""

    STATIC = "static"
    EPHEMERAL = "ephemeral"
    GRACE = "grace"


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """A port's lifecycle. grace: seconds without a device, for the policy GRACE."""

    policy: Policy = Policy.STATIC
    grace: int = 0

    def __str__(self) -> str:
        return f"{self.policy}={self.grace}" if self.policy is Policy.GRACE else str(self.policy)

    @property
    def patience(self) -> int | None:
        """Nanoseconds that the port outlives its device by; None: for ever."""
        return None if self.policy is Policy.STATIC else self.grace * _SECOND


STATIC = Lifecycle()
EPHEMERAL = Lifecycle(Policy.EPHEMERAL)


def read_lifecycle(text: str) -> Lifecycle:
    """Read `static`, `ephemeral` or `grace=SECONDS`. Raises PortTextError."""
    policy, equals, seconds = text.strip().partition("=")
    if not equals and policy in (Policy.STATIC, Policy.EPHEMERAL):
        return Lifecycle(Policy(policy))
    if policy == Policy.GRACE and seconds.isascii() and seconds.isdigit() and len(seconds) < 10:
        grace = int(seconds)
        if 0 < grace <= MAXIMUM_GRACE:
            return Lifecycle(Policy.GRACE, grace)
    raise PortTextError(
        f"{text[:40]!r} is no lifecycle",
        remedy=f"it is static, ephemeral or grace=SECONDS, 1 to {MAXIMUM_GRACE}",
    )


@dataclass(frozen=True, slots=True)
class Missing:
    """A port without a device.

    had_one: it was bound to one until just now. is_new: it is known that it never had one, also
    at the first look of all.
    """

    lifecycle: Lifecycle
    had_one: bool = False
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Memory(Generic[_Key]):
    """Since when ports that can expire are without a device.

    absent: the moment by port; None: it waits for its first device, for as long as it takes.
    seen: ports that had a device there when last looked at, but were not bound to it.
    """

    absent: Mapping[_Key, int | None] = field(default_factory=lambda: MappingProxyType({}))
    seen: frozenset[_Key] = frozenset()
    has_begun: bool = False


@dataclass(frozen=True, slots=True)
class Outcome(Generic[_Key]):
    """What has become of ports: those that expire now, and when to look again, if at all."""

    expired: tuple[_Key, ...]
    deadline: int | None
    memory: Memory[_Key]


def follow(
    missing: Mapping[_Key, Missing], seen: frozenset[_Key], now: int, memory: Memory[_Key]
) -> Outcome[_Key]:
    """What becomes of the ports that have no device at the time `now`, in nanoseconds.

    seen: ports whose device is there, but not bound.
    A port that has had none yet waits for its first: an ephemeral one without end, one with
    grace for that time. At the first look of all a port is new only if that is known: any other
    that has no device then has lost it while nobody looked.
    """
    absent: dict[_Key, int | None] = {}
    expired: list[_Key] = []
    deadlines: list[int] = []
    for key, each in missing.items():
        patience = each.lifecycle.patience
        if patience is None:
            continue
        had_one = each.had_one or key in memory.seen
        had_one = had_one or not (memory.has_begun or each.is_new)
        waits = each.lifecycle.policy is Policy.EPHEMERAL and not had_one
        since = memory.absent.get(key)
        if since is None and not waits:
            since = now
        if since is not None and now >= since + patience:
            expired.append(key)
            continue
        absent[key] = since
        if since is not None:
            deadlines.append(since + patience)
    after = Memory(absent, seen, has_begun=True)
    return Outcome(tuple(expired), min(deadlines, default=None), after)
