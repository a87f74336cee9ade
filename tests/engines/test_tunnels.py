"""Outer headers: matched, copied and set, by the reference engine and by the kernel's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from hotswitch.datapath.contract import DeleteEntry, PutEntry
from hotswitch.headers.meta import META, Origin
from hotswitch.headers.registry import Registry
from hotswitch.model.port import Upcall
from tests.engines.fixture import read_entry
from tests.engines.frames import tcp4, udp4
from tests.engines.tunnels import (
    FAR,
    FAR6,
    NEAR,
    NEAR6,
    TUNNEL,
    WIRE,
    InReference,
    Outer,
    Seen,
    TunnelHarness,
    in_kernel,
    outer,
)

T, U = tcp4(), udp4()
SIX = outer(6, 5)
TO_FAR = f"set:out_tunnel=4,set:out_tunnel_id=7,set:out_tunnel_dst={FAR},set:out_tunnel_ttl=9"
TO_FAR6 = (
    f"set:out_tunnel=6,set:out_tunnel_id=8,set:out_tunnel_ipv6_dst={FAR6},set:out_tunnel_ttl=3"
)
WITH_SOURCE = f"{TO_FAR},set:out_tunnel_src={NEAR}"
WITH_SOURCE6 = f"{TO_FAR6},set:out_tunnel_ipv6_src={NEAR6}"


def sent(version: int = 4, **more: int) -> Outer:
    """Outer headers from the near end to the far one."""
    arriving = outer(version)
    middle = "" if version == 4 else "_ipv6"
    return {
        "": version,
        "_id": 7 if version == 4 else 8,
        f"{middle}_src": arriving[f"{middle}_dst"],
        f"{middle}_dst": arriving[f"{middle}_src"],
        "_ttl": 9 if version == 4 else 3,
    } | {f"_{name}": value for name, value in more.items()}


@dataclass(frozen=True)
class Case:
    """frames: (port, frame, outer headers) in. out: in their order for each port."""

    entries: Sequence[str]
    frames: Sequence[tuple[int, bytes, Outer]]
    out: Sequence[Sequence[Seen]]
    copies: Sequence[Upcall] = field(default=())


PASS = Seen(WIRE, T)
FIELDS = "+".join(each.name for each in META if each.origin is Origin.TUNNEL)


def carried(fields: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple((name, fields.get(name.removeprefix("tunnel"), 0)) for name in FIELDS.split("+"))


CASES = {
    "by the network's number": Case(
        ["0 9 tunnel_id=5 output:1", "0 1 any drop"],
        [(TUNNEL, T, outer()), (TUNNEL, T, outer(number=6)), (TUNNEL, T, SIX)],
        [[PASS], [], [PASS]],
    ),
    "by addresses under masks": Case(
        [
            "0 9 tunnel_src=192.0.2.0/255.255.255.0,tunnel_dst=192.0.2.1 output:1",
            "0 8 tunnel_ipv6_src=2001:db8::/ffff:ffff::,tunnel_ipv6_dst=::1/::ff output:1",
            "0 1 any drop",
        ],
        [(TUNNEL, T, outer()), (TUNNEL, T, SIX)],
        [[PASS], [PASS]],
    ),
    "by whole IPv6 addresses": Case(
        [f"0 9 tunnel_ipv6_src={FAR6},tunnel_ipv6_dst={NEAR6} output:1", "0 1 any drop"],
        [(TUNNEL, T, outer()), (TUNNEL, T, SIX)],
        [[], [PASS]],
    ),
    "by version, class, TTL and flags": Case(
        [
            "0 9 tunnel=6,tunnel_tos=0x28,tunnel_ttl=7,tunnel_flags=5 output:1",
            "0 8 tunnel=4,tunnel_tos=8/0xfc,tunnel_ttl=64,tunnel_flags=4/0x5 output:1",
            "0 1 any drop",
        ],
        [
            (TUNNEL, T, outer(6, tos=0x28, ttl=7)),
            (TUNNEL, T, outer(tos=10, flags=4)),
            (TUNNEL, T, outer(tos=10)),
            (TUNNEL, T, SIX),
        ],
        [[PASS], [PASS], [], []],
    ),
    "without outer headers all is zero": Case(
        [
            "0 9 tunnel=0,tunnel_id=0,tunnel_src=0.0.0.0,tunnel_ipv6_dst=::,tunnel_flags=0 "
            f"{WITH_SOURCE},output:2",
            "0 1 any output:1",
        ],
        [(WIRE, T, {}), (TUNNEL, T, outer())],
        [[Seen(TUNNEL, T, sent())], [PASS]],
    ),
    "to an IPv4 end": Case(
        [f"0 1 any {WITH_SOURCE},output:2"],
        [(WIRE, T, {}), (WIRE, U, {})],
        [[Seen(TUNNEL, T, sent())], [Seen(TUNNEL, U, sent())]],
    ),
    "with everything said": Case(
        [f"0 1 any {WITH_SOURCE},set:out_tunnel_tos=0x20,set:out_tunnel_flags=0x101,output:2"],
        [(WIRE, T, {})],
        [[Seen(TUNNEL, T, sent(tos=0x20, flags=0x101))]],
    ),
    "to an IPv6 end": Case(
        [f"0 1 any {WITH_SOURCE6},set:out_tunnel_flags=1,output:2"],
        [(WIRE, T, {})],
        [[Seen(TUNNEL, T, sent(6, flags=1))]],
    ),
    "one after another, with others in between": Case(
        [
            f"0 1 any {WITH_SOURCE},output:2,output:in_port,"
            f"set:ipv4.ttl=9,set:out_tunnel_id=9,output:2,"
            f"{WITH_SOURCE6},output:2",
        ],
        [(WIRE, T, {})],
        [
            [
                PASS,
                Seen(TUNNEL, T, sent()),
                Seen(TUNNEL, tcp4(ttl=9), sent(id=9)),
                Seen(TUNNEL, tcp4(ttl=9), sent(6)),
            ]
        ],
    ),
    "the number comes from another field": Case(
        [
            "0 1 any copy:tcp.src->reg0,goto:1",
            f"1 1 any {WITH_SOURCE},copy:reg0->out_tunnel_id,output:2",
        ],
        [(WIRE, T, {})],
        [[Seen(TUNNEL, T, sent(id=1000))]],
    ),
    "set in one table, sent in another, to a list": Case(
        [f"0 1 any {WITH_SOURCE},goto:3", "3 1 any outputs:1+2"],
        [(WIRE, T, {})],
        [[Seen(TUNNEL, T, sent())]],
    ),
    "it is said no more": Case(
        [f"0 1 any {WITH_SOURCE},output:2,set:out_tunnel=0,output:2,output:in_port"],
        [(WIRE, T, {})],
        [[PASS, Seen(TUNNEL, T, sent())]],
    ),
    "said for a copy alone": Case(
        [f"0 1 any clone{{{WITH_SOURCE},output:2}},output:2,output:in_port"],
        [(WIRE, T, {})],
        [[PASS, Seen(TUNNEL, T, sent())]],
    ),
    "said otherwise for a copy": Case(
        [f"0 1 any {WITH_SOURCE},clone{{set:out_tunnel_id=9,output:2}},output:2"],
        [(WIRE, T, {})],
        [[Seen(TUNNEL, T, sent(id=9)), Seen(TUNNEL, T, sent())]],
    ),
    "what it came with stays when it is looked up again": Case(
        [
            f"0 2 tunnel_id=5,recirc_id=0 {WITH_SOURCE},output:2,recirculate:3",
            "0 1 recirc_id=3,tunnel_id=5 output:2,output:1",
        ],
        [(TUNNEL, T, outer())],
        [[PASS]],
    ),
    "nothing is said": Case(
        ["0 1 any output:2,output:in_port"],
        [(WIRE, T, {})],
        [[PASS]],
    ),
    "what it came with is not what it leaves with": Case(
        [
            f"0 1 any {WITH_SOURCE},output:in_port,goto:1",
            f"1 2 tunnel_id=5,tunnel=4 copy_to_user:fields={FIELDS},output:1",
        ],
        [(TUNNEL, T, outer())],
        [[PASS, Seen(TUNNEL, T, sent())]],
        [Upcall(0, 1, TUNNEL, 2, len(T), T, carried(outer()))],
    ),
    "read for a copy alone": Case(
        [f"0 3 any copy_to_user:fields={FIELDS}"],
        [(TUNNEL, T, outer()), (WIRE, U, {}), (TUNNEL, T, SIX)],
        [[], [], []],
        [
            Upcall(0, 0, TUNNEL, 3, len(T), T, carried(outer())),
            Upcall(0, 0, WIRE, 3, len(U), U, carried({})),
            Upcall(0, 0, TUNNEL, 3, len(T), T, carried(SIX)),
        ],
    ),
}  # fmt: skip


def _with_outer_headers(upcall: Upcall) -> Upcall:
    """The copy with those fields alone; others can come with them."""
    fields = tuple((name, value) for name, value in upcall.fields if name in FIELDS.split("+"))
    return replace(upcall, fields=fields)


@pytest.fixture(scope="module", params=["reference", "kernel"])
def harness(request: pytest.FixtureRequest, registry: Registry) -> Iterator[TunnelHarness]:
    if request.param == "reference":
        yield InReference(registry)
    else:
        with in_kernel(registry) as made:
            yield made


@pytest.mark.parametrize("name", CASES)
def test_outer_headers(name: str, harness: TunnelHarness, registry: Registry) -> None:
    case = CASES[name]
    datapath = harness.datapath
    deletes = [DeleteEntry(key) for key in datapath.entries()]
    puts = [PutEntry(read_entry(registry, text)) for text in case.entries]
    datapath.change([*deletes, *puts])
    datapath.upcalls()
    for (port, frame, headers), expected in zip(case.frames, case.out, strict=True):
        seen = harness.send(port, frame, headers, len(expected))
        by_port = sorted(seen, key=lambda each: each.port)
        assert by_port == list(expected)
    assert [_with_outer_headers(each) for each in datapath.upcalls()] == list(case.copies)
    assert datapath.counters().errors == 0
