"""Short ways to say what is wanted."""

from __future__ import annotations

from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort


def bridge(name: str, *ports: DesiredPort | str, **values: object) -> DesiredBridge:
    """A bridge; a port that is only a name has default settings."""
    made = [DesiredPort(each) if isinstance(each, str) else each for each in ports]
    return DesiredBridge(name, {each.name: each for each in made}, **values)  # type: ignore[arg-type]


def desired(*bridges: DesiredBridge) -> Desired:
    return Desired({each.name: each for each in bridges})
