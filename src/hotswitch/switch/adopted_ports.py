"""What a rule for adoption makes of a device: the settings of its port. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from itertools import count
from types import MappingProxyType
from typing import Any

from hotswitch.base.decimal import read_decimal
from hotswitch.base.shared import SharedMap
from hotswitch.model.port import Hook
from hotswitch.ports.adoption import Rule, overlap
from hotswitch.ports.errors import PortTextError
from hotswitch.ports.lifecycle import EPHEMERAL, read_lifecycle
from hotswitch.ports.members import Member, Metadata
from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort, VlanMode

_METADATA = "external-ids:"


@lru_cache(maxsize=1024)
def template(rule: Rule) -> tuple[DesiredPort, Metadata]:
    """A port with the rule's settings, and the metadata of its links. Raises PortTextError."""
    metadata: list[tuple[str, str]] = []
    given: dict[str, Any] = {}
    for key, value in rule.settings:
        if key.startswith(_METADATA) and key != _METADATA:
            metadata.append((key.removeprefix(_METADATA), value))
        elif key in _SETTINGS:
            field, read = _SETTINGS[key]
            given[field] = _read(read, key, value)
        else:
            known = ", ".join((*_SETTINGS, "vif", f"{_METADATA}KEY"))
            raise PortTextError(f"{key[:40]!r} is no setting of ports", remedy=f"there are {known}")
    return DesiredPort("", **given), tuple(metadata)


def lifecycle_given(rule: Rule, bridge: DesiredBridge) -> bool:
    """Whether the rule or its bridge says what becomes of the port without a device."""
    return template(rule)[0].lifecycle is not None or bridge.lifecycle is not None


def adopted(rule: Rule, bridge: DesiredBridge, name: str) -> DesiredPort:
    """The port that the rule makes; it goes with its device unless something else is said.

    Of a VIF it is without its links.
    """
    port, metadata = template(rule)
    lifecycle = port.lifecycle if lifecycle_given(rule, bridge) else EPHEMERAL
    values = {each: getattr(port, each) for each in _FIELDS}
    links = (Member(name, metadata=metadata),) if metadata and not rule.is_vif else ()
    return DesiredPort(
        name, **{**values, "lifecycle": lifecycle, "master": rule.master, "links": links}
    )


def with_examples(desired: Desired) -> Desired:
    """What is wanted, with a port for each rule: what the bridges will need as devices come."""
    bridges = dict(desired.bridges)
    names = (f"adopted/{number}" for number in count())  # no port is called so
    for name, bridge in desired.bridges.items():
        examples = {
            each: adopted(rule, bridge, each)
            for rule, each in zip(bridge.adopt, names, strict=False)
        }
        if examples:
            bridges[name] = replace(bridge, ports=SharedMap(bridge.ports).having(examples))
    same = all(bridges[name] is each for name, each in desired.bridges.items())
    return desired if same else Desired(MappingProxyType(bridges))


def overlapping(bridge: DesiredBridge, other: DesiredBridge) -> str:
    """What is wrong if a device could fit the rules of both, or nothing."""
    name = overlap(bridge.rules, other.rules) if bridge.rules and other.rules else ""
    return f"a device called {name} would fit rules of bridge {other.name}, too" if name else ""


def _read(read: Callable[[str], Any], key: str, value: str) -> Any:
    try:
        return read(value)
    except PortTextError:
        raise
    except ValueError:
        raise PortTextError(f"{key}={value[:40]} can't be") from None


def _vlans(text: str) -> tuple[int, ...]:
    return tuple(sorted({read_decimal(each) for each in text.split(",")}))


_SETTINGS: MappingProxyType[str, tuple[str, Callable[[str], Any]]] = MappingProxyType(
    {
        "tag": ("tag", read_decimal),
        "trunks": ("trunks", _vlans),
        "mode": ("mode", VlanMode),
        "hook": ("hook", Hook),
        "mtu": ("mtu", read_decimal),
        "storm-limit": ("storm_limit", read_decimal),
        "lifecycle": ("lifecycle", read_lifecycle),
    }
)
_FIELDS = tuple(field for field, _ in _SETTINGS.values())
