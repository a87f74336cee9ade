"""Short ways to say what is wanted, and what is planned for it."""

from __future__ import annotations

from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort
from hotswitch.switch.plan import plan
from hotswitch.switch.world import World, observe


def bridge(name: str, *ports: DesiredPort | str, **values: object) -> DesiredBridge:
    """A bridge; a port that is only a name has default settings."""
    made = [DesiredPort(each) if isinstance(each, str) else each for each in ports]
    return DesiredBridge(name, {each.name: each for each in made}, **values)  # type: ignore[arg-type]


def desired(*bridges: DesiredBridge) -> Desired:
    return Desired({each.name: each for each in bridges})


def texts(wanted: Desired, world: World) -> list[str]:
    """The steps of the plan, as they are shown."""
    return [str(step) for step in plan(wanted, observe(world))]
