"""A reference engine in the state of a live datapath, so that a packet can be walked through it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from hotswitch.base.clock import Clock
from hotswitch.datapath.engines.reference.engine import ReferenceEngine
from hotswitch.headers.registry import Registry
from hotswitch.model.entry import Entry, EntryKey
from hotswitch.model.port import Address, Meter, Port

_ADDRESS_LIMIT = 8192
"""Rows that the address table has room for, at least."""


class Source(Protocol):
    """What is taken from a live datapath."""

    def ports(self) -> Mapping[int, Port]: ...
    def entries(self) -> Mapping[EntryKey, Entry]: ...
    def addresses(self) -> list[Address]: ...
    def meters(self) -> Mapping[int, Meter]: ...


def snapshot(source: Source, registry: Registry, clock: Clock) -> ReferenceEngine:
    """What happens in it has no effect on the source. All meters' buckets are full."""
    addresses = source.addresses()
    engine = ReferenceEngine(registry, clock, max(_ADDRESS_LIMIT, len(addresses)))
    engine.put_ports(list(source.ports().values()))
    engine.change(list(source.entries().values()), [])
    for address in addresses:
        engine.put_address(address)
    for meter in source.meters().values():
        engine.put_meter(meter)
    return engine
