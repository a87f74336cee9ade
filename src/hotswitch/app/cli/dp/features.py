"""What user space has a datapath do: its features, and who gets misses by CPU."""

from __future__ import annotations

from typing import Any

import click

from hotswitch.app.cli.context import done, shared_options
from hotswitch.app.cli.dp import session
from hotswitch.app.cli.words import Word, number, on_off, or_none, words_argument
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.client import Client
from hotswitch.netlink.families.datapath import (
    DATAPATH,
    PER_CPU,
    RECIRCULATION_SHARING,
    UNALIGNED,
    VPORT_PIDS,
)

_FEATURES = {
    "unaligned": UNALIGNED,
    "vport-pids": VPORT_PIDS,
    "tc-recirc-sharing": RECIRCULATION_SHARING,
    "per-cpu": PER_CPU,
}
_WORDS = ("per-cpu", "vport-pids", "unaligned")


def _feature(name: str) -> Word:
    return Word(name, name, on_off, ("on", "off"))


def _pids(value: str) -> tuple[int, ...]:
    return tuple(number(0, 0xFFFFFFFF)(each) for each in value.split(","))


@click.command("set")
@click.argument("datapath", metavar="DP", shell_complete=session.complete_datapaths)
@words_argument(
    *map(_feature, _WORDS),
    Word("upcall", "upcall", or_none(_pids, (0,))),
)
@shared_options
def change(datapath: str, words: dict[str, Any]) -> None:
    """Change the features of the datapath DP. What is not said stays.

    \b
      per-cpu     packets that no flow takes go to port ids by the CPU that
                  they come in on; off: to those of the port that they come
                  in by, see `hotswitch dp set-if`
      vport-pids  a port can have several such port ids
      unaligned   a message's last attribute is not padded
      upcall      with per-cpu: the port ids, with commas between

    `hotswitch dp show` tells them. A program of Open vSwitch that opens a
    datapath, if only `ovs-dpctl show`, sets per-cpu.

    \b
    Examples:
      hotswitch dp set dp0 per-cpu off vport-pids on
      hotswitch dp set dp0 per-cpu on upcall 4711,4712
    """
    if not words:
        raise click.UsageError(f"say what to change: {', '.join((*_WORDS, 'upcall'))}")
    done(session.run(lambda client: _change(client, datapath, words)))


async def _change(client: Client, name: str, words: dict[str, Any]) -> None:
    about = await client.ask(DATAPATH, "get", Attributes(name=name))
    features: int = about.attributes["user_features"]
    for word, bit in _FEATURES.items():
        if word in words:
            features = features | bit if words[word] else features & ~bit
    if "upcall" in words and not features & PER_CPU:
        raise session.DatapathError(
            f"{name}: packets do not go by CPU", remedy="add: per-cpu on, or: hotswitch dp set-if"
        )
    asked = Attributes(name=name, user_features=features)
    if "upcall" in words:
        asked += Attributes(per_cpu_pids=words["upcall"])
    await client.change(DATAPATH, "set", asked)


def describe(said: Attributes) -> dict[str, Any]:
    """What a message says of a datapath's features, for JSON."""
    features: int = said["user_features"]
    return {
        "features": features,
        "feature_names": [name for name, bit in _FEATURES.items() if features & bit],
        "dispatch": "cpu" if features & PER_CPU else "port",
        "upcall": list(said.get("per_cpu_pids", ())),
    }


def render(datapath: dict[str, Any]) -> None:
    """Print them."""
    click.echo(f"  features: {', '.join(datapath['feature_names']) or '-'}")
    takers = ", ".join(str(pid) for pid in dict.fromkeys(datapath["upcall"]) if pid)
    by_cpu = f"by CPU, to {takers or 'nobody'}"
    click.echo(f"  dispatch: {by_cpu if datapath['dispatch'] == 'cpu' else 'by port'}")


COMMANDS = (change,)
