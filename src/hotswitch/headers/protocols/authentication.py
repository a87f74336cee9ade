"""IP authentication header (RFC 4302, 2), under IPv4 and IPv6.

What follows it is looked up among IPv6's upper layers, also behind IPv4; so ICMP and IGMP
behind it are payload. A field that it covers is better not set: the check value stays.
"""

from hotswitch.headers.declaration import Field, Header, Length, Oxm, Select, Under
from hotswitch.headers.text import HEXADECIMAL

HEADER = Header(
    name="authentication",
    title="IP authentication header",
    fields=(
        Field("next_header", 8, default=59, settable=False, doc="59: nothing"),
        Field(
            "length",
            8,
            default=1,
            settable=False,
            doc="in units of 4 bytes, the first 8 not counted",
        ),
        Field("reserved", 16, settable=False),
        Field("spi", 32, HEXADECIMAL, doc="security parameters index"),
        Field("sequence", 32),
    ),
    under=(
        Under("ipv4_protocol", 51),
        Under("ipv6_next_header", 51),
    ),
    select=Select("ipv6_next_header", by="next_header", shown_as="ip_protocol", oxm=Oxm(10)),
    length=Length("length", unit=4, base=8),
    chain=8,
    source="RFC 4302, 2",
)
