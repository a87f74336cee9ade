"""A VLAN tag: customer (802.1Q, 0x8100) or service (802.1ad, 0x88a8)."""

from hotswitch.headers.declaration import Field, Header, Oxm, Select, Under
from hotswitch.headers.text import HEXADECIMAL

HEADER = Header(
    name="vlan",
    title="802.1Q or 802.1ad VLAN tag",
    fields=(
        Field("pcp", 3, oxm=Oxm(7), doc="priority code point"),
        Field("dei", 1, doc="drop eligible indicator"),
        Field("vid", 12, oxm=Oxm(6), doc="VLAN identifier; OXM has a 13th bit: tag present"),
        Field("type", 16, HEXADECIMAL, settable=False, doc="EtherType of what follows"),
    ),
    under=(Under("ethertype", 0x8100), Under("ethertype", 0x88A8)),
    select=Select("ethertype", by="type", shown_as="ethertype", oxm=Oxm(5)),
    repeat=2,
    chain=2,
    source="IEEE 802.1Q, clause 9",
)
