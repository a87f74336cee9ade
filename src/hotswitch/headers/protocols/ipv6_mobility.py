"""IPv6 mobility header (RFC 6275, 6.1)."""

from hotswitch.headers.declaration import Checksum, Field, Header, Length, Oxm, Select, Under
from hotswitch.headers.text import HEXADECIMAL

HEADER = Header(
    name="ipv6_mobility",
    title="IPv6 mobility header",
    fields=(
        Field("next_header", 8, default=59, settable=False, doc="59: nothing"),
        Field("length", 8, settable=False, doc="in units of 8 bytes, the first 8 not counted"),
        Field("type", 8),
        Field("reserved", 8),
        Field("checksum", 16, HEXADECIMAL),
    ),
    under=(Under("ipv6_next_header", 135),),
    select=Select("ipv6_next_header", by="next_header", shown_as="ip_protocol", oxm=Oxm(10)),
    length=Length("length", unit=8, base=8),
    chain=8,
    checksum=Checksum("checksum", pseudo_header=True),
    source="RFC 6275, 6.1",
)
