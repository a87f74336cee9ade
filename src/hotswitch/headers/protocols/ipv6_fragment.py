"""IPv6 fragment header (RFC 8200, 4.5). Fragments after the first have no upper layer."""

from hotswitch.headers.declaration import Field, Header, Oxm, Select, Under
from hotswitch.headers.text import HEXADECIMAL

HEADER = Header(
    name="ipv6_fragment",
    title="IPv6 fragment header",
    fields=(
        Field("next_header", 8, default=59, settable=False, doc="59: nothing"),
        Field("reserved", 8, settable=False),
        Field("fragment_offset", 13, settable=False, doc="in units of 8 bytes"),
        Field("reserved2", 2, settable=False),
        Field("more_fragments", 1, settable=False),
        Field("identification", 32, HEXADECIMAL),
    ),
    under=(Under("ipv6_next_header", 44),),
    select=Select(
        "ipv6_next_header",
        by="next_header",
        unless=("fragment_offset",),
        shown_as="ip_protocol",
        oxm=Oxm(10),
    ),
    chain=8,
    source="RFC 8200, 4.5",
)
