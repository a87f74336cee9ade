"""SCTP's common header (RFC 9260, 3.1).

Nothing in it is settable: its CRC32c covers the whole payload, so it can't follow a change.
For the same reason a builder leaves it to the caller.
"""

from hotswitch.headers.declaration import Field, Header, Oxm, Under
from hotswitch.headers.text import HEXADECIMAL

HEADER = Header(
    name="sctp",
    title="SCTP",
    fields=(
        Field("src", 16, oxm=Oxm(17), settable=False, doc="port"),
        Field("dst", 16, oxm=Oxm(18), settable=False, doc="port"),
        Field("verification_tag", 32, HEXADECIMAL, settable=False),
        Field("checksum", 32, HEXADECIMAL, settable=False, doc="CRC32c of header and payload"),
    ),
    under=(Under("ipv4_protocol", 132), Under("ipv6_next_header", 132)),
    source="RFC 9260, 3.1",
)
