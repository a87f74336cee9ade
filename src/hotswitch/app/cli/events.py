"""hotswitch events."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from hotswitch.app.cli.context import connect, nobody_reads, settings, shared_options
from hotswitch.app.cli.numbers import WholeNumber
from hotswitch.app.cli.words import BRIDGE, words_argument

if TYPE_CHECKING:
    from hotswitch.app.control.client import ControlClient

_PATIENCE = 5
"""Seconds of one question; between two, a reader of the output that has left is noticed."""

_PAUSE = 0.5
"""Seconds between two looks for a daemon that has gone."""

_NUMBER = WholeNumber(0, (1 << 63) - 1)
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

    When the daemon goes, a line on standard error says so, and its next life is
    waited for; then it goes on, with `lost`, for nobody has seen what happened
    in between.

    \b
    Examples:
      hotswitch events
      hotswitch events bridge br0 --json
      hotswitch events --since 1767323045678012
      hotswitch events --no-follow
    """
    try:
        for event in _events(words, since, follow):
            _print(event)
            sys.stdout.flush()
    except KeyboardInterrupt:
        return  # the usual way to end it


def _events(words: dict[str, Any], since: int | None, follow: bool) -> Iterator[dict[str, Any]]:
    """Event after event, of one life of the daemon after another; or those that there are."""
    from hotswitch.app.control.client import LostError

    client: ControlClient | None = connect()
    said = None
    while client is not None:
        with client:
            try:
                if since is None:
                    found = client.call("events/wait", **words)
                    since = found["next"] if follow else found["oldest"]
                    if follow:
                        yield {"number": since, "time": found["time"], "event": "listening"}
                while True:
                    timeout = _PATIENCE if follow else 0
                    found = client.call("events/wait", **words, since=since, timeout=timeout)
                    yield from found["events"]
                    if not follow and not found["events"] and found["next"] == since:
                        return
                    since = found["next"]
                    if follow and nobody_reads():
                        return
            except LostError as error:
                if not follow or since is None:
                    raise
                if said != since:  # it may take some attempts
                    click.echo(f"hotswitch: {error.message}; waiting for it (at {since})", err=True)
                said = since
        client = _wait_for_the_next()


def _wait_for_the_next() -> ControlClient | None:
    """A connection to the daemon when there is one again; None if nobody reads any more."""
    from hotswitch.app.control.client import NoDaemonError

    while not nobody_reads():
        time.sleep(_PAUSE)
        try:
            return connect()
        except NoDaemonError:
            continue
    return None


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
