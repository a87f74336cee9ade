"""IGMP: the eight bytes that versions 1 to 3 have in common (RFC 2236, 2; RFC 3376, 4.1)."""

from hotswitch.headers.declaration import Checksum, Field, Header, Under
from hotswitch.headers.text import HEXADECIMAL, IPV4

HEADER = Header(
    name="igmp",
    title="IGMP",
    fields=(
        Field("type", 8, HEXADECIMAL),
        Field("max_response", 8, doc="tenths of a second in a query; else reserved"),
        Field("checksum", 16, HEXADECIMAL),
        Field("group", 32, IPV4, doc="in a version 3 report: number of records"),
    ),
    under=(Under("ipv4_protocol", 2),),
    checksum=Checksum("checksum"),
    source="RFC 2236, 2; RFC 3376, 4",
)
