"""The fields that belong to no header: they are the packet's companions, not its bytes."""

from __future__ import annotations

from hotswitch.headers.declaration import Field, Oxm
from hotswitch.headers.text import HEXADECIMAL

NXM_1 = 0x0001
"""The OXM class of Nicira's own extensions (NXM_NX_*)."""

REGISTERS = 16

META: tuple[Field, ...] = (
    Field("in_port", 32, oxm=Oxm(0), settable=False, doc="the port the packet came in by"),
    Field("metadata", 64, HEXADECIMAL, oxm=Oxm(2), doc="handed on from table to table"),
    *(
        Field(f"reg{number}", 32, HEXADECIMAL, oxm=Oxm(number, NXM_1), doc="free for use")
        for number in range(REGISTERS)
    ),
)
