"""vif-hotswitch: the script that xl calls when an interface of a guest comes or goes.

    vif = ['mac=00:16:3e:00:00:01, bridge=br0.10, script=vif-hotswitch']

It answers in the interface's folder in XenStore as Xen's own scripts do (xen-hotplug-common.sh):
hotplug-status "connected", or "error" and why in hotplug-error; and it keeps there which device it
has plugged in, so that it takes that one out again, and no other.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from hotswitch.base.errors import HotswitchError
from hotswitch.guests.control import (
    DEFAULT_RUN_DIRECTORY,
    PATIENCE,
    RUN_DIRECTORY,
    Control,
    with_daemon,
)
from hotswitch.guests.errors import GuestError
from hotswitch.guests.place import Place
from hotswitch.guests.plug import find, only_bridge, plug, unplug
from hotswitch.guests.xen_call import Call, read_call
from hotswitch.guests.xen_interface import Interface, names, read_interface
from hotswitch.guests.xenstore import Store, XenStore

_PROGRAM = "vif-hotswitch"
_MANUAL = f"""usage: {_PROGRAM} online|offline type_if=vif
       {_PROGRAM} add|remove type_if=tap

Make an interface of a Xen guest a port of a hotswitch bridge, or take it away. xl calls it, where
/etc/xen/scripts has a link to it and the guest's configuration names it:

  vif = [ 'mac=00:16:3e:00:00:01, bridge=br0.10, script=vif-hotswitch' ]

  br0              in all VLANs
  br0.10           an access port in VLAN 10
  br0:20:30        a trunk of VLANs 20 and 30
  br0.10:20:30     the same, and frames without a tag are in VLAN 10

Emulated and paravirtual device of one interface are one port, which goes with them. The answer is
in the interface's folder of XenStore: hotplug-status, and hotplug-error.

Environment, as xl sets it:
  XENBUS_PATH         the interface's folder in XenStore
  vif, INTERFACE      the paravirtual device, the emulated one
  {RUN_DIRECTORY}   the daemon's run directory ({DEFAULT_RUN_DIRECTORY})

Exit codes:
  0  it is done      1  it failed, and xl gives up the guest
"""


def main() -> int:
    """Do what xl asks for; the exit code, with which xl takes it for done."""
    return run(sys.argv[1:], os.environ, XenStore())


def run(arguments: Sequence[str], environment: Mapping[str, str], store: Store) -> int:
    """The same for any call and store."""
    if "--help" in arguments or "-h" in arguments:
        print(_MANUAL, end="")
        return 0
    try:
        call = read_call(arguments, environment)
    except GuestError as error:
        _complain(error)
        return 1
    if call is None:
        return 0
    try:
        _carry_out(call, environment, store)
    except HotswitchError as error:
        _complain(error)
        return _fail(call, error, store)
    return 0


def _carry_out(call: Call, environment: Mapping[str, str], store: Store) -> None:
    if not call.comes:
        _unplug(call, environment, store)
        return
    interface = read_interface(store, call, environment.get("bridge", ""))
    index = _renamed(call.device, interface.device(call))

    def make(control: Control) -> tuple[int, str]:
        place = interface.place or Place(only_bridge(control, "write bridge= in the vif"))
        mtu = interface.mtu or _mtu_of(control, place.bridge)
        return mtu, plug(control, interface.request(place, mtu), index)

    mtu, incarnation = with_daemon(environment, make, PATIENCE)
    store.write(_answers(call, interface, mtu, incarnation))


def _answers(call: Call, interface: Interface, mtu: int, incarnation: str) -> dict[str, str]:
    """What is written when it is plugged in; xl reads the last one, so all others are there then.

    The guest looks for its MTU in its own folder, as vif-bridge has it.
    """
    answers = {_memory(call): incarnation}
    if not call.is_emulated:
        if mtu and interface.frontend:
            answers[f"{interface.frontend}/mtu"] = str(mtu)
        answers[f"{call.path}/hotplug-status"] = "connected"
    return answers


def _unplug(call: Call, environment: Mapping[str, str], store: Store) -> None:
    """Take its port away, unless that has another guest's device by now."""
    incarnation = store.read(_memory(call))
    if not incarnation:
        return
    port, _ = names(store, call)

    def take_away(control: Control) -> None:
        found = find(control, port)
        if found and incarnation in _lives(found):
            unplug(control, port, incarnation)

    with_daemon(environment, take_away)


def _lives(port: Mapping[str, Any]) -> set[str]:
    """The incarnations of a port's devices, or of the last one if none is there."""
    return {*port["lost_incarnations"], *(each["incarnation"] for each in port["links"])}


def _memory(call: Call) -> str:
    """Where the incarnation of the device that was plugged in is kept, as long as it is one."""
    return f"{call.path}/hotswitch-{'tap' if call.is_emulated else 'vif'}"


def _mtu_of(control: Control, bridge: str) -> int:
    """What the bridge's local port has; 0 if there is none."""
    local = find(control, bridge)
    return int(local["mtu"]) if local else 0


def _renamed(name: str, wanted: str) -> int:
    """The index of the device `name`, which is called `wanted` then. Raises HotswitchError."""
    from hotswitch.kernel.link_actions import rename
    from hotswitch.kernel.links import get_link

    link = get_link(name)
    if link is None:
        raise GuestError(f"there is no device {name[:40]!r}")
    if name != wanted:
        if get_link(wanted):
            raise GuestError(
                f"can't rename {name} to {wanted}: there is such a device already",
                remedy="give the interface another vifname",
            )
        rename(link.index, wanted)
    return link.index


def _fail(call: Call, error: HotswitchError, store: Store) -> int:
    """Tell xl; a device that goes is gone all the same, and its port goes with it."""
    if not call.comes:
        return 0
    try:
        store.write(
            {f"{call.path}/hotplug-error": str(error), f"{call.path}/hotplug-status": "error"}
        )
    except GuestError as unheard:
        _complain(unheard)
    return 1


def _complain(error: HotswitchError) -> None:
    print(f"{_PROGRAM}: {error}", file=sys.stderr)
