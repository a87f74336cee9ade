"""How actions are written: the table, and what reads and shows by it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from hotswitch.netlink.attributes import NONE, Attributes, Name
from hotswitch.netlink.families import actions as kernel
from hotswitch.netlink.families.actions import ALWAYS
from hotswitch.netlink.families.keys import Ethernet
from hotswitch.netlink.syntax.addresses import MAC
from hotswitch.netlink.syntax.byte_strings import Bytes
from hotswitch.netlink.syntax.connections import CT
from hotswitch.netlink.syntax.cookies import COOKIES
from hotswitch.netlink.syntax.fields import Field, Fields
from hotswitch.netlink.syntax.form import Form, Style
from hotswitch.netlink.syntax.keys import BY_ATTRIBUTE, read_attribute
from hotswitch.netlink.syntax.nsh import PUSHED
from hotswitch.netlink.syntax.numbers import DECIMAL_16, DECIMAL_32, HEX_16, HEX_32, Integer, Port
from hotswitch.netlink.syntax.options import Option, Options
from hotswitch.netlink.syntax.reader import Reader
from hotswitch.netlink.syntax.vlans import LABEL, PRESENT, PRIORITY, VID
from hotswitch.netlink.types import Masked

_WORD = re.compile(r"[^\s,()/]+")
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+")
_PERCENT = re.compile(r"[0-9]+(?:\.[0-9]+)?(?=%)")
_DROP = "drop"


class ActionList:
    """Actions within an action; none are written `drop`."""

    usage = "ACTIONS"

    def show(self, value: Attributes, mask: None, style: Style) -> str:
        """The actions."""
        return show_actions(value, style)

    def read(self, reader: Reader) -> tuple[Attributes, None]:
        """The actions, up to the parenthesis."""
        with reader.deeper():
            return read_list(reader), None

    def exact(self, mask: None) -> bool:
        """There are no masks."""
        return True


class Probability:
    """A part of 0xffffffff, in percent: with one decimal, or with as many as it needs."""

    usage = "N%"

    def show(self, value: int, mask: None, style: Style) -> str:
        """The fewest decimals that give the same number again."""
        percent = 100 * value / ALWAYS
        for decimals in range(1, 16):
            text = f"{percent:.{decimals}f}"
            if _part(text) == value:
                break
        return f"{text}%"

    def read(self, reader: Reader) -> tuple[int, None]:
        """The number."""
        start = reader.position
        text = reader.match(_PERCENT, "a percentage, as 12.5%,")
        reader.need("%")
        if float(text) > 100:
            reader.fail("a percentage of at most 100", start)
        return _part(text), None

    def exact(self, mask: None) -> bool:
        """There are no masks."""
        return True


def _part(percent: str) -> int:
    return math.floor(ALWAYS * (float(percent) / 100) + 0.5)


class PushNsh:
    """An NSH header, which is within a key."""

    usage = PUSHED.usage

    def show(self, value: Attributes, mask: None, style: Style) -> str:
        """The header's parts."""
        return PUSHED.show(value["nsh"], None, style) if "nsh" in value else ""

    def read(self, reader: Reader) -> tuple[Attributes, None]:
        """The header, with what is usual where nothing is written."""
        return Attributes(nsh=PUSHED.read(reader)[0]), None

    def exact(self, mask: None) -> bool:
        """There are no masks."""
        return True


class Hash:
    """The way to compute a hash, and the number to begin with."""

    usage = "l4(N)"
    _ways = ("l4", "sym_l4")

    def show(self, value: Any, mask: None, style: Style) -> str:
        """The way by name, if it has one."""
        known = value.algorithm < len(self._ways)
        way = self._ways[value.algorithm] if known else str(value.algorithm)
        return f"{way}({value.basis})"

    def read(self, reader: Reader) -> tuple[Any, None]:
        """The two numbers."""
        algorithm = next((n for n, way in enumerate(self._ways) if reader.take(way)), None)
        if algorithm is None:
            if not reader.text[reader.position : reader.position + 1].isdecimal():
                reader.fail(f"one of {', '.join(self._ways)}")
            algorithm = reader.number(0xFFFFFFFF)
        reader.need("(")
        basis = reader.number(0xFFFFFFFF)
        reader.need(")")
        return kernel.Hash.value(algorithm=algorithm, basis=basis), None

    def exact(self, mask: None) -> bool:
        """There are no masks."""
        return True


@dataclass(frozen=True)
class ActionForm:
    """An action: its name in the codec, its name in the text, and the form of what is in its
    parentheses; None: it has none.

    bare: it has none if it has nothing to say.
    """

    attribute: Name
    name: str
    form: Form | None = None
    bare: bool = False

    @property
    def usage(self) -> str:
        """How it is written."""
        return f"{self.name}({self.form.usage})" if self.form else self.name


_TPID = Field("tpid", Integer(16, "0x{:04x}".format), default=0x8100, shown=False)
_ETH_TYPE = Field("eth_type", Integer(16, "0x{:x}".format), "ethertype")

FORMS: tuple[ActionForm, ...] = (
    ActionForm(
        "userspace",
        "userspace",
        Options(
            Option("pid", "pid", DECIMAL_32, needed=True),
            *(
                Option("userdata", name, form, inside=True, fits=form.fits)
                for name, form in COOKIES.items()
            ),
            Option("userdata", "userdata", Bytes(), inside=True),
            Option("actions", "actions"),
            Option("egress_port", "tunnel_out_port", Port()),
        ),
    ),
    ActionForm("push_vlan", "push_vlan", Fields(kernel.PushVlan, _TPID, VID, PRIORITY, PRESENT)),
    ActionForm("pop_vlan", "pop_vlan"),
    ActionForm(
        "sample",
        "sample",
        Options(
            Option("probability", "sample", Probability(), needed=True),
            Option("actions", "actions", ActionList(), inside=True, needed=True),
        ),
    ),
    ActionForm("recirc", "recirc", HEX_32),
    ActionForm("hash", "hash", Hash()),
    ActionForm("push_mpls", "push_mpls", Fields(kernel.PushMpls, *LABEL, _ETH_TYPE)),
    ActionForm("pop_mpls", "pop_mpls", Fields(None, _ETH_TYPE)),
    ActionForm("ct", "ct", CT, bare=True),
    ActionForm("trunc", "trunc", DECIMAL_32),
    ActionForm("push_eth", "push_eth", Fields(Ethernet, Field("src", MAC), Field("dst", MAC))),
    ActionForm("pop_eth", "pop_eth"),
    ActionForm("ct_clear", "ct_clear"),
    ActionForm("push_nsh", "push_nsh", PushNsh()),
    ActionForm("pop_nsh", "pop_nsh"),
    ActionForm("meter", "meter", DECIMAL_32),
    ActionForm("clone", "clone", ActionList()),
    ActionForm(
        "check_pkt_len",
        "check_pkt_len",
        Options(
            Option("length", "size", DECIMAL_16, needed=True),
            Option("if_greater", "gt", ActionList(), inside=True, needed=True),
            Option("if_less_equal", "le", ActionList(), inside=True, needed=True),
        ),
    ),
    ActionForm(
        "add_mpls",
        "add_mpls",
        Fields(kernel.AddMpls, *LABEL, _ETH_TYPE, Field("flags", HEX_16, shown=False)),
    ),
    ActionForm(
        "dec_ttl",
        "dec_ttl",
        Options(Option("actions", "le_1", ActionList(), inside=True, needed=True)),
    ),
    ActionForm("drop", _DROP, DECIMAL_32),
    ActionForm(
        "psample",
        "psample",
        Options(
            Option("group", "group", DECIMAL_32, needed=True),
            Option("cookie", "cookie", Bytes(prefix="0x")),
        ),
    ),
)
"""Every attribute of OVS_ACTION_ATTR, but for output and the two kinds of set."""

_BY_NAME = {each.name: each for each in FORMS}
_BY_ATTRIBUTE = {each.attribute: each for each in FORMS}
_PORT = Port()
_EXPECTED = f"a port or one of {', '.join((*_BY_NAME, 'set'))}"


def show_actions(actions: Attributes, style: Style) -> str:
    """The text of actions; `drop` if there are none."""
    return ",".join(_show(name, value, style) for name, value in actions) or _DROP


def _show(name: Name, value: Any, style: Style) -> str:
    if name == "output":
        text = _PORT.show(value, None, style)
        return str(value) if text in _BY_NAME else text
    if name in ("set", "set_masked"):
        return f"set({','.join(_show_set(each, of, style) for each, of in value)})"
    form = _BY_ATTRIBUTE[name]
    if form.form is None:
        return f"{form.name}()" if name == "pop_nsh" else form.name
    text = form.form.show(value, None, style)
    return f"{form.name}({text})" if text or not form.bare else form.name


def _show_set(name: Name, value: Any, style: Style) -> str:
    form = BY_ATTRIBUTE[name]
    value, mask = _split(value)
    return form.show(value, mask, Style(verbose=mask is None, ports=style.ports))


def _split(value: Any) -> tuple[Any, Any]:
    """Value and mask of what `set_masked` has; None: there is no mask."""
    if isinstance(value, Masked):
        return value
    if not isinstance(value, Attributes):
        return value, None
    split = [(name, *_split(each)) for name, each in value]
    if not any(mask is not None for _, _, mask in split):
        return value, None
    return (
        Attributes((name, each) for name, each, _ in split),
        Attributes((name, mask) for name, _, mask in split if mask is not None),
    )


def _joined(value: Any, mask: Any) -> Any:
    if isinstance(value, Attributes):
        return Attributes((name, _joined(each, mask[name])) for name, each in value)
    return Masked(value, mask)


def read_list(reader: Reader) -> Attributes:
    """Actions up to a parenthesis or the text's end."""
    actions: list[tuple[Name, Any]] = []
    reader.blanks()
    start = reader.position
    if _takes_drop(reader):
        reader.blanks()
        if not reader.ended and not reader.sees(")"):
            reader.fail("drop alone, or other actions,", start)
        return NONE
    while not reader.ended and not reader.sees(")"):
        actions.append(_read(reader))
        if not reader.blanks() and not reader.sees(")"):
            reader.fail("a comma")
    return Attributes(actions)


def _takes_drop(reader: Reader) -> bool:
    start = reader.position
    if reader.take(_DROP) and (reader.ended or reader.text[reader.position] in ",) \t\r\n"):
        return True
    reader.position = start
    return False


def _read(reader: Reader) -> tuple[Name, Any]:
    start = reader.position
    word = reader.match(_WORD, _EXPECTED)
    if _NUMBER.fullmatch(word):
        reader.position = start
        return "output", reader.number(0xFFFFFFFF)
    if word == "set" and reader.take("("):
        return _read_set(reader)
    form = _BY_NAME.get(word)
    opened = reader.take("(")
    if form is None or (form.form is not None and not opened and not form.bare):
        if word not in reader.ports or opened:
            reader.fail(_EXPECTED if form is None else form.usage, start)
        return "output", reader.ports[word]
    if form.form is None:
        value: Any = True
    elif opened:
        value, _ = form.form.read(reader)
    else:
        value = NONE
    if opened:
        reader.need(")")
    return form.attribute, value


def _read_set(reader: Reader) -> tuple[Name, Any]:
    """Under masks only if some bits are left out. Of tunnels all is set."""
    with reader.with_masks(not reader.sees("tunnel(")):
        form, value, mask = read_attribute(reader)
    reader.need(")")
    if form.attribute == "tunnel" or form.form.exact(mask):
        return "set", Attributes([(form.attribute, value)])
    return "set_masked", Attributes([(form.attribute, _joined(value, mask))])
