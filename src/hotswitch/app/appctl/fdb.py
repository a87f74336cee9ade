"""fdb/show, flush, stats-show."""

from __future__ import annotations

from collections.abc import Sequence

from hotswitch.app.appctl.names import bridge_of
from hotswitch.app.service import Service
from hotswitch.headers.text import MAC
from hotswitch.ovsdb.unixctl import Commands
from hotswitch.switch.pipeline import LOCAL_PORT


def register(commands: Commands, service: Service) -> None:
    """Add the commands."""

    def show(words: Sequence[str]) -> str:
        bridge = bridge_of(service, words[0]).name
        ports = service.switch.datapath(bridge).ports()
        numbers = {port.name: str(number) for number, port in ports.items()}
        if LOCAL_PORT in ports:
            numbers[ports[LOCAL_PORT].name] = "LOCAL"
        lines = [" port  VLAN  MAC                Age"]
        for row in service.switch.addresses(bridge):
            age = "static" if row.static else f"{int(row.age):3}"
            number = numbers.get(row.port, row.port)
            lines.append(f"{number:>5}  {row.vlan:4}  {MAC.show(row.mac)}  {age}")
        return "\n".join([*lines, ""])

    def flush(words: Sequence[str]) -> str:
        bridges = [bridge_of(service, words[0])] if words else service.forwarding()
        for each in bridges:
            service.switch.flush(each.name)
        return "table successfully flushed\n"

    def statistics(words: Sequence[str]) -> str:
        bridge = bridge_of(service, words[0])
        rows = service.switch.addresses(bridge.name)
        counters = service.switch.datapath(bridge.name).counters()
        lines = {
            "Current/maximum MAC entries in the table": f"{len(rows)}/{bridge.address_limit}",
            "Current static MAC entries in the table ": sum(row.static for row in rows),
            # Learning is the program's, which counts only what has found no place.
            "Total number of not learned MAC entries ": counters.not_learned,
        }
        shown = [f"  {name}: {value}" for name, value in lines.items()]
        return "\n".join([f'Statistics for bridge "{bridge.name}":', *shown, ""])

    commands.add("fdb/show", "bridge", 1, 1, show)
    commands.add("fdb/flush", "[bridge]", 0, 1, flush)
    commands.add("fdb/stats-show", "bridge", 1, 1, statistics)
