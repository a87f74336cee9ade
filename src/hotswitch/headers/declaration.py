"""What a protocol header's declaration consists of.

A header is data: its fields in wire order with widths in bits, what tells that it
comes next, how long it is, and which checksum it carries. Parser, builder, text forms,
the compiler and the documentation all read the same declaration. Nothing in here knows a
protocol.

The parse is a state machine. A header that is followed by others *selects*: one of
its fields is the key in a named *space* ("ethertype", "udp_port"). A header that follows
others is *under* keys of spaces. So IPv4 is under ("ethertype", 0x0800) and neither
knows Ethernet nor 802.1Q by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from hotswitch.headers.text import DECIMAL, TextForm


@dataclass(frozen=True, slots=True)
class Oxm:
    """A field's OpenFlow Extensible Match code (OpenFlow 1.5, 7.2.3.2), or Nicira's NXM.

    `oxm_class` is 16 bits (0x8000 is OpenFlow basic, 0 and 1 are NXM), `code` is 7 bits.
    """

    code: int
    oxm_class: int = 0x8000


@dataclass(frozen=True, slots=True)
class Field:
    """A run of bits in a header, big-endian, most significant bit first.

    width: bits.
    default: the value that a newly built header has.
    settable: whether an action may change it. A field that decides how the frame is
        parsed (a selector, a length, a version) is not settable.
    """

    name: str
    width: int
    text: TextForm = DECIMAL
    oxm: Oxm | None = None
    default: int = 0
    settable: bool = True
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Select:
    """What comes next is found in `space` under the value of the field `by`.

    by: a field's name, or empty: the key is always 0 (exactly one header can follow).
    unless: fields that must all be zero for anything to follow (an IPv4 fragment's
        offset: later fragments have no upper layer).
    shown_as: the name of the readable field that holds the last key selected in this
        space ("ethertype", "ip_protocol"), or empty. Its width and text form are those of `by`.
    oxm: the OXM code of the `shown_as` field.
    """

    space: str
    by: str = ""
    unless: tuple[str, ...] = ()
    shown_as: str = ""
    oxm: Oxm | None = None


@dataclass(frozen=True, slots=True)
class Under:
    """The header comes next where a header selects `key` in `space`."""

    space: str
    key: int


@dataclass(frozen=True, slots=True)
class Length:
    """The header's whole length is `base + unit * field` bytes."""

    field: str
    unit: int
    base: int = 0


@dataclass(frozen=True, slots=True)
class TotalLength:
    """`field` says how many bytes there are from here to the frame's end (without padding).

    includes_header: this header's own bytes count too. Only builders need it; parsing
    does not look at it.
    """

    field: str
    includes_header: bool = True


@dataclass(frozen=True, slots=True)
class Checksum:
    """An Internet checksum (RFC 1071) in the 16-bit field `field`.

    covers_payload: it covers what follows the header too; otherwise the header alone.
    pseudo_header: it covers the enclosing IP header's addresses too.
    zero_is_none: 0 means that there is none and it stays 0; a computed 0 is sent as
        0xffff (UDP, RFC 768).
    """

    field: str
    covers_payload: bool = True
    pseudo_header: bool = False
    zero_is_none: bool = False


@dataclass(frozen=True)
class Header:
    """A protocol header.

    fields: the fixed part, in wire order; the widths sum to whole bytes.
    requires: values that own fields must have; otherwise it is not this header and
        parsing stops.
    length: how the whole length is found where it is more than the fixed part.
    repeat: how many occurrences are recorded. The n-th (n > 1) is named NAMEn.
    chain: where the header can follow itself, directly or through others, how many
        headers of that cycle are walked in one frame; all headers of one cycle say the same.
    addresses: the fields that a pseudo-header checksum further in covers.
    total_length: the field that says how long everything from here on is.
    optional: it is normal that something else, or nothing, stands in its place: if it is not
        recognised, parsing stops there, but the frame does not count as malformed.
    """

    name: str
    title: str
    fields: tuple[Field, ...]
    under: tuple[Under, ...] = ()
    select: Select | None = None
    length: Length | None = None
    requires: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    checksum: Checksum | None = None
    repeat: int = 1
    chain: int = 1
    addresses: tuple[str, ...] = ()
    total_length: TotalLength | None = None
    optional: bool = False
    source: str = ""

    @cached_property
    def width(self) -> int:
        """The fixed part's width in bits."""
        return sum(each.width for each in self.fields)

    @property
    def size(self) -> int:
        """The fixed part's length in bytes."""
        return self.width // 8

    @cached_property
    def offsets(self) -> Mapping[str, int]:
        """Each field's first bit, counted from the header's first (most significant) bit."""
        offsets: dict[str, int] = {}
        position = 0
        for each in self.fields:
            offsets[each.name] = position
            position += each.width
        return MappingProxyType(offsets)

    @cached_property
    def by_name(self) -> Mapping[str, Field]:
        """The fields by name."""
        return MappingProxyType({each.name: each for each in self.fields})
