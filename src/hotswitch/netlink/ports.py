"""Port numbers: 0 is a datapath's local port to Netlink's clients, but no port of the model's."""

from __future__ import annotations

from hotswitch.model import action
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.families.vport import LOCAL

LOCAL_IN_MODEL = action.MAXIMUM_PORT
"""The local port's number in the model."""


def to_model(number: int) -> int:
    """The model's number of a vport. Raises NetlinkError for one that no port can have."""
    if number == LOCAL:
        return LOCAL_IN_MODEL
    if number >= LOCAL_IN_MODEL:
        raise NetlinkError(f"no port has the number {number}, the highest is {LOCAL_IN_MODEL - 1}")
    return number


def from_model(number: int) -> int:
    """The number of the vport that is port `number` of the model."""
    return LOCAL if number == LOCAL_IN_MODEL else number
