"""hotswitch top."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import click

from hotswitch.app.cli import render
from hotswitch.app.cli.context import connect, settings, shared_options
from hotswitch.app.cli.numbers import Number, WholeNumber
from hotswitch.app.cli.words import BRIDGE, words_argument

_SECOND = 1_000_000_000
_COUNT = WholeNumber(1)
_COUNT.name = "whole number"
_SECONDS = Number(0.05, 3600)
_SECONDS.name = "number"


@click.command(name="top")
@words_argument(BRIDGE)
@click.option("-n", "count", type=_COUNT, metavar="COUNT", help="Stop after so many intervals.")
@click.option(
    "-i",
    "interval",
    type=_SECONDS,
    metavar="SECONDS",
    default=1.0,
    show_default=True,
    help="From one look to the next.",
)
@shared_options
def command(words: dict[str, Any], count: int | None, interval: float) -> None:
    """Watch the rates of all ports, until Ctrl-C.

    On a terminal the picture is drawn anew; elsewhere, or with --json, there
    is a line a port and interval.

    \b
    Examples:
      hotswitch top
      hotswitch top bridge br0 -i 0.5
      hotswitch top -n 10 --json
    """
    looks = _rates(words, count, interval)
    try:
        if settings().json:
            _print_json(looks)
        elif sys.stdout.isatty():
            _draw(looks)
        else:
            _print_lines(looks)
    except KeyboardInterrupt:
        return  # the usual way to end it


def _rates(
    words: dict[str, Any], count: int | None, interval: float
) -> Iterator[list[dict[str, Any]]]:
    """Rates of all ports, once an interval."""
    with connect() as client:
        before = client.call("stats/show", **words)
        while count is None or count > 0:
            time.sleep(interval)
            now = client.call("stats/show", **words)
            yield list(_differences(before, now))
            before = now
            count = None if count is None else count - 1


def _differences(before: dict[str, Any], now: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Per second, for ports that were there both times."""
    seconds = max(1, now["time"] - before["time"]) / _SECOND
    earlier = {
        (bridge["name"], port["name"]): port["statistics"]
        for bridge in before["bridges"]
        for port in bridge["ports"]
    }
    for bridge in now["bridges"]:
        for port in bridge["ports"]:
            last = earlier.get((bridge["name"], port["name"]))
            if last is None:
                continue
            rate = {
                name: max(0, value - last[name]) / seconds
                for name, value in port["statistics"].items()
            }
            yield {
                "bridge": bridge["name"],
                "port": port["name"],
                "rx_packets": round(rate["rx_packets"], 1),
                "rx_bits": round(rate["rx_bytes"] * 8, 1),
                "tx_packets": round(rate["tx_packets"], 1),
                "tx_bits": round(rate["tx_bytes"] * 8, 1),
                "dropped": round(rate["rx_dropped"] + rate["tx_dropped"], 1),
            }


_HEAD = ("BRIDGE", "PORT", "RX-PACKETS/S", "RX-BIT/S", "TX-PACKETS/S", "TX-BIT/S", "DROPPED/S")
_NUMBERS = ("rx_packets", "rx_bits", "tx_packets", "tx_bits", "dropped")


def _cells(rate: dict[str, Any]) -> list[str]:
    return [rate["bridge"], rate["port"], *(render.quantity(rate[name]) for name in _NUMBERS)]


def _print_lines(looks: Iterator[list[dict[str, Any]]]) -> None:
    for look in looks:
        render.table(_HEAD, map(_cells, look), right=" ".join(_HEAD[2:]))
        sys.stdout.flush()


def _print_json(looks: Iterator[list[dict[str, Any]]]) -> None:
    """One JSON list a line and interval."""
    import msgspec

    for look in looks:
        print(msgspec.json.encode(look).decode(), flush=True)


def _draw(looks: Iterator[list[dict[str, Any]]]) -> None:
    from rich.live import Live
    from rich.table import Table

    with Live(auto_refresh=False) as live:
        for look in looks:
            picture = Table(box=None, header_style="bold")
            for position, name in enumerate(_HEAD):
                picture.add_column(name, justify="right" if position > 1 else "left")
            for rate in look:
                picture.add_row(
                    *_cells(rate), style="" if any(rate[n] for n in _NUMBERS) else "dim"
                )
            live.update(picture, refresh=True)
