"""events/wait."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from hotswitch.app.control.method import Method
from hotswitch.app.events.event import Event
from hotswitch.app.events.ring import Slice
from hotswitch.app.service import Service
from hotswitch.base.pieces import Pieces, by_turns, others_turn

LONGEST_WAIT = 60


class Wait(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Events after the number `since`, at most `limit`; none: only where the reader would begin.

    bridge: those of one bridge and of none; empty: all. timeout: seconds to wait for one.
    """

    since: Annotated[int, Meta(ge=0, le=(1 << 63) - 1)] | None = None
    bridge: str = ""
    timeout: Annotated[float, Meta(ge=0, le=LONGEST_WAIT)] = 0
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 1000


def methods(service: Service) -> tuple[Method, ...]:
    """The methods of this noun."""
    feed = service.events
    one_at_a_time = asyncio.Lock()  # however many readers ask at once, others have their turns

    async def wait(asked: Wait) -> dict[str, Any]:
        if asked.since is None:
            service.bridges(asked.bridge)  # who begins is told of a name that is wrong
            found = Slice((), feed.last)
        else:
            found = await feed.wait(asked.since, asked.bridge, asked.limit, asked.timeout)
        async with one_at_a_time:
            rows = await by_turns(_rows(found.events))
            await others_turn()
        return {
            "time": _text(feed.now()),
            "events": rows,
            "next": found.next,
            "oldest": feed.oldest,
        }

    return (Method("events/wait", wait, Wait),)


def _rows(events: Sequence[Event]) -> Pieces[list[dict[str, Any]]]:
    rows = []
    for each in events:
        rows.append(_row(each))
        yield None
    return rows


def _row(event: Event) -> dict[str, Any]:
    return {
        "number": event.number,
        "time": _text(event.time),
        "event": event.what.kind,
        **event.what.fields,
    }


def _text(moment: float) -> str:
    """As in the log."""
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
