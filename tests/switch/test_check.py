"""What cannot be is refused in one line, with nothing changed."""

from __future__ import annotations

import pytest

from hotswitch.base.clock import ManualClock
from hotswitch.headers.registry import Registry
from hotswitch.switch.check import SwitchError, check
from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort, PortKind, VlanMode
from hotswitch.switch.switch import Switch
from tests.switch.fakes import FakeWorld
from tests.switch.wishes import bridge, desired

PATCH, TAP = PortKind.PATCH, PortKind.TAP
BAD_NAMES = (
    "",
    ".",
    "..",
    "a/b",
    "a b",
    "a\tb",
    "a:b",
    "sixteen-letters!",
    "ä" * 8,
    "a\0",
    "lo",
    "a%d",
)

WRONG = [
    *((desired(bridge(name)), "") for name in BAD_NAMES),
    *((desired(bridge("br0", name)), "") for name in BAD_NAMES),
    (desired(bridge("br0", DesiredPort("a", tag=4096))), "VLAN 4096 is out of range (it is 0"),
    (desired(bridge("br0", DesiredPort("a", tag=-1))), "VLAN -1"),
    (desired(bridge("br0", DesiredPort("a", trunks=(1, 4096)))), "VLAN 4096"),
    (desired(bridge("br0", DesiredPort("a", storm_limit=-1))), "storm limit -1"),
    (desired(bridge("br0", DesiredPort("a", storm_limit=10**10))), "storm limit"),
    (desired(bridge("br0", DesiredPort("a", number=255))), "number 255"),
    (desired(bridge("br0", DesiredPort("a", number=-1))), "number -1"),
    (desired(bridge("br0", DesiredPort("br0", number=3))), "number 3"),
    (
        desired(bridge("br0", DesiredPort("a", number=3), DesiredPort("b", number=3))),
        "ports a and b of bridge br0 ask for number 3",
    ),
    (desired(bridge("br0", DesiredPort("a", mode="funny"))), "mode 'funny' is unknown"),  # type: ignore[arg-type]
    (desired(bridge("br0", DesiredPort("a", hook="funny"))), "hook 'funny' is unknown"),  # type: ignore[arg-type]
    (desired(bridge("br0", ageing_time=-1)), "ageing time -1"),
    (desired(bridge("br0", address_limit=0)), "address limit 0"),
    (desired(bridge("br0", "a"), bridge("br1", "a")), "port a is in bridge br0 and in bridge br1"),
    (desired(bridge("br0", "br1"), bridge("br1")), "br1 is itself a bridge"),
    (desired(bridge("br0", DesiredPort("a", kind="funny"))), "type 'funny' is unknown"),  # type: ignore[arg-type]
    (desired(bridge("br0", DesiredPort("a", kind=PATCH))), "is a patch port without a peer"),
    (desired(bridge("br0", DesiredPort("a", kind=PATCH, peer="a"))), "is its own peer"),
    (desired(bridge("br0", DesiredPort("a", kind=PATCH, peer="a b"))), "peer name 'a b'"),
    (desired(bridge("br0", DesiredPort("a", peer="b"))), "a port of type system has no peer"),
    (desired(bridge("br0", DesiredPort("a", kind=TAP, peer="b"))), "a port of type tap has no"),
    (desired(bridge("br0", DesiredPort("br0", kind=TAP))), "local port cannot be of type tap"),
    (desired(bridge("br0", DesiredPort("br0", kind=PATCH, peer="a"))), "local port cannot be"),
    (desired(bridge("br0", DesiredPort("a", mac=2 << 40))), "type system cannot be given a MAC"),
    (desired(bridge("br0", DesiredPort("a", kind=PATCH, peer="b", mac=2 << 40))), "of type patch"),
    (desired(bridge("br0", DesiredPort("a", kind=TAP, mac=1 << 48))), "is no MAC address"),
    (desired(bridge("br0", DesiredPort("a", kind=TAP, mac=-1))), "-1 is no MAC address"),
    (
        desired(bridge("br0", DesiredPort("a", kind=TAP, mac=0x030000000001))),
        "03:00:00:00:00:01 is a group address",
    ),
    (
        desired(bridge("br0", DesiredPort("a", mtu=67))),
        "MTU 67 is out of range (it is 68 to 65535)",
    ),
    (desired(bridge("br0", DesiredPort("a", mtu=65536))), "MTU 65536"),
    (Desired({"br1": DesiredBridge("br0")}), "bridge br0 is given as br1"),
    (desired(DesiredBridge("br0", {"a": DesiredPort("b")})), "port b is given as a"),
]


@pytest.mark.parametrize(("wanted", "message"), WRONG)
def test_what_cannot_be(registry: Registry, wanted: Desired, message: str) -> None:
    world = FakeWorld(registry)
    switch = Switch(world, ManualClock())
    switch.set_desired(desired(bridge("br7")))
    before = switch.status()
    with pytest.raises(SwitchError) as raised:
        switch.set_desired(wanted)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    assert switch.status() == before


@pytest.mark.parametrize(
    "port",
    [
        DesiredPort("fifteen-letters"),
        DesiredPort("a", tag=0),
        DesiredPort("a", tag=4095, trunks=(0, 4095), mode=VlanMode.NATIVE_UNTAGGED),
        DesiredPort("a", mode=VlanMode.ACCESS),
        DesiredPort("a", tag=5, trunks=(1,)),
        DesiredPort("a", tag=5, mode=VlanMode.TRUNK),
        DesiredPort("br0", tag=5),
        DesiredPort("a", number=0xFEFE, storm_limit=10**9),
        DesiredPort("br0", mac=2 << 40, mtu=1400),
        DesiredPort("br0", kind=PortKind.INTERNAL),
        DesiredPort("a", kind=PortKind.INTERNAL, mac=2 << 40, mtu=68),
        DesiredPort("a", kind=PATCH, peer="b", mtu=65535),
        DesiredPort("a", kind=TAP, mac=(1 << 48) - 1 - (1 << 40)),
    ],
    ids=str,
)
def test_what_open_vswitch_takes_is_taken(port: DesiredPort) -> None:
    check(desired(bridge("br0", port)))
