"""Forms of what is outside of a tunnelled packet."""

from __future__ import annotations

import sys

from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.syntax.addresses import IPV4, IPV6
from hotswitch.netlink.syntax.byte_strings import Bytes
from hotswitch.netlink.syntax.fields import Field, Fields
from hotswitch.netlink.syntax.flag_words import Flags
from hotswitch.netlink.syntax.form import Style, c_hex, zeros
from hotswitch.netlink.syntax.numbers import DECIMAL_8, DECIMAL_16, HEX_8, HEX_16, HEX_32, Integer
from hotswitch.netlink.syntax.options import Option, Options
from hotswitch.netlink.syntax.reader import Reader

_HEXADECIMAL = Bytes(prefix="0x")
_FULL_LENGTH = 0x1F
_OPTION = 4
_LARGEST = 252
_KEY = 8

_FLAGS = {1: "oam", 2: "df", 4: "csum", _KEY: "key"}
"""Bits of FLOW_TNL_F_* (include/openvswitch/packets.h): they only are in the text."""

_ATTRIBUTES = {1: "oam", 2: "dont_fragment", 4: "checksum"}


class Geneve:
    """Geneve's options (RFC 8926 section 3.5): {class,type,len,data} after one another.

    len is in bytes. Bytes that are no options are written as a number.
    """

    usage = "{class=0xN,type=0xN,len=N,0xHEX}"

    def show(self, value: bytes, mask: bytes | None, style: Style) -> str:
        """Under a mask, each part with its own."""
        if mask is not None and len(mask) != len(value):
            return _HEXADECIMAL.show(value, None, style)
        shown = ""
        position = 0
        while position < len(value):
            length = 4 * (value[position + 3] & _FULL_LENGTH) if position + 4 <= len(value) else -1
            end = position + _OPTION + length
            if length < 0 or end > len(value) or value[position + 3] & ~_FULL_LENGTH:
                return _HEXADECIMAL.show(value, mask, style)
            under = None if mask is None else mask[position:end]
            shown += f"{{{','.join(self._parts(value[position:end], under, style))}}}"
            position = end
        return shown

    def _parts(self, option: bytes, mask: bytes | None, style: Style) -> list[str]:
        parts = []
        length = len(option) - _OPTION
        heads = (
            ("class", HEX_16, option[:2], None if mask is None else mask[:2]),
            ("type", HEX_8, option[2:3], None if mask is None else mask[2:3]),
        )
        for name, form, value, under in heads:
            looked_at = None if under is None else int.from_bytes(under, "big")
            if style.verbose or looked_at != 0:
                text = form.show(int.from_bytes(value, "big"), looked_at, style)
                parts.append(f"{name}={text}")
        bits = _FULL_LENGTH if mask is None else mask[3] & _FULL_LENGTH
        if style.verbose or bits:
            parts.append(f"len={length}" + ("" if bits == _FULL_LENGTH else f"/{c_hex(bits)}"))
        data, under = option[_OPTION:], None if mask is None else mask[_OPTION:]
        if data and (style.verbose or under is None or any(under)):
            number = Integer(8 * len(data), c_hex)
            looked_at = None if under is None else int.from_bytes(under, "big")
            parts.append(number.show(int.from_bytes(data, "big"), looked_at, style))
        return parts

    def read(self, reader: Reader) -> tuple[bytes, bytes]:
        """Options, or bytes."""
        if not reader.sees("{"):
            if reader.sees(")"):
                return b"", b""
            return _HEXADECIMAL.read(reader)
        values, masks = b"", b""
        while reader.take("{"):
            start = reader.position
            value, mask = self._option(reader)
            values += value
            masks += mask
            if len(values) > _LARGEST:
                reader.fail(f"no more than {_LARGEST} bytes of options", start)
        return values, masks

    def _option(self, reader: Reader) -> tuple[bytes, bytes]:
        values = {"class": (0, 0), "type": (0, 0), "len": (0, 0)}
        for name, form in (("class", HEX_16), ("type", HEX_8), ("len", DECIMAL_8)):
            start = reader.position
            if reader.take(f"{name}="):
                values[name] = form.read(reader)
                if name == "len" and (values[name][0] % 4 or values[name][0] > 4 * _FULL_LENGTH):
                    reader.fail("a multiple of 4 up to 124", start)
                reader.take(",")
        length, looked_at = values["len"]
        data, under = bytes(length), bytes(length)
        if not reader.sees("}"):
            found = Integer(8 * length).read(reader)
            data, under = (each.to_bytes(length, "big") for each in found)
        reader.need("}")
        return (
            _option(values["class"][0], values["type"][0], length // 4) + data,
            _option(values["class"][1], values["type"][1], looked_at & _FULL_LENGTH) + under,
        )

    def exact(self, mask: bytes) -> bool:
        """Whether all is looked at."""
        return _HEXADECIMAL.exact(mask)


def _option(kind: int, type: int, length: int) -> bytes:
    return kind.to_bytes(2, "big") + bytes((type, length))


class Erspan:
    """ERSPAN's metadata (struct erspan_metadata): version 1 has an index, version 2 a direction
    and a hardware identifier. What else there is, is written as bytes."""

    usage = "ver=1,idx=0xN or ver=2,dir=N,hwid=0xN"

    _size = 12
    _direction = Integer(1)
    _hardware = Integer(6, HEX_8.value)

    def show(self, value: bytes, mask: bytes | None, style: Style) -> str:
        """By version."""
        version = int.from_bytes(value[:4], sys.byteorder)
        if len(value) != self._size or self._again(value) != value:
            return _HEXADECIMAL.show(value, mask, style)
        if mask is not None and len(mask) != self._size:
            mask = zeros(value)
        under = None if mask is None else int.from_bytes(mask[:4], sys.byteorder) & 0xFF
        parts = []
        if under != 0 or style.verbose:
            parts.append(f"ver={DECIMAL_8.show(version, under, style)}")
        if version == 1:
            index = HEX_32.value(int.from_bytes(value[4:8], "big"))
            more = "" if mask is None else f"/{HEX_32.mask(int.from_bytes(mask[4:8], 'big'))}"
            return ",".join([*parts, f"idx={index}{more}"])
        for name, form, bits in (
            ("dir", self._direction, _direction),
            ("hwid", self._hardware, _hardware),
        ):
            looked_at = None if mask is None else bits(mask)
            if looked_at != 0 or style.verbose:
                more = "" if looked_at is None else f"/{form.mask(looked_at)}"
                parts.append(f"{name}={form.value(bits(value))}{more}")
        return ",".join(parts)

    def read(self, reader: Reader) -> tuple[bytes, bytes]:
        """Metadata and its mask."""
        if reader.sees("0x"):
            return _HEXADECIMAL.read(reader)
        reader.need("ver=")
        start = reader.position
        version, under = DECIMAL_8.read(reader)
        if version == 1:
            index, indexed = (0, 0)
            if reader.take(",idx="):
                index, indexed = HEX_32.read(reader)
            return _first(version, index), _first(under, indexed)
        if version != 2:
            reader.fail("1 or 2", start)
        direction, hardware = (0, 0), (0, 0)
        if reader.take(",dir="):
            direction = self._direction.read(reader)
        if reader.take(",hwid="):
            hardware = self._hardware.read(reader)
        return (
            _second(version, direction[0], hardware[0]),
            _second(under, direction[1], hardware[1]),
        )

    def exact(self, mask: bytes) -> bool:
        """Whether all is looked at."""
        return _HEXADECIMAL.exact(mask)

    @staticmethod
    def _again(value: bytes) -> bytes:
        version = int.from_bytes(value[:4], sys.byteorder)
        if version == 1:
            return _first(version, int.from_bytes(value[4:8], "big"))
        if version == 2:
            return _second(version, _direction(value), _hardware(value))
        return b""


def _first(version: int, index: int) -> bytes:
    return version.to_bytes(4, sys.byteorder) + index.to_bytes(4, "big") + bytes(4)


def _second(version: int, direction: int, hardware: int) -> bytes:
    """struct erspan_md2: the hardware identifier's two upper bits are in another byte."""
    last = bytes((hardware >> 4, (hardware & 0xF) << 4 | direction << 3))
    return version.to_bytes(4, sys.byteorder) + bytes(6) + last


def _direction(value: bytes) -> int:
    return value[11] >> 3 & 1


def _hardware(value: bytes) -> int:
    return value[11] >> 4 | (value[10] & 3) << 4


class Tunnel:
    """The key of a tunnel. Its flags are attributes too; `key` only says that there is an id."""

    _options = Options(
        Option("id", "tun_id", Integer(64, "0x{:x}".format)),
        Option("ipv4_src", "src", IPV4),
        Option("ipv4_dst", "dst", IPV4),
        Option("ipv6_src", "ipv6_src", IPV6),
        Option("ipv6_dst", "ipv6_dst", IPV6),
        Option("tos", "tos", HEX_8),
        Option("ttl", "ttl", DECIMAL_8),
        Option("src_port", "tp_src", DECIMAL_16),
        Option("dst_port", "tp_dst", DECIMAL_16),
        Option(
            "vxlan_options",
            "vxlan",
            Options(
                Option(
                    "gbp",
                    "gbp",
                    Fields(None, Field("id", DECIMAL_16), Field("flags", HEX_8, shift=16)),
                    inside=True,
                )
            ),
            inside=True,
        ),
        Option("geneve_options", "geneve", Geneve(), inside=True),
        Option("erspan_options", "erspan", Erspan(), inside=True),
        Option("ipv4_info_bridge", "ipv4_info_bridge"),
        Option("flags", "flags", Flags(4, _FLAGS), inside=True),
        as_given=True,
    )
    usage = _options.usage

    def show(self, value: Attributes, mask: Attributes | None, style: Style) -> str:
        """The flags last."""
        shown = self._options.show(value, mask, style)
        looked_at = None
        if mask is not None:
            looked_at = _flags(mask) & ~_KEY | _KEY * ("id" in value)
        if looked_at != 0 or style.verbose:
            flags = _FLAG_FORM.show(_flags(value), looked_at, style)
            shown += f"{',' if shown else ''}flags({flags})"
        return shown

    def read(self, reader: Reader) -> tuple[Attributes, Attributes]:
        """The attributes and their masks."""
        start = reader.position
        values, masks = self._options.read(reader)
        flags, looked_at = values.get("flags", 0), masks.get("flags", 0)
        if flags & _KEY and "id" not in values:
            reader.fail("tun_id=, as the flags have key,", start)
        return _without_flags(values) + _named(flags), _without_flags(masks) + _named(looked_at)

    def exact(self, mask: Attributes) -> bool:
        """Never: what is not there is not looked at."""
        return False


_FLAG_FORM = Flags(4, _FLAGS)


def _flags(attributes: Attributes) -> int:
    named = sum(bit for bit, name in _ATTRIBUTES.items() if name in attributes)
    return named | _KEY * ("id" in attributes)


def _named(flags: int) -> Attributes:
    return Attributes((name, True) for bit, name in _ATTRIBUTES.items() if flags & bit)


def _without_flags(attributes: Attributes) -> Attributes:
    return Attributes(pair for pair in attributes if pair[0] != "flags")


TUNNEL = Tunnel()
