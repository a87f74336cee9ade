"""TCP (RFC 9293, 3.1)."""

from hotswitch.headers.declaration import Checksum, Field, Header, Length, Oxm, Under
from hotswitch.headers.text import HEXADECIMAL

HEADER = Header(
    name="tcp",
    title="TCP",
    fields=(
        Field("src", 16, oxm=Oxm(13), doc="port"),
        Field("dst", 16, oxm=Oxm(14), doc="port"),
        Field("sequence", 32),
        Field("acknowledgement", 32),
        Field("data_offset", 4, default=5, settable=False, doc="header length, units of 4 bytes"),
        Field("flags", 12, HEXADECIMAL, Oxm(42), doc="from 0x001 FIN to 0x100 AE (NS), reserved"),
        Field("window", 16, default=65535),
        Field("checksum", 16, HEXADECIMAL),
        Field("urgent", 16, doc="pointer"),
    ),
    under=(Under("ipv4_protocol", 6), Under("ipv6_next_header", 6)),
    length=Length("data_offset", unit=4),
    checksum=Checksum("checksum", pseudo_header=True),
    source="RFC 9293, 3.1",
)
