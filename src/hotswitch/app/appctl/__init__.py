"""The commands that Open vSwitch's users know, in text as there, for `ovs-appctl`; a file a noun.

Source of names and forms: ovs-vswitchd(8), ovs-dpctl(8), and what Open vSwitch 3.1 prints.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields

from hotswitch.app.appctl import dpctl, dpif, fdb
from hotswitch.app.control.method import RequestError
from hotswitch.app.service import Service
from hotswitch.base.errors import HotswitchError
from hotswitch.datapath.contract import Counters
from hotswitch.ovsdb.unixctl import Commands


def register(commands: Commands, service: Service) -> None:
    """Add all of them."""
    for each in (fdb, dpif, dpctl):
        each.register(commands, service)

    async def leave(words: Sequence[str]) -> str:
        if words not in ([], ["--cleanup"]):
            raise RequestError(f'"exit" takes --cleanup, or nothing, but not {words[0]}')
        await service.stop(bool(words))
        return ""

    def bridges(_: Sequence[str]) -> str:
        return "".join(f"{each.name}\n" for each in service.forwarding())

    commands.add("exit", "[--cleanup]", 0, 1, leave)
    commands.add("ofproto/list", "", 0, 0, bridges)


def events(service: Service) -> Mapping[str, int]:
    """What the datapaths have counted, for `coverage/show`: little work, it is done all the time.

    A bridge that can't tell has counted nothing.
    """
    found = Counter({f"datapath_{each.name}": 0 for each in fields(Counters)})
    for bridge in service.desired.bridges:
        try:
            counters = service.switch.datapath(bridge).counters()
        except HotswitchError:
            continue
        found.update({f"datapath_{name}": count for name, count in asdict(counters).items()})
    return found


def usage(service: Service) -> Mapping[str, int]:
    """What the datapaths hold, for `memory/show`. Raises HotswitchError."""
    found: Counter[str] = Counter()
    for bridge in service.forwarding():
        datapath = service.switch.datapath(bridge.name)
        found.update(ports=len(datapath.ports()), rules=len(datapath.entries()))
        found.update(addresses=len(datapath.addresses()))
    return found
