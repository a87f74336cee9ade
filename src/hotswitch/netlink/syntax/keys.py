"""How the attributes of a key are written: the table, and what reads and shows by it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from hotswitch.netlink.attributes import Attributes, Name
from hotswitch.netlink.families import keys as kernel
from hotswitch.netlink.families.keys import CT_STATE
from hotswitch.netlink.syntax.addresses import IPV4, IPV6, MAC
from hotswitch.netlink.syntax.byte_strings import Bytes, NativeBytes, NativeNumber
from hotswitch.netlink.syntax.fields import Field, Fields
from hotswitch.netlink.syntax.flag_words import Flags
from hotswitch.netlink.syntax.form import Form, Style, is_zero, zeros
from hotswitch.netlink.syntax.nsh import NSH
from hotswitch.netlink.syntax.numbers import (
    DECIMAL_8,
    DECIMAL_16,
    HEX_8,
    HEX_16,
    HEX_32,
    Choice,
    Integer,
    Port,
)
from hotswitch.netlink.syntax.reader import Reader
from hotswitch.netlink.syntax.tunnels import TUNNEL
from hotswitch.netlink.syntax.vlans import MPLS, TAG

_NAME = re.compile(r"[a-z][a-z0-9_]*(?=\()")

_FRAGMENT = Choice({0: "no", 1: "first", 2: "later"})
_TCP_FLAGS = dict(
    zip(
        (1 << bit for bit in range(12)),
        ("fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ns", "[200]", "[400]", "[800]"),
        strict=True,
    )
)
_CT_STATE = dict(
    zip(CT_STATE, ("new", "est", "rel", "rpl", "inv", "trk", "snat", "dnat"), strict=True)
)
_ETHERTYPE = Integer(16, "0x{:04x}".format, "0x{:04x}".format)
_BYTES = Bytes(" ")
_ABSENT = re.compile(r"0(?=/)")


class EtherType:
    """An EtherType; `0/0xffff` is for frames that have none, but a length."""

    usage = "0xN"

    def show(self, value: int, mask: int | None, style: Style) -> str:
        """The number."""
        return _ETHERTYPE.show(value, mask, style)

    def read(self, reader: Reader) -> tuple[int | None, int]:
        """None and the mask of none."""
        if _ABSENT.match(reader.text, reader.position):
            reader.need("0/")
            return None, reader.number(0xFFFF)
        return _ETHERTYPE.read(reader)

    def exact(self, mask: int) -> bool:
        """Whether all bits are looked at."""
        return mask == 0xFFFF


class Extensions:
    """Options and flags of neighbour discovery (struct ovs_key_nd_extensions); bytes of another
    size are written as such."""

    _size = 8
    _unused = 24
    _fields = Fields(
        None,
        Field("nd_reserved", Integer(32, "0x{:x}".format, "0x{:08x}".format), shift=8),
        Field("nd_options_type", DECIMAL_8),
    )
    usage = _fields.usage

    def show(self, value: bytes, mask: bytes | None, style: Style) -> str:
        """By its parts."""
        if len(value) != self._size or value[5:].strip(b"\0"):
            return _BYTES.show(value, mask, style)
        under = None if mask is None else self._number(mask)
        return self._fields.show(self._number(value), under, style)

    def read(self, reader: Reader) -> tuple[bytes, bytes]:
        """The bytes and their mask."""
        if not reader.sees("nd_") and not reader.sees(")"):
            return _BYTES.read(reader)
        value, mask = self._fields.read(reader)
        return tuple((each << self._unused).to_bytes(self._size, "big") for each in (value, mask))

    def exact(self, mask: bytes) -> bool:
        """Whether all parts are looked at."""
        return self._fields.exact(self._number(mask))

    def _number(self, value: bytes) -> int:
        return int.from_bytes(value[: self._size], "big") >> self._unused


class Encapsulated:
    """A key within a key: what is behind a tag."""

    usage = "KEY"

    def show(self, value: Attributes, mask: Attributes | None, style: Style) -> str:
        """Ports are no part of it."""
        return show_key(value, mask or None, Style(style.verbose)) if value else ""

    def read(self, reader: Reader) -> tuple[Attributes, Attributes]:
        """A key and its mask."""
        with reader.deeper():
            return read_key(reader)

    def exact(self, mask: Attributes) -> bool:
        """Never: what is not there is not looked at."""
        return False


@dataclass(frozen=True)
class KeyForm:
    """An attribute: its name in the codec, its name in the text, and its form.

    nested: attributes are within, so that it is shown whatever the mask leaves out.
    """

    attribute: Name
    name: str
    form: Form
    nested: bool = False

    @property
    def usage(self) -> str:
        """How it is written."""
        return f"{self.name}({self.form.usage})"

    def show(self, value: Any, mask: Any, style: Style) -> str:
        """Its text, with its name."""
        return f"{self.name}({self.form.show(value, mask, style)})"


_PORTS = (Field("src", DECIMAL_16), Field("dst", DECIMAL_16))

FORMS: tuple[KeyForm, ...] = (
    KeyForm("encap", "encap", Encapsulated(), nested=True),
    KeyForm("priority", "skb_priority", HEX_32),
    KeyForm("in_port", "in_port", Port()),
    KeyForm("ethernet", "eth", Fields(kernel.Ethernet, Field("src", MAC), Field("dst", MAC))),
    KeyForm("vlan", "vlan", TAG),
    KeyForm("ethertype", "eth_type", EtherType()),
    KeyForm(
        "ipv4",
        "ipv4",
        Fields(
            kernel.Ipv4,
            Field("src", IPV4),
            Field("dst", IPV4),
            Field("proto", DECIMAL_8, "protocol"),
            Field("tos", HEX_8),
            Field("ttl", DECIMAL_8),
            Field("frag", _FRAGMENT, "fragment", wildcarded=False),
        ),
    ),
    KeyForm(
        "ipv6",
        "ipv6",
        Fields(
            kernel.Ipv6,
            Field("src", IPV6),
            Field("dst", IPV6),
            Field("label", Integer(20, HEX_32.value)),
            Field("proto", DECIMAL_8, "protocol"),
            Field("tclass", HEX_8, "traffic_class"),
            Field("hlimit", DECIMAL_8, "hop_limit"),
            Field("frag", _FRAGMENT, "fragment", wildcarded=False),
        ),
    ),
    KeyForm("tcp", "tcp", Fields(kernel.Tcp, *_PORTS)),
    KeyForm("udp", "udp", Fields(kernel.Udp, *_PORTS)),
    KeyForm(
        "icmp", "icmp", Fields(kernel.Icmp, Field("type", DECIMAL_8), Field("code", DECIMAL_8))
    ),
    KeyForm(
        "icmpv6",
        "icmpv6",
        Fields(kernel.Icmpv6, Field("type", DECIMAL_8), Field("code", DECIMAL_8)),
    ),
    KeyForm(
        "arp",
        "arp",
        Fields(
            kernel.Arp,
            Field("sip", IPV4, "sender_ip"),
            Field("tip", IPV4, "target_ip"),
            Field("op", DECIMAL_16, "operation"),
            Field("sha", MAC, "sender_mac"),
            Field("tha", MAC, "target_mac"),
        ),
    ),
    KeyForm(
        "nd",
        "nd",
        Fields(
            kernel.NeighbourDiscovery,
            Field("target", IPV6),
            Field("sll", MAC, "source_link"),
            Field("tll", MAC, "target_link"),
        ),
    ),
    KeyForm("skb_mark", "skb_mark", HEX_32),
    KeyForm("tunnel", "tunnel", TUNNEL, nested=True),
    KeyForm("sctp", "sctp", Fields(kernel.Sctp, *_PORTS)),
    KeyForm("tcp_flags", "tcp_flags", Flags(16, _TCP_FLAGS, significant=0xFFF)),
    KeyForm("dp_hash", "dp_hash", HEX_32),
    KeyForm("recirc_id", "recirc_id", HEX_32),
    KeyForm("mpls", "mpls", MPLS),
    KeyForm("ct_state", "ct_state", Flags(32, _CT_STATE, numeric=True)),
    KeyForm("ct_zone", "ct_zone", HEX_16),
    KeyForm("ct_mark", "ct_mark", HEX_32),
    KeyForm("ct_labels", "ct_label", NativeBytes(16)),
    KeyForm(
        "ct_tuple_ipv4",
        "ct_tuple4",
        Fields(
            kernel.ConnectionIpv4,
            Field("src", IPV4),
            Field("dst", IPV4),
            Field("proto", DECIMAL_8, "protocol"),
            Field("tp_src", DECIMAL_16, "src_port"),
            Field("tp_dst", DECIMAL_16, "dst_port"),
        ),
    ),
    KeyForm(
        "ct_tuple_ipv6",
        "ct_tuple6",
        Fields(
            kernel.ConnectionIpv6,
            Field("src", IPV6),
            Field("dst", IPV6),
            Field("proto", DECIMAL_8, "protocol"),
            # ovs-dpctl shows these names and reads the others.
            Field("src_port", DECIMAL_16, also=("tp_src",)),
            Field("dst_port", DECIMAL_16, also=("tp_dst",)),
        ),
    ),
    KeyForm("nsh", "nsh", NSH, nested=True),
    KeyForm(
        "packet_type",
        "packet_type",
        Fields(None, Field("ns", DECIMAL_16, shift=16), Field("id", HEX_16)),
    ),
    KeyForm("nd_extensions", "nd_ext", Extensions()),
    KeyForm("tunnel_info", "tunnel_info", _BYTES),
    # ovs-dpctl does not know it, so it shows the bytes.
    KeyForm("ipv6_extensions", "key32", NativeNumber(2, Bytes(" ", size=2))),
)
"""Every attribute of OVS_KEY_ATTR, in the order of its numbers."""

_BY_NAME = {each.name: each for each in FORMS}
BY_ATTRIBUTE = {each.attribute: each for each in FORMS}


def show_key(key: Attributes, mask: Attributes | None, style: Style) -> str:
    """A key's text under its mask; None: without a mask, so that all of it counts.

    What the mask has and the key has not can't be written, but for `eth_type`.
    """
    shown = []
    for name, value in key:
        form = BY_ATTRIBUTE[name]
        under = None if mask is None else mask.get(name)
        left_out = mask is not None and (under is None or is_zero(under))
        if style.verbose or not left_out or form.nested:
            if mask is not None and under is None:
                under = zeros(value)
            shown.append(form.show(value, under, style))
        elif name == "ethernet" and "packet_type" not in key:
            shown.append("eth()")  # it is a frame, whatever its addresses
    if mask is not None and "ethertype" in mask and "ethertype" not in key:
        shown.append(f"eth_type(0/0x{mask['ethertype']:04x})")
    return ",".join(shown) if len(key) else "<empty>"


def read_key(reader: Reader, stop: str = ")") -> tuple[Attributes, Attributes]:
    """Attributes up to a parenthesis, the text's end or `stop`: a key, and its mask."""
    key: dict[Name, Any] = {}
    mask: dict[Name, Any] = {}
    reader.take("<empty>")
    reader.blanks()
    while not reader.ended and not reader.sees(")") and not reader.sees(stop):
        start = reader.position
        form, value, under = read_attribute(reader)
        if form.attribute in mask:
            reader.fail(f"{form.name} only once", start)
        if value is not None:
            key[form.attribute] = value
        mask[form.attribute] = under
        if not reader.blanks() and not reader.sees(")"):
            reader.fail("a comma")
    return Attributes(key.items()), Attributes(mask.items())


def read_attribute(reader: Reader) -> tuple[KeyForm, Any, Any]:
    """Read one attribute: its form, its value and its mask."""
    start = reader.position
    name = reader.match(_NAME, _EXPECTED)
    form = _BY_NAME.get(name)
    if form is None:
        reader.fail(_EXPECTED, start)
    reader.need("(")
    value, mask = form.form.read(reader)
    reader.need(")")
    return form, value, mask


_EXPECTED = f"one of {', '.join(f'{name}()' for name in _BY_NAME)}"
