"""Where clients come from: the connection methods of ovsdb(7), as text and as values.

punix:FILE  ptcp:[PORT][:ADDRESS]  pssl:[PORT][:ADDRESS]     listen
unix:FILE   tcp:HOST[:PORT]        ssl:HOST[:PORT]           connect, again and again
db:DATABASE,TABLE,COLUMN                                     as that column says
"""

from __future__ import annotations

import enum
import ipaddress
import re
from dataclasses import dataclass

from hotswitch.base.errors import HotswitchError

PORT = 6640
"""IANA's port for OVSDB."""

DEFAULT_BACKOFF = 8000
"""Milliseconds between attempts to connect, at most."""


class RemoteError(HotswitchError):
    """A text that is no connection method, or one that can't be used."""


class Transport(enum.Enum):
    """What carries the bytes. All but Unix sockets are probed when idle."""

    UNIX = "unix"
    TCP = "tcp"
    TLS = "ssl"


@dataclass(frozen=True, slots=True)
class Listen:
    """A passive connection. `address` is a path, or an IP address (empty: all); port 0: any."""

    transport: Transport
    address: str
    port: int = 0


@dataclass(frozen=True, slots=True)
class Connect:
    """An active connection. `address` is a path, an IP address or a host's name."""

    transport: Transport
    address: str
    port: int = 0


@dataclass(frozen=True, slots=True)
class Column:
    """Connection methods, or the name of a file, that a column of a database holds."""

    database: str
    table: str
    column: str


Remote = Listen | Connect | Column


@dataclass(frozen=True, slots=True)
class Options:
    """How to treat a remote's connections.

    probe: milliseconds of silence before a probe, 0 for never; None: 5,000, Unix sockets never.
    backoff: milliseconds between attempts to connect, at most.
    role: what clients may do, where the database has roles (ovsdb-server(7), RBAC); where it has
        none, as in Open_vSwitch, it means nothing.
    """

    probe: int | None = None
    backoff: int = DEFAULT_BACKOFF
    read_only: bool = False
    role: str = ""


def parse(text: str) -> Remote:
    """Read a connection method. Raises RemoteError."""
    method, colon, rest = text.partition(":")
    if not colon:
        raise RemoteError(f"{text!r} is not a connection method", remedy="such as punix:FILE")
    if method == "db":
        return _column(text, rest)
    passive = method.startswith("p")
    try:
        transport = Transport(method[1:] if passive else method)
    except ValueError:
        raise RemoteError(f"{text!r}: {method!r} is not a connection method") from None
    if transport is Transport.UNIX:
        if not rest:
            raise RemoteError(f"{text!r} names no file")
        return Listen(transport, rest) if passive else Connect(transport, rest)
    if passive:
        port, _, address = rest.partition(":")
        return Listen(transport, _address(text, address), _port(text, port))
    address, port = _split_host(text, rest)
    return Connect(transport, address, _port(text, port))


_NEXT = re.compile(r",(?=(?:unix|tcp|ssl):)")


def parse_servers(text: str) -> dict[str, Connect]:
    """Read where the servers of one database are, separated by commas, by their texts.

    A file's name may hold commas. Raises RemoteError.
    """
    servers = {}
    for name in _NEXT.split(text):
        remote = parse(name)
        if not isinstance(remote, Connect):
            raise RemoteError(
                f"{name!r}: a database elsewhere is called", remedy="unix:, tcp: or ssl:"
            )
        if remote.transport is not Transport.UNIX and not _names_port(name):
            method = remote.transport.value
            raise RemoteError(f"{name!r} names no port", remedy=f"{method}:HOST:PORT")
        servers[name] = remote
    return servers


def _names_port(text: str) -> bool:
    return re.search(r"[^:]:\d+$", text.partition(":")[2]) is not None


def parse_column(text: str) -> Column | None:
    """Read `db:DATABASE,TABLE,COLUMN`; None if it is something else. Raises RemoteError."""
    return _column(text, text[3:]) if text.startswith("db:") else None


def _column(text: str, rest: str) -> Column:
    parts = rest.split(",")
    if len(parts) != 3 or not all(parts):
        raise RemoteError(f'"{text}": invalid syntax', remedy="db:DATABASE,TABLE,COLUMN")
    return Column(*parts)


def _port(text: str, port: str) -> int:
    if not port:
        return PORT
    if not port.isascii() or not port.isdigit() or int(port) > 0xFFFF:
        raise RemoteError(f"{text!r}: {port!r} is not a port")
    return int(port)


def _address(text: str, address: str) -> str:
    plain = address[1:-1] if address.startswith("[") and address.endswith("]") else address
    if plain:
        try:
            ipaddress.ip_address(plain)
        except ValueError:
            raise RemoteError(f"{text!r}: {plain!r} is not an IP address") from None
    return plain


def _can_be_looked_up(host: str) -> bool:
    try:
        host.encode("idna")  # as asyncio does
    except UnicodeError:
        return False
    return not any(each.isspace() for each in host)


def _split_host(text: str, rest: str) -> tuple[str, str]:
    if rest.startswith("["):
        address, bracket, port = rest[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            raise RemoteError(f"{text!r}: an IPv6 address stands in brackets")
        host, port = _address(text, address), port[1:]
    else:
        host, _, port = rest.partition(":")
    if not host or not _can_be_looked_up(host):
        raise RemoteError(f"{text!r} names no host")
    return host, port
