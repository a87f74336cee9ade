"""What cannot be is refused in one line, with nothing changed."""

from __future__ import annotations

import pytest

from hotswitch.base.clock import ManualClock
from hotswitch.headers.registry import Registry
from hotswitch.switch.check import SwitchError, check
from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort, VlanMode
from hotswitch.switch.switch import Switch
from tests.switch.fakes import FakeWorld
from tests.switch.wishes import bridge, desired

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
    ],
    ids=str,
)
def test_what_open_vswitch_takes_is_taken(port: DesiredPort) -> None:
    check(desired(bridge("br0", port)))
