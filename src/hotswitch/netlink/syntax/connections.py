"""The form of the action `ct`: connection tracking, with address translation."""

from __future__ import annotations

import re
import socket
from typing import Any

from hotswitch.netlink.attributes import Attributes, Name
from hotswitch.netlink.syntax.byte_strings import NativeBytes
from hotswitch.netlink.syntax.form import Style
from hotswitch.netlink.syntax.numbers import DECIMAL_16, HEX_32, Integer
from hotswitch.netlink.syntax.options import Option, Options
from hotswitch.netlink.syntax.reader import Reader
from hotswitch.netlink.types import Masked

_TEXT = re.compile(r"[^\s,()]+")
_IPV4 = re.compile(r"[0-9]+(?:\.[0-9]+){3}")
_IPV6 = re.compile(r"[0-9a-fA-F:.]*")
_ATTRIBUTES = ("persistent", "hash", "random")


class WithMask:
    """A value that has a mask of its own; all bits count if none is written."""

    def __init__(self, inner: Any, *, always: bool = False) -> None:
        self._inner = inner
        self._always = always
        self.usage = f"{inner.usage}/{inner.usage}"

    def show(self, value: Masked, mask: None, style: Style) -> str:
        """The mask only if it leaves something out, or always."""
        if self._always:
            return "/".join(self._inner.show(each, None, style) for each in value)
        return str(self._inner.show(value.value, value.mask, style))

    def read(self, reader: Reader) -> tuple[Masked, None]:
        """The two."""
        with reader.with_masks(True):
            return Masked(*self._inner.read(reader)), None

    def exact(self, mask: None) -> bool:
        """There are no masks around it."""
        return True


class Text:
    """A word of at most so many bytes."""

    usage = "NAME"

    def __init__(self, most: int) -> None:
        self._most = most

    def show(self, value: str, mask: None, style: Style) -> str:
        """As it is."""
        return value

    def read(self, reader: Reader) -> tuple[str, None]:
        """The word."""
        start = reader.position
        expected = f"a name of at most {self._most} bytes"
        value = reader.match(_TEXT, expected)
        if len(value.encode(errors="surrogateescape")) > self._most:
            reader.fail(expected, start)
        return value, None

    def exact(self, mask: None) -> bool:
        """There are no masks."""
        return True


class Translation:
    """What is translated, and to which addresses and ports."""

    usage = "src|dst=A-A:N-N,persistent,hash|random"

    def show(self, value: Attributes, mask: None, style: Style) -> str:
        """Nothing if all is left to the kernel."""
        parts = [name for name in ("src", "dst") if name in value]
        text = self._range(value)
        if text:
            parts[-1:] = [f"{parts[-1] if parts else ''}={text}"]
        return ",".join([*parts, *(word for word in _ATTRIBUTES if word in value)])

    def _range(self, value: Attributes) -> str:
        addresses = [value.get("ip_minimum"), value.get("ip_maximum")]
        ports = [value.get("port_minimum"), value.get("port_maximum")]
        inside = any(each is not None for each in ports)
        text = "-".join(_address(each, inside) for each in addresses if each)
        return text + ":" * inside + "-".join(str(each) for each in ports if each is not None)

    def read(self, reader: Reader) -> tuple[Attributes, None]:
        """Its attributes."""
        found: dict[Name, Any] = {}
        while not reader.sees(")"):
            start = reader.position
            words = ("src", "dst", *_ATTRIBUTES)
            word = next((each for each in words if reader.take(each)), None)
            if word is None or word in found:
                reader.fail(
                    f"one of {', '.join(each for each in words if each not in found)}", start
                )
            found[word] = True
            if word in ("src", "dst"):
                if len({"src", "dst"} & set(found)) == 2:
                    reader.fail("only one of src and dst", start)
                if reader.take("="):
                    found |= _read_range(reader)
            if not reader.take(","):
                break
        return Attributes(found.items()), None

    def exact(self, mask: None) -> bool:
        """There are no masks."""
        return True


def _address(packed: bytes, inside: bool) -> str:
    if len(packed) not in (4, 16):
        return packed.hex()
    text = socket.inet_ntop(socket.AF_INET6 if len(packed) == 16 else socket.AF_INET, packed)
    return f"[{text}]" if len(packed) == 16 and inside else text


def _read_range(reader: Reader) -> dict[Name, Any]:
    found: dict[Name, Any] = {}
    start = reader.position
    found["ip_minimum"] = _read_address(reader)
    if reader.take("-"):
        found["ip_maximum"] = _read_address(reader)
        if len(found["ip_maximum"]) != len(found["ip_minimum"]):
            reader.fail("two addresses of one kind", start)
        if found["ip_maximum"] < found["ip_minimum"]:
            reader.fail("the lower address first", start)
    if reader.take(":"):
        start = reader.position
        found["port_minimum"] = reader.number(0xFFFF)
        if reader.take("-"):
            found["port_maximum"] = reader.number(0xFFFF)
            if found["port_maximum"] < found["port_minimum"]:
                reader.fail("the lower port first", start)
    return found


def _read_address(reader: Reader) -> bytes:
    start = reader.position
    expected = "an address like 10.0.0.1, fd00::1, or before ports [fd00::1],"
    bracket = reader.take("[")
    try:
        if not bracket and _IPV4.match(reader.text, start):
            return socket.inet_pton(socket.AF_INET, reader.match(_IPV4, expected))
        packed = socket.inet_pton(socket.AF_INET6, reader.match(_IPV6, expected))
    except OSError:
        reader.fail(expected, start)
    if bracket:
        reader.need("]")
    return packed


class Connections(Options):
    """The parts of `ct`; a zone of 0 is not written."""

    def show(self, value: Attributes, mask: Attributes | None, style: Style) -> str:
        """The parts."""
        said = Attributes(pair for pair in value if pair != ("zone", 0))
        return super().show(said, mask, style)


CT = Connections(
    Option("commit", "commit"),
    Option("force_commit", "force_commit"),
    Option("zone", "zone", DECIMAL_16),
    Option("mark", "mark", WithMask(HEX_32, always=True)),
    Option("labels", "label", WithMask(NativeBytes(16))),
    Option("helper", "helper", Text(15)),
    Option("timeout", "timeout", Text(31)),
    Option("nat", "nat", Translation(), inside=True, bare=True),
    Option("events", "events", Integer(32, "0x{:x}".format)),
)
