"""UDP (RFC 768). A checksum of zero says that there is none."""

from hotswitch.headers.declaration import (
    Checksum,
    Field,
    Header,
    Oxm,
    Select,
    TotalLength,
    Under,
)
from hotswitch.headers.text import HEXADECIMAL

HEADER = Header(
    name="udp",
    title="UDP",
    fields=(
        Field("src", 16, oxm=Oxm(15), doc="port"),
        # It selects, yet it may be set: address translation needs it. What was parsed stays parsed.
        Field("dst", 16, oxm=Oxm(16), doc="port"),
        Field("length", 16, settable=False, doc="bytes, this header included"),
        Field("checksum", 16, HEXADECIMAL, doc="0: none"),
    ),
    under=(Under("ipv4_protocol", 17), Under("ipv6_next_header", 17)),
    select=Select("udp_dst", by="dst"),
    checksum=Checksum("checksum", pseudo_header=True, zero_is_none=True),
    total_length=TotalLength("length"),
    source="RFC 768",
)
