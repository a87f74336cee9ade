"""Neighbour advertisement (RFC 4861, 4.4), behind ICMPv6 type 136."""

from hotswitch.headers.declaration import Field, Header, Oxm, Select, Under
from hotswitch.headers.text import IPV6

HEADER = Header(
    name="nd_advert",
    title="neighbour advertisement",
    fields=(
        Field("router", 1, doc="the sender is a router"),
        Field("solicited", 1, doc="sent in answer to a solicitation"),
        Field("override", 1, doc="replaces a cached link-layer address"),
        Field("reserved", 29, settable=False),
        Field("target", 128, IPV6, Oxm(31)),
    ),
    under=(Under("icmpv6_type", 136),),
    select=Select("nd_advert_option"),
    source="RFC 4861, 4.4",
)
