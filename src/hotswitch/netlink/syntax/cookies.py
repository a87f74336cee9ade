"""What Open vSwitch's daemon writes into the user data of its userspace actions, and how
ovs-dpctl shows that (lib/odp-util.h, struct user_action_cookie; lib/odp-util.c).

ovs-dpctl does not show of which bridge and OpenFlow port a cookie is. Here they are shown, unless
they are what it takes them for in a text without them, as another cookie is no good to the daemon.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hotswitch.netlink import ufid
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.families.keys import TAG_PRESENT
from hotswitch.netlink.syntax.fields import Field
from hotswitch.netlink.syntax.form import Style, c_hex
from hotswitch.netlink.syntax.numbers import DECIMAL_16, DECIMAL_32, HEX_64, Integer, Port
from hotswitch.netlink.syntax.reader import Reader
from hotswitch.netlink.types import BE16, BE64, U8, U16, U32, Number, Structure

_WORD = re.compile(r"[0-9A-Za-z_]+")
_UUID = re.compile(r"[0-9a-fA-F-]*")
_NO_PORT = 0xFFFF
"""OFPP_NONE."""


class Uuid:
    """A UUID of Open vSwitch: four numbers of the machine's byte order, here as one of 128 bits."""

    usage = "UUID"
    full = (1 << 128) - 1

    def show(self, value: int, mask: int | None, style: Style) -> str:
        """In groups of digits."""
        return ufid.show(value.to_bytes(16, "big"))

    def read(self, reader: Reader) -> tuple[int, int]:
        """One of 32 digits in groups."""
        start = reader.position
        try:
            value = ufid.read(reader.match(_UUID, self.usage))
        except NetlinkError:
            reader.fail("32 hexadecimal digits as 8-4-4-4-12", start)
        return int.from_bytes(value, "big"), self.full

    def exact(self, mask: int) -> bool:
        """There are no masks."""
        return True


@dataclass(frozen=True, eq=False)
class Words:
    """A member of which each bit, or each value, has a word.

    bits: several words, for bits; what has none is a number. Else one word, none for 0.
    """

    member: str
    words: Mapping[int, str]
    bits: bool = False

    @property
    def usage(self) -> str:
        """The words."""
        return ("," if self.bits else "|").join(self.words.values())

    def show(self, value: int) -> str:
        """Those of a value; nothing, if there are none to be said."""
        if not self.bits:
            return self.words.get(value, "")
        named = [word for bit, word in self.words.items() if value & bit]
        rest = value & ~sum(self.words)
        return ",".join(named + [c_hex(rest)] * bool(rest or not named))

    def read(self, word: str, before: int) -> int | None:
        """What one of them makes of the value before it; None: it is none of them."""
        found = next((number for number, each in self.words.items() if each == word), None)
        if found is None and self.bits and word[0].isdecimal():
            found = _number(word)
        if found is None or (before and not self.bits):
            return None
        return before | found


def _number(word: str) -> int | None:
    try:
        value = int(word, 0)
    except ValueError:
        return None
    return value if value <= 0xFFFFFFFF else None


def _as_it_is(value: Any) -> Any:
    return value


@dataclass(frozen=True, eq=False)
class Cookie:
    """User data of one kind, as the bytes of the structure.

    parts: as they are written, one after another. complete: adds what follows from the others.
    """

    type: int
    structure: Structure
    parts: tuple[Field | Words, ...]
    complete: Callable[[Any], Any] = _as_it_is

    @property
    def usage(self) -> str:
        """All parts but those that ovs-dpctl does not have."""
        return ",".join(
            each.usage if isinstance(each, Words) else f"{each.name}={each.form.usage}"
            for each in self.parts
            if each not in _OWN
        )

    def fits(self, data: bytes) -> bool:
        """Whether this user data is such a cookie, of which the text says everything."""
        if len(data) != self.structure.size:
            return False
        value = self._value(data)
        said = {
            each: getattr(value, each.member) if isinstance(each, Words) else each.of(value)
            for each in self.parts
        }
        silent = any(
            isinstance(each, Words) and not each.bits and number and not each.show(number)
            for each, number in said.items()
        )
        return value.type == self.type and not silent and self._data(said) == data

    def show(self, value: bytes, mask: None, style: Style) -> str:
        """Its parts."""
        whole = self._value(value)
        shown = []
        for each in self.parts:
            if isinstance(each, Words):
                shown.append(each.show(getattr(whole, each.member)))
            elif each.shown or each.of(whole) != each.default:
                shown.append(f"{each.name}={each.form.show(each.of(whole), None, style)}")
        return ",".join(filter(None, shown))

    def read(self, reader: Reader) -> tuple[bytes, None]:
        """Parts in any order, each once."""
        values: dict[Field | Words, int] = {}
        while not reader.sees(")"):
            self._read_part(reader, values)
            if not (reader.take(",") or reader.take("|")):  # ovs-dpctl shows "," and reads "|"
                break
        for each in self.parts:
            values.setdefault(each, 0 if isinstance(each, Words) else each.default)
        return self._data(values), None

    def exact(self, mask: None) -> bool:
        """There are no masks."""
        return True

    def _read_part(self, reader: Reader, values: dict[Field | Words, int]) -> None:
        start = reader.position
        word = reader.match(_WORD, self.usage)
        for each in self.parts:
            if isinstance(each, Field):
                if each.name == word and each not in values and reader.take("="):
                    values[each], _ = each.form.read(reader)
                    return
            elif (found := each.read(word, values.get(each, 0))) is not None:
                values[each] = found
                return
        reader.fail(self.usage, start)

    def _value(self, data: bytes) -> Any:
        return self.structure.decode(data, 0, len(data), 0)

    def _data(self, parts: Mapping[Field | Words, int]) -> bytes:
        members = dict.fromkeys(self.structure.members, 0) | {"type": self.type}
        for each, value in parts.items():
            if isinstance(each, Words):
                members[each.member] = value
            else:
                members[each.member or each.name] |= value << each.shift
        return self.structure.encode(self.complete(self.structure.value(**members)), 0)


def _structure(kind: str, **members: Number) -> Structure:
    """The whole structure with this kind's part of the union, 48 bytes."""
    size = sum(each.size for each in members.values())
    rest = {"rest": Number(24 - size, big_endian=True)} if size < 24 else {}
    return Structure(
        f"user_action_cookie_{kind}",
        type=U16,
        unused=U16,
        ofp_in_port=U32,
        ofproto_uuid=Number(16, big_endian=True),
        **members,
        **rest,
    )


def _with_tag(value: Any) -> Any:
    """A tag that says anything is one."""
    return value._replace(vlan_tci=value.vlan_tci | TAG_PRESENT) if value.vlan_tci else value


_OWN = (
    Field("ofp_in_port", DECIMAL_32, default=_NO_PORT, shown=False),
    Field("ofproto_uuid", Uuid(), shown=False),
)
_FLAG = Integer(1)
_OUTPUT_PORT = Field("output_port", Port())

SFLOW = Cookie(
    1,
    _structure("sflow", vlan_tci=BE16, gap=U16, output=U32),
    (
        Field("vid", Integer(12), "vlan_tci"),
        Field("pcp", Integer(3), "vlan_tci", 13),
        Field("output", DECIMAL_32),
        *_OWN,
    ),
    _with_tag,
)
SLOW_PATH = Cookie(
    2,
    _structure("slow_path", gap=U32, reason=U32),
    (
        Words(
            "reason",
            {
                1 << place: word
                for place, word in enumerate(
                    ("cfm", "bfd", "lacp", "stp", "lldp", "action", "match")
                )
            },
            bits=True,
        ),
        *_OWN,
    ),
)
FLOW_SAMPLE = Cookie(
    3,
    _structure(
        "flow_sample",
        probability=U16,
        gap=U16,
        collector_set_id=U32,
        obs_domain_id=U32,
        obs_point_id=U32,
        output_port=U32,
        direction=U32,
    ),
    (
        Field("probability", DECIMAL_16),
        Field("collector_set_id", DECIMAL_32),
        Field("obs_domain_id", DECIMAL_32),
        Field("obs_point_id", DECIMAL_32),
        _OUTPUT_PORT,
        Words("direction", {1: "ingress", 2: "egress"}),
        *_OWN,
    ),
)
IPFIX = Cookie(4, _structure("ipfix", output_port=U32), (_OUTPUT_PORT, *_OWN))
CONTROLLER = Cookie(
    5,
    _structure(
        "controller",
        dont_send=U8,
        continuation=U8,
        reason=U16,
        recirc_id=U32,
        rule_cookie=BE64,
        controller_id=U16,
        max_len=U16,
    ),
    (
        Field("reason", DECIMAL_16),
        Field("dont_send", _FLAG),
        Field("continuation", _FLAG),
        Field("recirc_id", DECIMAL_32),
        Field("rule_cookie", HEX_64),
        Field("controller_id", DECIMAL_16),
        Field("max_len", DECIMAL_16),
        *_OWN,
    ),
)

COOKIES: Mapping[str, Cookie] = {
    "sFlow": SFLOW,
    "slow_path": SLOW_PATH,
    "flow_sample": FLOW_SAMPLE,
    "ipfix": IPFIX,
    "controller": CONTROLLER,
}
"""By the name in the text (USER_ACTION_COOKIE_*)."""
