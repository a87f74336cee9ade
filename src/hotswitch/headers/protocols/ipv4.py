"""IPv4 (RFC 791). Fragments after the first have no upper layer."""

from types import MappingProxyType

from hotswitch.headers.declaration import (
    Checksum,
    Field,
    Header,
    Length,
    Oxm,
    Select,
    TotalLength,
    Under,
)
from hotswitch.headers.meta import NXM_1
from hotswitch.headers.text import HEXADECIMAL, IPV4

HEADER = Header(
    name="ipv4",
    title="IPv4",
    fields=(
        Field("version", 4, default=4, settable=False),
        Field("ihl", 4, default=5, settable=False, doc="header length in units of 4 bytes"),
        Field("dscp", 6, oxm=Oxm(8), doc="differentiated services code point"),
        Field("ecn", 2, oxm=Oxm(9), doc="explicit congestion notification"),
        Field("total_length", 16, settable=False, doc="bytes, this header included"),
        Field("identification", 16),
        Field("reserved", 1, settable=False),
        Field("dont_fragment", 1),
        Field("more_fragments", 1, settable=False),
        Field("fragment_offset", 13, settable=False, doc="in units of 8 bytes"),
        Field("ttl", 8, oxm=Oxm(29, NXM_1), default=64, doc="time to live, hops"),
        Field("protocol", 8, settable=False),
        Field("checksum", 16, HEXADECIMAL),
        Field("src", 32, IPV4, Oxm(11)),
        Field("dst", 32, IPV4, Oxm(12)),
    ),
    under=(Under("ethertype", 0x0800),),
    select=Select(
        "ipv4_protocol",
        by="protocol",
        unless=("fragment_offset",),
        shown_as="ip_protocol",
        oxm=Oxm(10),
    ),
    length=Length("ihl", unit=4),
    requires=MappingProxyType({"version": 4}),
    checksum=Checksum("checksum", covers_payload=False),
    addresses=("src", "dst"),
    total_length=TotalLength("total_length"),
    source="RFC 791, 3.1; RFC 2474; RFC 3168",
)
