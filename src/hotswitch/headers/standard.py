"""The headers that are there without asking: the built-in ones and those of other packages.

A distribution offers headers by an entry point in the group `hotswitch.headers`. It names a
`Header`, an iterable of them, or a callable without arguments that returns either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import EntryPoint, entry_points

from hotswitch.headers.declaration import Header
from hotswitch.headers.errors import HeaderError
from hotswitch.headers.protocols import (
    arp,
    authentication,
    ethernet,
    icmp,
    icmpv6,
    igmp,
    ipv4,
    ipv6,
    ipv6_destination,
    ipv6_fragment,
    ipv6_hop_by_hop,
    ipv6_mobility,
    ipv6_routing,
    mpls,
    nd_advert,
    nd_solicit,
    nd_source_link,
    nd_target_link,
    sctp,
    tcp,
    udp,
    vlan,
    vxlan,
)
from hotswitch.headers.registry import Registry

GROUP = "hotswitch.headers"

BUILT_IN: tuple[Header, ...] = (
    ethernet.HEADER,
    vlan.HEADER,
    mpls.HEADER,
    arp.HEADER,
    ipv4.HEADER,
    ipv6.HEADER,
    ipv6_hop_by_hop.HEADER,
    ipv6_routing.HEADER,
    ipv6_fragment.HEADER,
    authentication.HEADER,
    ipv6_destination.HEADER,
    ipv6_mobility.HEADER,
    icmp.HEADER,
    icmpv6.HEADER,
    nd_solicit.HEADER,
    nd_source_link.HEADER,
    nd_advert.HEADER,
    nd_target_link.HEADER,
    igmp.HEADER,
    tcp.HEADER,
    udp.HEADER,
    sctp.HEADER,
    vxlan.HEADER,
)


def standard_registry() -> Registry:
    """All of them. Raises HeaderError, naming the distribution, for a broken one of others."""
    origins: dict[int, str] = {}
    headers = list(BUILT_IN)
    # In a fixed order, so that a conflict is always blamed on the same distribution.
    for point in sorted(entry_points(group=GROUP), key=lambda each: (_origin(each), each.name)):
        for header in _load(point):
            origins[id(header)] = _origin(point)
            headers.append(header)
    try:
        return Registry(headers)
    except HeaderError as error:
        origin = origins.get(id(error.header))
        if origin is None:
            raise
        raise HeaderError(f"{origin}: {error.message}", header=error.header) from None


def _origin(point: EntryPoint) -> str:
    dist = point.dist
    return f"distribution {dist.name} {dist.version}" if dist else f"entry point {point.name}"


def _load(point: EntryPoint) -> Iterator[Header]:
    where = f"{_origin(point)}: entry point {point.name!r}"
    try:
        found = point.load()
        if callable(found):
            found = found()
        headers = (
            [found]
            if isinstance(found, Header)
            else list(found)
            if isinstance(found, Iterable)
            else []
        )
    except Exception as error:
        # Foreign code may raise anything; here it is a broken package.
        raise HeaderError(f"{where} does not load: {type(error).__name__}: {error}") from error
    if not headers or not all(isinstance(each, Header) for each in headers):
        raise HeaderError(f"{where} does not give headers")
    yield from headers
