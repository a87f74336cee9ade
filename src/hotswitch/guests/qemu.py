"""hotswitch-ifup and hotswitch-ifdown: QEMU's script= and downscript=.

    -netdev tap,id=n0,script=/usr/bin/hotswitch-ifup,downscript=/usr/bin/hotswitch-ifdown

Both are called with the name of a tap. The port that ifup makes is ephemeral: it goes with the tap,
also if QEMU is killed. So ifdown is no more than politeness, and does nothing when in doubt.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence

from hotswitch.base.errors import HotswitchError
from hotswitch.guests.control import (
    DEFAULT_RUN_DIRECTORY,
    PATIENCE,
    RUN_DIRECTORY,
    Control,
    with_daemon,
)
from hotswitch.guests.errors import GuestError, RefusedError
from hotswitch.guests.held_tap import held_taps
from hotswitch.guests.place import Place, read_place
from hotswitch.guests.plug import EPHEMERAL, find, incarnation_of, only_bridge, plug, unplug

BRIDGE = "HOTSWITCH_BRIDGE"
_Work = Callable[[Control, str, str], None]
_FORMS = f"""
The bridge is named by {BRIDGE}, or by the name of a link to the script that is called:

  br0              in all VLANs
  br0.10           an access port in VLAN 10; such a link is hotswitch-ifup.br0.10
  br0:20:30        a trunk of VLANs 20 and 30
  br0.10:20:30     the same, and frames without a tag are in VLAN 10

Not named, it is the only bridge that there is. A daemon that restarts is awaited for 5 s.
"""
_UP = f"""usage: {{program}} TAP

Make TAP a port of a hotswitch bridge, which goes with TAP. QEMU calls it:

  {BRIDGE}=br0.10 qemu-system-x86_64 … \\
      -netdev tap,id=n0,script=$(command -v hotswitch-ifup),downscript=no
{_FORMS}"""
_DOWN = """usage: {program} TAP

Take TAP's port away, if QEMU calls it, which hands over the tap that is meant, and if the
port is ephemeral. Not needed where the tap goes with QEMU, for its port goes too:

  -netdev tap,id=n0,script=…,downscript=$(command -v hotswitch-ifdown)
"""
_ENDING = f"""
Environment:
  {RUN_DIRECTORY}   the daemon's run directory ({DEFAULT_RUN_DIRECTORY})

Exit codes:
  0  it is done      1  it failed (of ifup: QEMU does not start)      2  it was not understood
"""
_PROGRAMS = ("hotswitch-ifup", "hotswitch-ifdown", "qemu-ifup", "qemu-ifdown")


def ifup() -> int:
    """Make the tap a port; the exit code. With another than 0, QEMU does not start."""
    return _run(sys.argv, _plug, _UP, PATIENCE)


def ifdown() -> int:
    """Take the tap's port away; the exit code."""
    return _run(sys.argv, _unplug, _DOWN)


def place_named(program: str, environment: Mapping[str, str]) -> Place | None:
    """Where the tap belongs: what the program is called like, or else what the environment says.

    hotswitch-ifup.br0.10 is for bridge br0 and VLAN 10. A link of such a name serves one of many
    interfaces of one QEMU; the environment is the same for all of them. Raises GuestError.
    """
    name = os.path.basename(program)  # noqa: PTH119
    kind, _, suffix = name.partition(".")
    text = suffix if kind in _PROGRAMS and suffix else environment.get(BRIDGE, "")
    return read_place(text) if text else None


def _plug(control: Control, program: str, tap: str) -> None:
    place = place_named(program, os.environ) or Place(only_bridge(control, f"set {BRIDGE}"))
    try:
        index = socket.if_nametoindex(tap)
    except OSError:
        raise GuestError(f"there is no device {tap[:40]!r}") from None
    plug(control, {"name": tap, **place.request(), **EPHEMERAL}, index)


def _unplug(control: Control, program: str, tap: str) -> None:
    held = held_taps()
    if not held:
        raise GuestError(
            f"leaves port {tap} alone, which goes with its device",
            remedy="only QEMU can call this: it hands over the tap that is meant",
        )
    port = find(control, tap)
    if port and port["lifecycle"] != EPHEMERAL["lifecycle"]:
        return  # it is not to go with its tap: a person has made it
    for device in held:
        incarnation = incarnation_of(port, device) if device else ""
        if incarnation:
            try:
                unplug(control, tap, incarnation)
            except RefusedError as refusal:  # it has changed in this moment
                raise GuestError(f"leaves port {tap} alone: {refusal}") from None
            return


def _run(arguments: Sequence[str], work: _Work, manual: str, patience: float = 0.0) -> int:
    program = os.path.basename(arguments[0])  # noqa: PTH119
    if "--help" in arguments or "-h" in arguments:
        print((manual + _ENDING).format(program=program), end="")
        return 0
    if len(arguments) != 2:
        print(f"usage: {program} TAP (called by QEMU; see {program} --help)", file=sys.stderr)
        return 2
    try:
        with_daemon(os.environ, lambda control: work(control, arguments[0], arguments[1]), patience)
    except HotswitchError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1
    return 0
