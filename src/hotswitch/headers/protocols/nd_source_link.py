"""Link-layer address of a neighbour solicitation's sender, if that is the first option."""

from types import MappingProxyType

from hotswitch.headers.declaration import Field, Header, Oxm, Under
from hotswitch.headers.text import MAC

HEADER = Header(
    name="nd_source_link",
    title="source link-layer address option",
    fields=(
        Field("option", 8, default=1, settable=False),
        Field("length", 8, default=1, settable=False, doc="in units of 8 bytes"),
        Field("address", 48, MAC, Oxm(32)),
    ),
    under=(Under("nd_solicit_option", 0),),
    requires=MappingProxyType({"option": 1, "length": 1}),
    optional=True,
    source="RFC 4861, 4.6.1",
)
