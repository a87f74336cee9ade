"""IPv6 routing header (RFC 8200, 4.4), of any type."""

from hotswitch.headers.declaration import Field, Header, Length, Oxm, Select, Under

HEADER = Header(
    name="ipv6_routing",
    title="IPv6 routing header",
    fields=(
        Field("next_header", 8, default=59, settable=False, doc="59: nothing"),
        Field("length", 8, settable=False, doc="in units of 8 bytes, the first 8 not counted"),
        Field("type", 8, settable=False),
        Field("segments_left", 8),
    ),
    under=(Under("ipv6_next_header", 43),),
    select=Select("ipv6_next_header", by="next_header", shown_as="ip_protocol", oxm=Oxm(10)),
    length=Length("length", unit=8, base=8),
    chain=8,
    source="RFC 8200, 4.4",
)
