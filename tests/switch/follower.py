"""A switch over a world that is not real, which follows what happens to its links."""

from __future__ import annotations

from hotswitch.base.clock import ManualClock
from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import BUILT_IN
from hotswitch.switch.plan import plan
from hotswitch.switch.switch import Switch
from hotswitch.switch.world import observe
from tests.switch.fakes import FakeWorld

REGISTRY = Registry(BUILT_IN)


class Follower:
    """name: of its one bridge."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.world = FakeWorld(REGISTRY)
        self.links = self.world.kernel
        self.clock = ManualClock()
        self.switch = Switch(self.world, self.clock)

    def follow(self) -> None:
        """Let the switch look; then there is nothing left to be done."""
        assert self.switch.links_changed() == []
        assert plan(self.switch.desired, observe(self.world)) == []

    def restart(self) -> None:
        """Another daemon begins, with what was wanted."""
        wanted = self.switch.desired
        self.switch = Switch(self.world, self.clock)
        assert self.switch.set_desired(wanted) == []

    @property
    def ports(self) -> dict[str, int]:
        """The ports' links, by name; the local port is not told."""
        there = self.world.datapaths[self.name].ports().values()
        return {port.name: port.ifindex for port in there if port.name != self.name}
