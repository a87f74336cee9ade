"""A flow as Netlink has it, carried out by the reference engine: the packet that comes out."""

from __future__ import annotations

import pytest
from scapy.contrib.mpls import MPLS
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Packet, Raw

from hotswitch.base.clock import ManualClock
from hotswitch.datapath.contract import PutEntry
from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.datapath.engines.reference import Outcome, ReferenceEngine
from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import BUILT_IN
from hotswitch.model.entry import Entry
from hotswitch.netlink.actions import actions_of
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.families.actions import PushMpls, PushVlan
from hotswitch.netlink.flows import match_of
from hotswitch.netlink.keys import key_of_frame
from hotswitch.netlink.known import known_in_match
from tests.netlink.test_actions import masked
from tests.netlink.test_flows import structure

REGISTRY = Registry(BUILT_IN)
A, B, C = "0a:00:00:00:00:01", "0a:00:00:00:00:02", "0a:00:00:00:00:03"


def ip(src: str = "10.0.0.1", ttl: int = 64, port: int = 80, tos: int = 0) -> Packet:
    return (
        IP(src=src, dst="10.0.0.2", ttl=ttl, tos=tos) / TCP(sport=1000, dport=port) / Raw(b"hello")
    )


PLAIN = Ether(src=A, dst=B) / ip()
TAGGED = Ether(src=A, dst=B) / Dot1Q(vlan=10, prio=3) / ip()


def run(frame: bytes, actions: Attributes) -> Outcome:
    """What becomes of a frame that comes in by port 1, under a flow for exactly such frames."""
    engine = ReferenceEngine(REGISTRY, ManualClock())
    datapath = EntryDatapath("dp", REGISTRY, engine)
    for number in (1, 2, 3):
        datapath.add_port(f"p{number}", number=number, ifindex=number)
    match = match_of(REGISTRY, key_of_frame(REGISTRY, frame, 1))
    done = actions_of(REGISTRY, actions, known_in_match(REGISTRY, match)).actions
    datapath.change([PutEntry(Entry(0, 0, match, done))])
    return engine.process(1, frame)


@pytest.mark.parametrize(
    ("sent", "actions", "expected"),
    [
        (PLAIN, Attributes(output=2), [(2, PLAIN)]),
        (PLAIN, Attributes(output=1), [(1, PLAIN)]),
        (PLAIN, Attributes(), []),
        (TAGGED, Attributes(pop_vlan=True, output=2), [(2, PLAIN)]),
        (
            PLAIN,
            Attributes(push_vlan=PushVlan.value(0x8100, 0x1000 | 3 << 13 | 10), output=3),
            [(3, TAGGED)],
        ),
        (
            TAGGED,
            Attributes(pop_vlan=True, push_vlan=PushVlan.value(0x8100, 0x1007), output=3),
            [(3, Ether(src=A, dst=B) / Dot1Q(vlan=7) / ip())],
        ),
        (
            PLAIN,
            masked(
                "ipv4",
                {"src": 0x0A090000, "ttl": 9, "tos": 0xB8},
                {"src": 0xFFFF0000, "ttl": 0xFF, "tos": 0xFC},
            )
            + Attributes(output=2),
            [(2, Ether(src=A, dst=B) / ip("10.9.0.1", 9, tos=0xB8))],
        ),
        (
            PLAIN,
            Attributes(output=2)
            + Attributes(set=Attributes(tcp=structure("tcp", src=1000, dst=443)))
            + Attributes(output=3),
            [(2, PLAIN), (3, Ether(src=A, dst=B) / ip(port=443))],
        ),
        (
            PLAIN,
            Attributes(dec_ttl=Attributes(actions=Attributes()), output=2),
            [(2, Ether(src=A, dst=B) / ip(ttl=63))],
        ),
        (
            PLAIN,
            Attributes(push_mpls=PushMpls.value(77 << 12 | 2 << 9 | 0x100 | 30, 0x8847), output=2),
            [(2, Ether(src=A, dst=B) / MPLS(label=77, cos=2, s=1, ttl=30) / ip())],
        ),
        (
            Ether(src=A, dst=B) / MPLS(label=5, s=1, ttl=9) / ip(),
            Attributes(pop_mpls=0x0800, output=2),
            [(2, PLAIN)],
        ),
        (
            PLAIN,
            Attributes(
                set=Attributes(
                    ethernet=structure("ethernet", src=0x0A0000000003, dst=0x0A0000000002)
                )
            )
            + Attributes(clone=Attributes(output=2), output=3),
            [(2, Ether(src=C, dst=B) / ip()), (3, Ether(src=C, dst=B) / ip())],
        ),
    ],
)
def test_what_comes_out(
    sent: Packet, actions: Attributes, expected: list[tuple[int, Packet]]
) -> None:
    assert run(bytes(sent), actions).outputs == [(port, bytes(out)) for port, out in expected]


def test_packets_for_user_space() -> None:
    actions = Attributes(trunc=20, userspace=Attributes(pid=7)) + Attributes(
        userspace=Attributes(pid=8, userdata=b"cookie")
    )
    first, second = run(bytes(PLAIN), actions).copies
    assert (first.reason, first.frame, first.length) == (1, bytes(PLAIN)[:20], len(PLAIN))
    assert (second.reason, second.frame) == (2, bytes(PLAIN))
