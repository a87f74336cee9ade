"""VXLAN (RFC 7348, 5), behind UDP port 4789. The inner frame is payload."""

from hotswitch.headers.declaration import Field, Header, Under
from hotswitch.headers.text import HEXADECIMAL

HEADER = Header(
    name="vxlan",
    title="VXLAN",
    fields=(
        Field("flags", 8, HEXADECIMAL, default=0x08, doc="0x08: the VNI is valid"),
        Field("reserved", 24, HEXADECIMAL),
        Field("vni", 24, doc="VXLAN network identifier"),
        Field("reserved2", 8, HEXADECIMAL),
    ),
    under=(Under("udp_dst", 4789),),
    source="RFC 7348, 5",
)
