"""Ethernet II (IEEE 802.3, clause 3)."""

from hotswitch.headers.declaration import Field, Header, Oxm, Select
from hotswitch.headers.text import HEXADECIMAL, MAC

HEADER = Header(
    name="ethernet",
    title="Ethernet",
    fields=(
        Field("dst", 48, MAC, Oxm(3)),
        Field("src", 48, MAC, Oxm(4)),
        Field("type", 16, HEXADECIMAL, settable=False, doc="EtherType, or a length below 0x600"),
    ),
    select=Select("ethertype", by="type", shown_as="ethertype", oxm=Oxm(5)),
    source="IEEE 802.3",
)
