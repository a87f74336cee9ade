"""How the demo speaks: headings, notes, commands as one would type them, and what is expected."""

from __future__ import annotations

import shlex
import sys

from demo import lab


def say(text: str) -> None:
    """A heading."""
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    print(f"\n{bold}{text}{plain}", flush=True)


def note(text: str) -> None:
    """A line under a heading."""
    print(f"  {text}", flush=True)


def do(line: str, *more: str) -> None:
    """A command, as one would type it; each of `more` is one word of it."""
    print(f"  $ hotswitch {shlex.join([*line.split(), *more])}", flush=True)
    lab.hotswitch(*line.split(), *more)


def link(line: str) -> None:
    """`ip link` at the switch, as one would type it."""
    print(f"  $ ip link {line}", flush=True)
    lab.run("ip", "-n", lab.SWITCH, "link", *line.split())


def show(line: str) -> None:
    """A command and what it prints."""
    print(f"  $ hotswitch {line}", flush=True)
    for each in lab.hotswitch(*line.split()).splitlines():
        print(f"  {each}", flush=True)


def expect(holds: bool, what: str, good: str) -> None:
    """A line that says what was tried and what came of it; the demo ends if it is not so."""
    note(f"{what}: {good if holds else 'NOT AS EXPECTED'}")
    if not holds:
        raise RuntimeError(f"{what}: not as expected")
