"""Open vSwitch's ovs-dpctl shows the same text for the same flows, and takes it.

What it can't do right, it is not asked for; each such case says so.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hotswitch.headers.registry import Registry
from hotswitch.netlink.attributes import NONE, Attributes
from hotswitch.netlink.syntax import keys as key_forms
from hotswitch.netlink.syntax.actions import show_actions
from hotswitch.netlink.syntax.cookies import COOKIES, Cookie
from hotswitch.netlink.syntax.flow import read_actions, read_flow, show_flow, show_match
from hotswitch.netlink.syntax.form import PLAIN, Style
from hotswitch.netlink.types import Masked
from tests.netlink.syntax import values
from tests.netlink.syntax.parrot import Parrot
from tests.netlink.syntax.test_syntax import in_order

VERBOSE = Style(verbose=True)

few = settings(
    max_examples=2, suppress_health_check=list(HealthCheck), phases=[Phase.reuse, Phase.generate]
)
"""Each example has many flows, as a program is started for it; so none is made smaller."""

_UNKNOWN = {"tunnel_info", "ipv6_extensions"}
"""It takes the first for an error, and does not know the second."""

KEYS = [str(form.attribute) for form in key_forms.FORMS if form.attribute not in _UNKNOWN]

_TERSE = {"tunnel", "ct_zone", "ct_mark", "ct_labels", "nsh"}
"""Without a mask it leaves values out that count, unless it is to be verbose."""

_UNREADABLE = {
    # It shows `src_port` and reads `tp_src`.
    "ct_tuple_ipv6",
    # It does not read `ttl` here.
    "nsh",
    # It reads two numbers into the memory of one.
    "packet_type",
    # It reads masks of all bits for erspan, and some versions of geneve's length.
    "tunnel",
    # It puts what is within behind, not into it.
    "encap",
    # It does not read its padding.
    "nd_extensions",
    # It reads no masks.
    "recirc_id",
    # It does not read bits without a name.
    "ct_state",
}

_COOKIE = 48
"""Bytes of user data that it takes for its daemon's, see below."""

_NO_PORT = ("egress_port", 0xFFFFFFFF)

_UNSHOWN = {"dec_ttl", "drop", "psample"}
"""Actions that have other numbers in its version, or none."""

_UNREAD = {
    # Decimal numbers only, and it shows hexadecimal ones.
    "recirc",
    # It has no way to write them.
    *("hash", "push_mpls", "pop_mpls"),
    # It wants a type that is not shown, and looks for it only behind userspace().
    *("push_eth", "pop_eth"),
    # `drop` for no actions is an action of its own to it.
    *("sample", "clone", "check_pkt_len"),
}


@pytest.fixture(scope="module")
def parrot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parrot]:
    from hotswitch.headers.standard import BUILT_IN

    with Parrot(Registry(BUILT_IN), tmp_path_factory.mktemp("parrot")) as running:
        yield running


def many(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(strategy, min_size=8, max_size=8)


def _sayable(name: str, key: Attributes, mask: Attributes) -> bool:
    """Whether it shows all that there is to it."""
    if name == "nsh":
        # Without a context of type 1 it shows one nevertheless; it never shows one of type 2.
        return key["nsh"]["base"].md_type == 1 and "md1" in key["nsh"]
    return True


@pytest.mark.parametrize("name", KEYS)
@few
@given(data=st.data())
def test_keys_are_shown_alike(parrot: Parrot, name: str, data: st.DataObject) -> None:
    pairs = [pair for pair in data.draw(many(values.key_of(name))) if _sayable(name, *pair)]
    if name == "nd_extensions":  # a mask of its first part is not shown
        pairs = [(key, Attributes(nd_extensions=b"\xff" * 8)) for key, _ in pairs]
    if name == "ct_state":  # of bits without a name it has nothing but that to say
        pairs = [(key, Attributes(ct_state=mask["ct_state"] & 0xFF)) for key, mask in pairs]
    masked = [Attributes(key=key, mask=mask, actions=NONE) for key, mask in pairs]
    exact = [Attributes(key=key, actions=NONE) for key, _ in pairs]
    _alike(parrot, masked, VERBOSE)
    _alike(parrot, masked, Style())
    _alike(parrot, exact, VERBOSE)
    if name not in _TERSE:
        _alike(parrot, exact, Style())


@few
@given(data=st.data())
def test_whole_keys_are_shown_alike(parrot: Parrot, data: st.DataObject) -> None:
    names = [name for name in KEYS if name not in ("nsh", "nd_extensions", "ct_state")]
    pairs = data.draw(many(values.keys(names)))
    flows = [
        Attributes(ufid=number.to_bytes(16, "big"), key=key, mask=mask, actions=NONE)
        for number, (key, mask) in enumerate(pairs)
    ]
    # A mask of frames without an EtherType is not the key's.
    flows += [
        Attributes(key=key, mask=mask + Attributes(ethertype=0xFFFF), actions=NONE)
        for key, mask in pairs
        if "ethertype" not in key
    ]
    _alike(parrot, flows, VERBOSE)
    _alike(parrot, flows, Style())


@pytest.mark.parametrize("name", [name for name in values.NAMES if name not in _UNSHOWN])
@few
@given(data=st.data())
def test_actions_are_shown_alike(parrot: Parrot, name: str, data: st.DataObject) -> None:
    flows = [
        Attributes(key=Attributes(in_port=1), actions=Attributes([each]))
        for each in data.draw(many(_action(name)))
    ]
    _alike(parrot, flows, VERBOSE)


@pytest.mark.parametrize("name", [name for name in KEYS if name not in _UNREADABLE])
@few
@given(data=st.data())
def test_keys_are_read_alike(parrot: Parrot, name: str, data: st.DataObject) -> None:
    pairs = data.draw(many(values.key_of(name)))
    texts = [show_match(Attributes(key=key, mask=mask), VERBOSE) for key, mask in pairs]
    for text, theirs in zip(texts, parrot.read([(text, "1") for text in texts]), strict=True):
        ours = read_flow(text)
        assert (theirs["key"], theirs["mask"]) == (ours.key, ours.mask), text


@pytest.mark.parametrize("name", [name for name in values.NAMES if name not in _UNSHOWN | _UNREAD])
@few
@given(data=st.data())
def test_actions_are_read_alike(parrot: Parrot, name: str, data: st.DataObject) -> None:
    wanted = many(_action(name).filter(_is_read_whole))
    texts = [show_actions(Attributes([each]), PLAIN) for each in data.draw(wanted)]
    read = parrot.read([("in_port(1)", text) for text in texts])
    for text, theirs in zip(texts, read, strict=True):
        assert in_order(theirs["actions"]) == in_order(read_actions(text)), text


@pytest.mark.parametrize("kind", COOKIES.values(), ids=COOKIES.keys())
@few
@given(data=st.data())
def test_cookies_are_shown_and_read_alike(
    parrot: Parrot, kind: Cookie, data: st.DataObject
) -> None:
    """Of which port and bridge they are it does not show: those of no bridge it reads again."""
    nobody = (0xFFFF).to_bytes(4, sys.byteorder) + bytes(16)
    cookies = [each[:4] + nobody + each[24:] for each in data.draw(many(values.cookie(kind)))]
    if kind is COOKIES["slow_path"]:  # reasons without a name it does not read
        cookies = [each[:28] + bytes([each[28] & 0x7F]) + bytes(19) for each in cookies]
    lists = [Attributes(userspace=Attributes(pid=7, userdata=each)) for each in cookies]
    flows = [Attributes(key=Attributes(in_port=1), actions=each) for each in lists]
    _alike(parrot, flows, PLAIN)
    texts = [show_actions(each, PLAIN) for each in lists]
    assert "userdata" not in "".join(texts)
    if kind is COOKIES["slow_path"]:  # it shows commas, and reads bars
        parts = [each.partition("slow_path(") for each in texts]
        texts = [start + word + rest.replace(",", "|") for start, word, rest in parts]
    read = parrot.read([("in_port(1)", text) for text in texts])
    assert [each["actions"] for each in read] == lists == [read_actions(text) for text in texts]


def _sets_no_label(action: Any) -> bool:
    """Whether it looks at no bit of a label: it shows `ct_label()` then, which it can't read."""
    name, value = action
    return name == "set_masked" and "ct_labels" in value and not any(value["ct_labels"].mask)


def _action(name: str) -> st.SearchStrategy[Any]:
    """An action, as far as it can write it."""
    found = values.action(name, 0)
    match name:
        case "hash":
            return found.map(lambda each: (name, each[1]._replace(algorithm=each[1].basis & 1)))
        case "userspace":
            # The highest number is none to it.
            return found.map(_with_user_data).filter(
                lambda each: _NO_PORT not in each[1].pairs and len(each[1]["userdata"]) != _COOKIE
            )
        case "ct":  # what is not looked at, it does not set
            return found.filter(
                lambda each: all(
                    int.from_bytes(of, "big") if isinstance(of, bytes) else of
                    for _, value in each[1]
                    if isinstance(value, Masked)
                    for of in value[1:]
                )
            )
        case "set":  # of NSH it shows too little, and reads what is not there
            return found.filter(lambda each: "nsh" not in each[1] and not _sets_no_label(each))
        case "add_mpls":
            return found.map(lambda each: (name, each[1]._replace(flags=0)))
        case "sample":
            tenths = st.integers(0, 1000)
            return tenths.map(
                lambda n: read_actions(f"sample(sample={n / 10}%,actions(1))").pairs[0]
            )
        case "push_nsh":
            return found.filter(lambda each: each[1]["nsh"]["base"].md_type == 1).map(_small_nsh)
    return found


def _is_read_whole(action: tuple[str, Any]) -> bool:
    """Whether it reads what it is.

    In `set` it takes a label of IPv6 for one of 32 bits, the padding of ARP for a part that is not
    set, and masks all that it reads of tunnels. How ports are chosen for an address it forgets
    where no address is given.
    """
    name, value = action
    if name == "ct" and "nat" in value:
        return "ip_minimum" in value["nat"] or set(value["nat"].names) <= {"src", "dst"}
    return name != "set" or not {"ipv6", "arp", "tunnel"} & set(value.names)


def _with_user_data(action: tuple[str, Any]) -> tuple[str, Any]:
    """It has its own if none is written, and of less than 8 bytes it makes 8."""
    name, value = action
    found = dict(value.pairs)
    found["userdata"] = found.get("userdata", b"").ljust(8, b"\0")
    return name, Attributes(found.items())


def _small_nsh(action: tuple[str, Any]) -> tuple[str, Any]:
    """Flags of 2 bits, a TTL of 6: more there is not in a header."""
    name, value = action
    base = value["nsh"]["base"]
    small = base._replace(flags=base.flags & 2, ttl=base.ttl & 0x3F)
    return name, Attributes(nsh=Attributes(base=small, md1=value["nsh"]["md1"]))


def _alike(parrot: Parrot, flows: Sequence[Attributes], style: Style) -> None:
    options = ["-m"] * style.verbose
    theirs = parrot.shown(flows, *options, "--no-names")
    # After a key of which it shows nothing, it shows the comma all the same.
    theirs = [each.removeprefix(",") if each[:2] != ", " else each for each in theirs]
    assert theirs == [show_flow(flow, 0, style) for flow in flows]
