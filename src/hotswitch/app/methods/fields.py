"""Types of what is given for bridges and ports; text forms that people type are refused here."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from hotswitch.datapath.limits import STANDARD
from hotswitch.headers.text import MAC
from hotswitch.model.action import MAXIMUM_PORT
from hotswitch.switch.check import MAXIMUM_ADDRESSES, MAXIMUM_AGEING_TIME, MAXIMUM_MTU

Vlan = Annotated[int, Meta(ge=0, le=4095)]
PortNumber = Annotated[int, Meta(ge=0, le=MAXIMUM_PORT)]
StormLimit = Annotated[int, Meta(ge=0, le=STANDARD.rate)]
AgeingTime = Annotated[int, Meta(ge=0, le=MAXIMUM_AGEING_TIME)]
Mtu = Annotated[int, Meta(ge=0, le=MAXIMUM_MTU)]
AddressLimit = Annotated[int, Meta(ge=1, le=MAXIMUM_ADDRESSES)]
Mac = Annotated[str, Meta(pattern=r"\A([0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5})?\Z")]


def taken_back(asked: msgspec.Struct, new: type[msgspec.Struct]) -> list[str]:
    """The fields that are asked to be as in a new one of which nothing is said."""
    usual = {each.name: each.default for each in msgspec.structs.fields(new)}
    return [name for name, value in usual.items() if getattr(asked, name, asked) == value]


def read_mac(text: Mac) -> int:
    """The MAC address that a text stands for, 0 for an empty one."""
    return MAC.read(text) if text else 0
