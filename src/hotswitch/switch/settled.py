"""What the next layout can be made from, once the steps to one have been carried out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hotswitch.switch.apply import Failure
from hotswitch.switch.layout import NOTHING, Layout
from hotswitch.switch.steps import (
    AddPort,
    BindPort,
    CreateCable,
    CreateInternalLink,
    CreateTap,
    KeepName,
    SetAddress,
    SetLinkUp,
    SetMtu,
    SetPromiscuous,
    Step,
)


def settled(layout: Layout, failures: Sequence[Failure]) -> Layout:
    """The layout with what is not so of it; `NOTHING` if that concerns more than single ports."""
    if not all(_is_of_one_port(each.step) for each in failures):
        return NOTHING
    ports = frozenset(each.step.port for each in failures)
    if any(port not in layout.wanted for port in ports):
        return NOTHING
    return replace(layout, unsettled=ports)


def _is_of_one_port(step: Step) -> bool:
    """Whether trying again what the port is to be makes up for it."""
    match step:
        case BindPort():
            return step.value.ifindex != 0
        case SetPromiscuous():
            return step.promiscuous
        case _:
            kinds = AddPort, CreateCable, CreateInternalLink, CreateTap, KeepName
            return isinstance(step, (*kinds, SetAddress, SetLinkUp, SetMtu))
