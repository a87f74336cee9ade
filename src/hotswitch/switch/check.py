"""Is what is wanted possible at all? What can be told without looking at the machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from hotswitch.base.errors import HotswitchError
from hotswitch.base.shared import SharedMap
from hotswitch.datapath.limits import STANDARD
from hotswitch.headers.text import MAC
from hotswitch.model.action import MAXIMUM_PORT
from hotswitch.model.port import Hook
from hotswitch.ports.adoption import Rule
from hotswitch.ports.errors import PortTextError
from hotswitch.switch.adopted_ports import adopted, overlapping
from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort, PortKind, VlanMode
from hotswitch.switch.pipeline import LOCAL_PORT
from hotswitch.switch.vlans import VLANS

MAXIMUM_ADDRESSES = 1_000_000
"""The highest `address_limit`."""

MAXIMUM_AGEING_TIME = 1_000_000
"""The highest `ageing_time`, in seconds."""

MINIMUM_MTU = 68
"""ETH_MIN_MTU (linux/if_ether.h): what IPv4 needs at least, RFC 791."""

MAXIMUM_MTU = 65535
"""ETH_MAX_MTU (linux/if_ether.h); many links take less."""

_GROUP_ADDRESS = 1 << 40
_LONGEST_PATH = 255
_SHOWN = 80
"""How much of a rule messages repeat, in characters."""
_NOTHING = Desired()


class SwitchError(HotswitchError):
    """Something that a switch cannot be or do."""


def check(desired: Desired, before: Desired = _NOTHING) -> None:
    """Refuse what cannot be. Raises SwitchError, which says what and how to mend it.

    before: what has been found possible already; only what is different is looked at.
    """
    owners: dict[str, str] = {}
    facades = _check_facades(desired, before)
    for key, bridge in desired.bridges.items():
        _require(key == bridge.name, f"bridge {bridge.name} is given as {key}")
        then = before.bridges.get(key)
        if then is bridge:
            continue
        check_name("bridge", bridge.name)
        if then is None or then.rules != bridge.rules:
            _check_rules(bridge, desired)
        changed = _changed(bridge, then)
        _check_bridge(bridge, changed)
        for key, port in changed.items():
            _require(key == port.name, f"port {port.name} is given as {key}")
            check_port(bridge.name, port)
            _require(
                key == bridge.name or key not in facades,
                f"port {key} of bridge {bridge.name}: {key} is the facade of bridge "
                f"{facades.get(key)}",
                "a facade is its bridge's local port",
            )
            owners[port.name] = _owner(port.name, bridge.name, owners, desired, before)
    for name in desired.bridges.keys() - before.bridges.keys():
        for bridge in desired.bridges.values():
            _require(
                name == bridge.name or name not in bridge.ports,
                f"port {name} of bridge {bridge.name}: {name} is itself a bridge",
                "a bridge is no port of another one",
            )


def _check_facades(desired: Desired, before: Desired) -> Mapping[str, str]:
    """The facades, each with its bridge; refuse those that are something else, too."""
    facades: dict[str, str] = {}
    for name, bridge in desired.bridges.items():
        if not bridge.facade:
            continue
        where, facade = f"bridge {name}", bridge.facade
        check_name("facade", facade)
        other = facades.setdefault(facade, name)
        _require(
            other == name,
            f"{where}: {facade} is the facade of bridge {other}",
            "each has its own",
        )
    for facade, name in facades.items():
        if facade != name and facade in desired.bridges:
            is_new = facade not in before.bridges
            _require(
                not is_new,
                f"bridge {facade}: {facade} is the facade of bridge {name}",
                "call it otherwise",
            )
            _require(is_new, f"bridge {name}: {facade} is itself a bridge", "name a Linux bridge")
        then = before.bridges.get(name)
        for bridge in desired.bridges.values() if not then or then.facade != facade else ():
            _require(
                facade == bridge.name or facade not in bridge.ports,
                f"bridge {name}: {facade} is a port of bridge {bridge.name}",
                f"remove it there first: hotswitch port del {facade}",
            )
    return facades


def _changed(bridge: DesiredBridge, then: DesiredBridge | None) -> Mapping[str, DesiredPort]:
    ports = bridge.ports
    if then is None or not (isinstance(ports, SharedMap) and isinstance(then.ports, SharedMap)):
        return ports
    return {name: ports[name] for name in ports.differing(then.ports) if name in ports}


def _owner(
    port: str, bridge: str, owners: Mapping[str, str], desired: Desired, before: Desired
) -> str:
    """The bridge, unless another one has the port or is called so. Raises SwitchError."""
    _require(
        port == bridge or port not in desired.bridges,
        f"port {port} of bridge {bridge}: {port} is itself a bridge",
        "a bridge is no port of another one",
    )
    # New bridges have told of all their ports; of the others, the ports that did not change count.
    others = (name for name in before.bridges if name in desired.bridges and name != bridge)
    owner = owners.get(port, bridge)
    if owner == bridge:
        owner = next((name for name in others if port in desired.bridges[name].ports), bridge)
    _require(
        owner == bridge,
        f"port {port} is in bridge {owner} and in bridge {bridge}",
        "delete it from one of them",
    )
    return bridge


def check_name(what: str, name: str) -> None:
    """Refuse what is no link's name (net/core/dev.c: dev_valid_name, dev_prep_valid_name)."""
    _require(bool(name), f"a {what} needs a name")
    _require(
        len(name.encode(errors="replace")) <= STANDARD.name,
        f"{what} name {name[:40]!r} is too long",
        f"a link's name has at most {STANDARD.name} bytes",
    )
    _require(
        name not in (".", "..") and name.isprintable() and not any(each in "/:% " for each in name),
        f"{what} name {name!r} is no link's name",
        "use printable characters other than /, :, % and spaces",
    )
    _require(name != "lo", f"the loopback device lo cannot be a {what}", "choose another device")


def check_namespace(where: str, name: str) -> None:
    """Refuse what is neither a network namespace's name nor a path. Raises SwitchError."""
    _require(
        len(name.encode(errors="replace")) <= _LONGEST_PATH
        and name.isprintable()
        and name.strip() == name
        and name not in (".", ".."),
        f"{where}: {name[:40]!r} is no network namespace",
        "give its name as `ip netns` has it, or a path",
    )


def _check_bridge(bridge: DesiredBridge, changed: Mapping[str, DesiredPort]) -> None:
    where = f"bridge {bridge.name}"
    _within(f"{where}: ageing time", bridge.ageing_time, 0, MAXIMUM_AGEING_TIME)
    _within(f"{where}: address limit", bridge.address_limit, 1, MAXIMUM_ADDRESSES)
    _require(
        len(bridge.ports) < MAXIMUM_PORT,
        f"{where} has {len(bridge.ports)} ports",
        f"at most {MAXIMUM_PORT - 1}",
    )
    if bridge.mac:
        check_port(bridge.name, bridge.local)
    if not any(port.number for port in changed.values()):
        return
    numbers: dict[int, str] = {}
    for port in bridge.ports.values():
        if port.number:
            other = numbers.setdefault(port.number, port.name)
            _require(
                other == port.name,
                f"ports {other} and {port.name} of {where} ask for number {port.number}",
                "give one of them another number, or none",
            )


def check_port(bridge: str, port: DesiredPort, where: str = "") -> None:
    """Refuse what a port of this bridge cannot be, whatever else there is. Raises SwitchError.

    where: what messages begin with, if not with the port and the bridge.
    """
    check_name("port", port.name)
    where = where or f"port {port.name} of bridge {bridge}"
    for vlan in _vlans(port):
        _within(f"{where}: VLAN", vlan, 0, VLANS - 1)
    for what, value, kind in (
        ("mode", port.mode, VlanMode),
        ("hook", port.hook, Hook),
        ("type", port.kind, PortKind),
    ):
        _require(
            isinstance(value, kind) or (what == "mode" and value is None),
            f"{where}: {what} {value!r} is unknown",
            "it is one of " + ", ".join(kind),
        )
    _within(f"{where}: storm limit", port.storm_limit, 0, STANDARD.rate)
    _within(f"{where}: number", port.number, 0, 0 if port.name == bridge else MAXIMUM_PORT)
    _require(
        port.number != LOCAL_PORT,
        f"{where}: number {LOCAL_PORT} is the local port's",
        "ask for another, or none",
    )
    _check_kind(where, port, is_local=port.name == bridge)
    _check_links(where, port, is_local=port.name == bridge)
    if port.mtu:
        _within(f"{where}: MTU", port.mtu, MINIMUM_MTU, MAXIMUM_MTU)


def _check_kind(where: str, port: DesiredPort, *, is_local: bool) -> None:
    kind = port.kind
    if is_local:
        _require(
            kind in (PortKind.SYSTEM, PortKind.INTERNAL),
            f"{where}: the local port cannot be of type {kind}",
            "it is always internal",
        )
        kind = PortKind.INTERNAL
    if kind is PortKind.PATCH:
        _require(bool(port.peer), f"{where} is a patch port without a peer", "name its peer")
        check_name("peer", port.peer)
        _require(
            port.peer != port.name,
            f"{where} is its own peer",
            "a cable has two ends: name another patch port",
        )
    else:
        _require(
            not port.peer,
            f"{where}: a port of type {kind} has no peer",
            "only patch ports have one",
        )
    if port.namespace:
        check_namespace(where, port.namespace)
        _require(
            kind is PortKind.INTERNAL and not is_local,
            f"{where}: its device stays in the switch's network namespace",
            "only that of an internal port other than the bridge's own can be for another one",
        )
    if port.device_name:
        check_name("device", port.device_name)
        _require(
            kind in (PortKind.INTERNAL, PortKind.TAP) and not is_local,
            f"{where}: its device cannot be given a name",
            "only that of an internal or tap port other than the bridge's own can",
        )
    if port.mac:
        _require(
            kind in (PortKind.INTERNAL, PortKind.TAP),
            f"{where}: a port of type {kind} cannot be given a MAC address",
            "only those of type internal and tap can",
        )
        _require(0 < port.mac < 1 << 48, f"{where}: {port.mac} is no MAC address", "it has 48 bits")
        _require(
            not port.mac & _GROUP_ADDRESS,
            f"{where}: {MAC.show(port.mac)} is a group address",
            "take one whose first byte is even",
        )


def _check_rules(bridge: DesiredBridge, desired: Desired) -> None:
    """Refuse rules for adoption that make no possible port, or fit what another's do."""
    where = f"bridge {bridge.name}"
    for rule in bridge.adopt:
        check_rule(rule, bridge)
    for other in desired.bridges.values() if bridge.rules else ():
        wrong = overlapping(bridge, other) if other.name != bridge.name else ""
        _require(not wrong, f"{where}: {wrong}", "each device must have one bridge at most")


def check_rule(rule: Rule, bridge: DesiredBridge) -> None:
    """Refuse a rule for adoption that makes no possible port of the bridge. Raises SwitchError."""
    where = f"rule {str(rule)[:_SHOWN]!r}"
    try:
        port = adopted(rule, bridge, "adopted")
    except PortTextError as error:
        raise SwitchError(f"{where}: {error.message}", remedy=error.remedy) from error
    check_port(bridge.name, replace(port, is_vif=rule.is_vif), where)


def _check_links(where: str, port: DesiredPort, *, is_local: bool) -> None:
    if port.kind is not PortKind.SYSTEM or is_local:
        kind = PortKind.INTERNAL if is_local else port.kind
        finds = any(each.selector or not each.follow_rename for each in port.links)
        _require(
            not (port.lifecycle or finds or port.is_vif),
            f"{where}: the device of a port of type {kind} is made for it",
            "lifecycle, link, follow-rename and vif are for those of type system",
        )
    names = [each.name for each in port.links]
    if not port.is_vif:
        _require(
            names in ([], [port.name]),
            f"{where} has the links {', '.join(names)}",
            "only a VIF can have several, or one of another name",
        )
    for name in names:
        check_name("link", name)
    _require(len(set(names)) == len(names), f"{where} has a link twice", "name each once")


def _vlans(port: DesiredPort) -> Iterator[int]:
    if port.tag is not None:
        yield port.tag
    yield from port.trunks


def _within(what: str, value: int, low: int, high: int) -> None:
    _require(low <= value <= high, f"{what} {value} is out of range", f"it is {low} to {high}")


def _require(holds: bool, message: str, remedy: str = "") -> None:
    if not holds:
        raise SwitchError(message, remedy=remedy)
