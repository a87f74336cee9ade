"""ICMPv6 (RFC 4443, 2.1): the four bytes that all messages have."""

from hotswitch.headers.declaration import Checksum, Field, Header, Oxm, Select, Under
from hotswitch.headers.text import HEXADECIMAL

HEADER = Header(
    name="icmpv6",
    title="ICMPv6",
    fields=(
        Field("type", 8, oxm=Oxm(29), settable=False),
        Field("code", 8, oxm=Oxm(30)),
        Field("checksum", 16, HEXADECIMAL),
    ),
    under=(Under("ipv6_next_header", 58),),
    select=Select("icmpv6_type", by="type"),
    checksum=Checksum("checksum", pseudo_header=True),
    source="RFC 4443, 2.1",
)
