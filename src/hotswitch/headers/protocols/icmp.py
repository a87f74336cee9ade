"""ICMP (RFC 792): the four bytes that all messages have."""

from hotswitch.headers.declaration import Checksum, Field, Header, Oxm, Under
from hotswitch.headers.text import HEXADECIMAL

HEADER = Header(
    name="icmp",
    title="ICMP",
    fields=(
        Field("type", 8, oxm=Oxm(19)),
        Field("code", 8, oxm=Oxm(20)),
        Field("checksum", 16, HEXADECIMAL),
    ),
    under=(Under("ipv4_protocol", 1),),
    checksum=Checksum("checksum"),
    source="RFC 792",
)
