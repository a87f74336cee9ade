"""IPv6 (RFC 8200, 3). Extension headers are headers of their own."""

from types import MappingProxyType

from hotswitch.headers.declaration import Field, Header, Oxm, Select, TotalLength, Under
from hotswitch.headers.meta import NXM_1
from hotswitch.headers.text import HEXADECIMAL, IPV6

HEADER = Header(
    name="ipv6",
    title="IPv6",
    fields=(
        Field("version", 4, default=6, settable=False),
        Field("dscp", 6, oxm=Oxm(8), doc="differentiated services code point"),
        Field("ecn", 2, oxm=Oxm(9), doc="explicit congestion notification"),
        Field("flow_label", 20, HEXADECIMAL, Oxm(28)),
        Field("payload_length", 16, settable=False, doc="bytes behind this header"),
        Field("next_header", 8, default=59, settable=False, doc="59: nothing"),
        Field("hop_limit", 8, oxm=Oxm(29, NXM_1), default=64, doc="hops"),
        Field("src", 128, IPV6, Oxm(26)),
        Field("dst", 128, IPV6, Oxm(27)),
    ),
    under=(Under("ethertype", 0x86DD),),
    select=Select("ipv6_next_header", by="next_header", shown_as="ip_protocol", oxm=Oxm(10)),
    requires=MappingProxyType({"version": 6}),
    addresses=("src", "dst"),
    total_length=TotalLength("payload_length", includes_header=False),
    source="RFC 8200, 3",
)
