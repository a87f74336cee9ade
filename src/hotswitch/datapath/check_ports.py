"""Are these ports, addresses and meters ones that every engine understands?"""

from __future__ import annotations

from hotswitch.datapath.contract import DatapathError
from hotswitch.datapath.limits import STANDARD
from hotswitch.model.action import MAXIMUM_PORT
from hotswitch.model.port import Address, Hook, Meter, Port, Side


def check_port(port: Port) -> None:
    """Raise DatapathError, naming the port, if its number, name or links cannot be."""
    name = port.name
    if not name or name in (".", "..") or any(c == "/" or c.isspace() or c < " " for c in name):
        raise DatapathError(f"{name!r} cannot be a port's name", remedy="no spaces and no slashes")
    if len(name.encode()) > STANDARD.name:
        raise DatapathError(
            f"{name!r} is too long for a port's name", remedy=f"at most {STANDARD.name} bytes"
        )
    if not 1 <= port.number <= MAXIMUM_PORT:
        raise DatapathError(
            f"port {name}: number {port.number} cannot be", remedy=f"it is 1 to {MAXIMUM_PORT}"
        )
    _check_links(port)
    if (spare := len(port.standby) + len(port.away)) > STANDARD.standby:
        raise DatapathError(
            f"port {name}: {spare} standby links", remedy=f"at most {STANDARD.standby}"
        )


def _check_links(port: Port) -> None:
    name = port.name
    if not 0 <= port.incarnation < 1 << 64:
        raise DatapathError(f"port {name}: {port.incarnation} cannot be an incarnation")
    for link in (*port.links, *port.away):
        if not 0 < link.ifindex < 1 << 31:
            raise DatapathError(f"port {name}: no link has the index {link.ifindex}")
        if not 0 <= link.incarnation < 1 << 64:
            raise DatapathError(f"port {name}: {link.incarnation} cannot be an incarnation")
    links = [link.ifindex for link in (*port.links, *port.away)]
    if len(set(links)) < len(links):
        raise DatapathError(f"port {name} has a link twice")
    if port.side is Side.HOST and port.standby:
        raise DatapathError(f"port {name}: one on the host's side has no standby links")
    if port.side is Side.HOST and port.hook is Hook.XDP:
        raise DatapathError(
            f"port {name}: XDP does not see what the host sends", remedy="hook auto or tcx"
        )


def check_address(address: Address) -> None:
    """Raise DatapathError if there is no such VLAN or address."""
    if not 0 <= address.vlan < 1 << 12:
        raise DatapathError(f"there is no VLAN {address.vlan}", remedy="VLANs are 0 to 4095")
    if not 0 < address.mac < 1 << 48:
        raise DatapathError(
            f"{address.mac:#x} is not an Ethernet address", remedy="it has 48 bits, not all zero"
        )


def check_meter(meter: Meter) -> None:
    """Raise DatapathError if no engine can limit to this rate."""
    if not 0 <= meter.number <= STANDARD.meter:
        raise DatapathError(
            f"meter {meter.number} cannot be", remedy=f"its number is 0 to {STANDARD.meter}"
        )
    for what, value, most in (
        ("rate", meter.rate, STANDARD.rate),
        ("burst", meter.burst, STANDARD.burst),
    ):
        if not 1 <= value <= most:
            raise DatapathError(
                f"meter {meter.number}: {what} {value} cannot be", remedy=f"it is 1 to {most}"
            )
