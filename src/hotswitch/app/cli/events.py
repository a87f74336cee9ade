"""hotswitch events."""

from __future__ import annotations

import json
import select
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from hotswitch.app.cli.context import connect, settings, shared_options
from hotswitch.app.cli.words import BRIDGE, words_argument

if TYPE_CHECKING:
    from hotswitch.app.control.client import ControlClient

_PATIENCE = 5
"""Seconds of one question; between two, a reader of the output that has left is noticed."""

_NUMBER = click.IntRange(0, (1 << 63) - 1)
_NUMBER.name = "number"


@click.command(name="events")
@words_argument(BRIDGE)
@click.option(
    "--since",
    type=_NUMBER,
    metavar="NUMBER",
    help="First those after this number that are still kept.",
)
@click.option(
    "--follow/--no-follow", default=True, help="Go on, until Ctrl-C; or end.  [default: follow]"
)
@shared_options
def command(words: dict[str, Any], since: int | None, follow: bool) -> None:
    """Follow what happens to bridges, ports and addresses, a line an event.

    A line has the event's number, its time, its kind, and what belongs to
    that; with --json it is an object. Numbers have no gaps. Whoever has the
    last number that it has seen can go on from there with --since, which also
    works when the daemon has restarted since. If events were lost to it, a
    line says so: `lost`. Then look at everything anew.

    Without --since the first line is `listening`: what happens from then on
    follows. With --no-follow all that are kept are printed.

    \b
    Examples:
      hotswitch events
      hotswitch events bridge br0 --json
      hotswitch events --since 1767323045678012
      hotswitch events --no-follow
    """
    try:
        with connect() as client:
            for event in _events(client, words, since, follow):
                _print(event)
                sys.stdout.flush()
    except KeyboardInterrupt:
        return  # the usual way to end it


def _events(
    client: ControlClient, words: dict[str, Any], since: int | None, follow: bool
) -> Iterator[dict[str, Any]]:
    """Event after event; without `follow` those that there are."""
    if since is None:
        found = client.call("events/wait", **words)
        since = found["next"] if follow else found["oldest"]
        if follow:
            yield {"number": since, "time": found["time"], "event": "listening"}
    while follow is not None:
        found = client.call("events/wait", **words, since=since, timeout=_PATIENCE if follow else 0)
        yield from found["events"]
        if not follow and not found["events"] and found["next"] == since:
            return
        since = found["next"]
        if follow and _nobody_reads():
            return


def _nobody_reads() -> bool:
    """Whether the output is a pipe whose reader has left."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(what & select.POLLERR for _, what in poll.poll(0))


def _print(event: dict[str, Any]) -> None:
    if settings().json:
        print(json.dumps(event, ensure_ascii=False))
        return
    head = [event.pop(name) for name in ("number", "time", "event")]
    print(*head, *(f"{name}={_text(value)}" for name, value in event.items()))


def _text(value: Any) -> str:
    """A value without spaces: other programs cut the line there. Of nothing, a dash."""
    if value in ("", None):
        return "-"
    plain = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return json.dumps(plain) if not plain.isprintable() or set(' "') & set(plain) else plain
