"""ARP and RARP for IPv4 over Ethernet: 28 bytes."""

from types import MappingProxyType

from hotswitch.headers.declaration import Field, Header, Oxm, Under
from hotswitch.headers.text import HEXADECIMAL, IPV4, MAC

HEADER = Header(
    name="arp",
    title="ARP or RARP, IPv4 over Ethernet",
    fields=(
        Field("hardware_type", 16, default=1, settable=False, doc="1: Ethernet"),
        Field("protocol_type", 16, HEXADECIMAL, default=0x0800, settable=False, doc="IPv4"),
        Field("hardware_length", 8, default=6, settable=False, doc="bytes of sender_mac"),
        Field("protocol_length", 8, default=4, settable=False, doc="bytes of sender_ip"),
        Field("operation", 16, oxm=Oxm(21), default=1, doc="1 request, 2 reply; RARP 3, 4"),
        Field("sender_mac", 48, MAC, Oxm(24)),
        Field("sender_ip", 32, IPV4, Oxm(22)),
        Field("target_mac", 48, MAC, Oxm(25)),
        Field("target_ip", 32, IPV4, Oxm(23)),
    ),
    under=(Under("ethertype", 0x0806), Under("ethertype", 0x8035)),
    requires=MappingProxyType(
        {"hardware_type": 1, "protocol_type": 0x0800, "hardware_length": 6, "protocol_length": 4}
    ),
    source="RFC 826, RFC 903",
)
