"""The `dpctl/` commands: each bridge's datapath, as ovs-dpctl(8) would show it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hotswitch.app.appctl.dpif import lookups
from hotswitch.app.appctl.flows import FlowWriter
from hotswitch.app.appctl.names import datapath_name, port_type
from hotswitch.app.control.method import RequestError
from hotswitch.app.methods.tables import by_table
from hotswitch.app.service import Service
from hotswitch.model.entry import NOTHING
from hotswitch.model.port import PortStatistics
from hotswitch.ovsdb.unixctl import Commands
from hotswitch.switch.desired import PortKind
from hotswitch.switch.status import BridgeStatus

_NAMING = ("--names", "--no-names")
_FLOW_OPTIONS = ("-m", "--more", *_NAMING)
_MANY = 1 << 16
_UNITS = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def register(commands: Commands, service: Service) -> None:
    """Add the commands."""

    def names(_: Sequence[str]) -> str:
        return "".join(f"{datapath_name(each.name)}\n" for each in service.forwarding())

    def show(words: Sequence[str]) -> str:
        options = {each for each in words if each.startswith("-")}
        if options - {"-s", "--statistics"}:
            raise RequestError(f"dpctl/show takes the option -s only, not {min(options)}")
        asked = [_bridge(service, each) for each in words if each not in options]
        statuses = service.switch.status()
        lines: list[str] = []
        for bridge in asked or [each.name for each in service.forwarding()]:
            lines += _datapath(service, statuses[bridge], with_statistics=bool(options))
        return "".join(f"{line}\n" for line in lines)

    def flows(words: Sequence[str]) -> str:
        options = [each for each in words if each.startswith("-")]
        asked = [each for each in words if not each.startswith("-")]
        wrong = [each for each in options if each not in _FLOW_OPTIONS]
        if wrong:
            raise RequestError(f"Unrecognized option {wrong[0]}")
        if filters := [each for each in asked if "=" in each]:
            raise RequestError(f"{filters[0]}: flows can't be filtered here")
        bridges = [_bridge(service, each) for each in asked]
        bridges = bridges or [each.name for each in service.forwarding()]
        blocks = [_flows(service, each, options) for each in bridges]
        if len(blocks) > 1:
            pairs = zip(bridges, blocks, strict=True)
            blocks = [[f"{datapath_name(name)}:", *lines] for name, lines in pairs]
        return "".join(f"{line}\n" for lines in blocks for line in lines)

    def bridge_flows(words: Sequence[str]) -> str:
        if words[-1] not in service.desired.bridges:
            raise RequestError("no such bridge")
        return flows(words)

    usage = "[-m] [--names | --no-names]"
    commands.add("dpctl/dump-dps", "", 0, 0, names)
    commands.add("dpctl/show", "[-s] [dp...]", 0, _MANY, show)
    commands.add("dpctl/dump-flows", f"{usage} [dp...]", 0, _MANY, flows)
    commands.add("dpif/dump-flows", f"{usage} bridge", 1, _MANY, bridge_flows)


def _flows(service: Service, bridge: str, options: Sequence[str]) -> list[str]:
    datapath = service.switch.datapath(bridge)
    named = [each for each in options if each in _NAMING]
    names = {number: port.name for number, port in datapath.ports().items()}
    writer = FlowWriter(service.registry, names if named and named[-1] == "--names" else {})
    counted = datapath.entry_statistics()
    now = service.clock.now()
    detailed = bool({"-m", "--more"}.intersection(options))
    return [
        writer.line(entry, counted.get(key, NOTHING), now, with_cookie=detailed)
        for key, entry in sorted(datapath.entries().items(), key=lambda item: by_table(item[1]))
    ]


def _bridge(service: Service, name: str) -> str:
    for each in service.forwarding():
        if name in (each.name, datapath_name(each.name)):
            return each.name
    raise RequestError(f"opening datapath {name} failed (No such device)")


def _datapath(service: Service, status: BridgeStatus, *, with_statistics: bool) -> Iterator[str]:
    datapath = service.switch.datapath(status.name)
    counters = datapath.counters()
    hit, missed = lookups(service, status.name)
    yield f"{datapath_name(status.name)}:"
    yield f"  lookups: hit:{hit} missed:{missed} lost:{counters.lost}"
    yield f"  flows: {len(datapath.entries())}"
    statistics = datapath.port_statistics()
    for number, port in sorted(datapath.ports().items()):
        known = status.ports.get(port.name)
        if known and not known.is_in_force:
            continue
        kind = port_type(status.name, known) if known else PortKind.SYSTEM
        yield f"  port {number}: {port.name}" + f" ({kind})" * (kind != PortKind.SYSTEM)
        if with_statistics:
            yield from _statistics(statistics.get(number, PortStatistics()))


def _statistics(port: PortStatistics) -> Iterator[str]:
    """`?` is Open vSwitch's word for what is not counted."""
    yield (
        f"    RX packets:{port.rx_packets} errors:? dropped:{port.rx_dropped} overruns:? frame:?"
    )
    yield (
        f"    TX packets:{port.tx_packets} errors:? dropped:{port.tx_dropped} aborted:? carrier:?"
    )
    yield "    collisions:?"
    yield f"    RX bytes:{_size(port.rx_bytes)}  TX bytes:{_size(port.tx_bytes)}"


def _size(count: int) -> str:
    for unit, name in _UNITS:
        if count >= unit:
            return f"{count} ({count / unit:.1f} {name})"
    return str(count)
