"""IPv6 destination options (RFC 8200, 4.6)."""

from hotswitch.headers.declaration import Field, Header, Length, Oxm, Select, Under

HEADER = Header(
    name="ipv6_destination",
    title="IPv6 destination options",
    fields=(
        Field("next_header", 8, default=59, settable=False, doc="59: nothing"),
        Field("length", 8, settable=False, doc="in units of 8 bytes, the first 8 not counted"),
    ),
    under=(Under("ipv6_next_header", 60),),
    select=Select("ipv6_next_header", by="next_header", shown_as="ip_protocol", oxm=Oxm(10)),
    length=Length("length", unit=8, base=8),
    chain=8,
    source="RFC 8200, 4.6",
)
