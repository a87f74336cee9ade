"""Neighbour solicitation (RFC 4861, 4.3), behind ICMPv6 type 135."""

from hotswitch.headers.declaration import Field, Header, Oxm, Select, Under
from hotswitch.headers.text import IPV6

HEADER = Header(
    name="nd_solicit",
    title="neighbour solicitation",
    fields=(
        Field("reserved", 32, settable=False),
        Field("target", 128, IPV6, Oxm(31)),
    ),
    under=(Under("icmpv6_type", 135),),
    select=Select("nd_solicit_option"),
    source="RFC 4861, 4.3",
)
