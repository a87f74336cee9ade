"""MPLS labels (RFC 3032, 2.1). What follows the bottom label is not said by the label."""

from hotswitch.headers.declaration import Field, Header, Oxm, Select, Under
from hotswitch.headers.meta import NXM_1

HEADER = Header(
    name="mpls",
    title="MPLS label",
    fields=(
        Field("label", 20, oxm=Oxm(34)),
        Field("traffic_class", 3, oxm=Oxm(35)),
        Field("bottom", 1, oxm=Oxm(36), default=1, settable=False, doc="1: the last label"),
        Field("ttl", 8, oxm=Oxm(30, NXM_1), default=64, doc="time to live, hops"),
    ),
    under=(Under("ethertype", 0x8847), Under("ethertype", 0x8848), Under("mpls_bottom", 0)),
    select=Select("mpls_bottom", by="bottom"),
    repeat=3,
    chain=3,
    source="RFC 3032, 2.1; RFC 5462",
)
