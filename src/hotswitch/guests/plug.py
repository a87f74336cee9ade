"""Ports of guests, made and taken away by requests to the daemon.

Another guest's port can be in the way when its device has gone just now and the daemon is about to
notice. So it is tried again for some seconds, until the port has the device that is meant.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hotswitch.guests.control import Control
from hotswitch.guests.errors import GuestError, RefusedError

_PATIENCE = 5.0
_PAUSE = 0.02
"""Seconds."""

EPHEMERAL = {"lifecycle": "ephemeral"}
"""A port that goes with its device, whether or not anybody says goodbye."""


def plug(
    control: Control,
    wanted: Mapping[str, Any],
    index: int,
    now: Callable[[], float] = time.monotonic,
) -> str:
    """Have a port with the device of this index; the device's incarnation.

    wanted: as `port/add` takes it. A port that is there already stays as it is, for a person or a
    rule may have made it; but it must be where it is wanted, and have the device.
    Raises GuestError.
    """
    name = wanted["name"]
    deadline = now() + _PATIENCE
    times_absent = 0
    while True:
        refusal = _try_to_add(control, wanted)
        port = find(control, name)
        link = _link(port, "ifindex", index)
        if port and link:
            _check_place(port, wanted)
            return str(link["incarnation"])
        times_absent += port is None
        if refusal and times_absent > 1:
            raise refusal
        if now() > deadline:
            said = port["error"] if port else ""
            raise refusal or GuestError(f"port {name} does not get its device: {said or 'no link'}")
        time.sleep(_PAUSE)


def find(control: Control, name: str) -> dict[str, Any] | None:
    """The port of that name as `port/show` tells, or None. Raises GuestError."""
    try:
        found: dict[str, Any] = control.call("port/show", {"name": name})
    except RefusedError:
        return None
    return found


def incarnation_of(port: Mapping[str, Any] | None, device: str) -> str:
    """Of the port's device that has this name now; empty if it has none such."""
    link = _link(port, "device", device)
    return str(link["incarnation"]) if link else ""


def unplug(control: Control, name: str, incarnation: str) -> None:
    """Delete the port if one of its devices is still in that life. Raises GuestError."""
    control.call("port/del", {"name": name, "incarnation": incarnation})


def only_bridge(control: Control, how: str) -> str:
    """The bridge that is meant when none is named: the only one that works, or else that there is.

    how: one is named, in an order. Raises GuestError if there are more, or none.
    """
    rows = control.call("bridge/list", {})
    names = [each["name"] for each in rows if not each["error"]] or [each["name"] for each in rows]
    if len(names) != 1:
        there = ", ".join(names[:4]) or "there is none"
        raise GuestError("no bridge is named", remedy=f"{how}: {there}")
    return str(names[0])


def _setting(key: str, value: int | Sequence[int] | None) -> str:
    if value is None or value == []:
        return f"without {key}"
    text = str(value) if isinstance(value, int) else ",".join(map(str, value))
    return f"with {key} {text}"


def _check_place(port: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raises GuestError if the port is not where it is wanted, as far as that is said."""
    name = wanted["name"]
    if port["bridge"] != wanted["bridge"]:
        raise GuestError(
            f"{name} is a port of bridge {port['bridge']}",
            remedy=f"for {wanted['bridge']}, delete it there: hotswitch port del {name}",
        )
    for key in ("tag", "trunks"):
        if key in wanted and port[key] != wanted[key]:
            there, expected = _setting(key, port[key]), _setting(key, wanted[key])
            raise GuestError(
                f"port {name} is there already, {there} and not {expected}",
                remedy="a rule for adoption or a person has made it",
            )


def _try_to_add(control: Control, wanted: Mapping[str, Any]) -> RefusedError | None:
    try:
        control.call("port/add", wanted)
    except RefusedError as refusal:
        return refusal
    return None


def _link(port: Mapping[str, Any] | None, key: str, value: object) -> dict[str, Any] | None:
    links = port["links"] if port else ()
    return next((each for each in links if each[key] == value), None)
