"""Links: the kernel's network devices, as values, listed over rtnetlink (rtnetlink(7))."""

from __future__ import annotations

import enum
import socket
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from hotswitch.kernel import link_kinds, netlink
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.netlink import NetlinkSocket, Request

RTM_NEWLINK = 16
RTM_DELLINK = 17
RTM_GETLINK = 18

IFLA_ADDRESS = 1
IFLA_IFNAME = 3
IFLA_MTU = 4
IFLA_LINK = 5
IFLA_MASTER = 10
IFLA_OPERSTATE = 16
IFLA_LINKINFO = 18
IFLA_INFO_KIND = 1
IFLA_INFO_DATA = 2
IFLA_EXT_MASK = 29
IFLA_CARRIER = 33
IFLA_LINK_NETNSID = 37
IFLA_NEW_NETNSID = 45
IFLA_TARGET_NETNSID = 46
IFLA_NEW_IFINDEX = 49
IFLA_PROP_LIST = 52
IFLA_ALT_IFNAME = 53
IFLA_PERM_ADDRESS = 54
IFLA_PARENT_DEV_NAME = 56
IFLA_PARENT_DEV_BUS_NAME = 57

_WANTED = frozenset(
    (
        IFLA_ADDRESS,
        IFLA_IFNAME,
        IFLA_MTU,
        IFLA_LINK,
        IFLA_MASTER,
        IFLA_OPERSTATE,
        IFLA_LINKINFO,
        IFLA_CARRIER,
        IFLA_LINK_NETNSID,
        IFLA_PROP_LIST,
        IFLA_PERM_ADDRESS,
        IFLA_PARENT_DEV_NAME,
        IFLA_PARENT_DEV_BUS_NAME,
    )
)
_WANTED_OF_KIND = frozenset((IFLA_INFO_KIND, IFLA_INFO_DATA))

_UP = 0x1
_PROMISCUOUS = 0x100
_SKIP_STATISTICS = 8

information = struct.Struct("=BxHiII")
"""`struct ifinfomsg`: family, device type (ARPHRD), index, flags, mask of changed flags."""


class OperationalState(enum.IntEnum):
    """RFC 2863's ifOperStatus, as in include/uapi/linux/if.h."""

    UNKNOWN = 0
    NOT_PRESENT = 1
    DOWN = 2
    LOWER_LAYER_DOWN = 3
    TESTING = 4
    DORMANT = 5
    UP = 6


_STATES = {bytes([state]): state for state in OperationalState}


@dataclass(frozen=True, slots=True)
class Link:
    """A network device as it was at one moment.

    index: positive; the kernel may give it to another device once this one has gone.
    kind: "veth", "tun", "bridge"; empty for hardware and loopback.
    device_type: ARPHRD_*; 1 is Ethernet.
    address: the MAC address, 48 bits; 0 if it has none of that size.
    up: set up by a person (IFF_UP). carrier: its lower layer works.
    master: the index of the bridge or bond that it is in, or 0.
    peer: the index of the device it is tied to (a veth's other end, a VLAN's base), or 0.
    promiscuous: asked by a person to take frames for all addresses (IFF_PROMISC).
    peer_namespace: the id of the network namespace that `peer` is in, or -1 for this one.
    permanent_address: the MAC address that the hardware came with, 48 bits, or 0.
    bus: where it is plugged in, as "pci/0000:00:03.0", or nothing. Of a virtio device a message
        tells its number only ("virtio/virtio2"); `kernel.sysfs` knows where that is.
    details: what its kind says of it by name, as ("mode", 4) of a macvlan (`link_kinds`).
    driver: the kernel driver of the device that it is, or nothing. A message does not tell it.
    incarnation: 64 bits, this life of the link and no other, through renames; 0: not looked up.
        A message does not tell it; `kernel.sysfs` does.
    id: the number that configuration of others can store (`ports.link_ids`), or 0.
    """

    index: int
    name: str
    kind: str = ""
    device_type: int = 1
    address: int = 0
    mtu: int = 0
    up: bool = False
    carrier: bool = False
    state: OperationalState = OperationalState.UNKNOWN
    master: int = 0
    peer: int = 0
    peer_namespace: int = -1
    alternative_names: tuple[str, ...] = ()
    promiscuous: bool = False
    permanent_address: int = 0
    bus: str = ""
    details: tuple[tuple[str, int], ...] = ()
    driver: str = ""
    incarnation: int = 0
    id: int = 0


def list_links(namespace: int = -1) -> list[Link]:
    """All links of this thread's network namespace, by index. Raises KernelError.

    namespace: or of the one that has this id here (`namespace_ids`); EINVAL: there is none such.
    """
    question = _question(0) + target(namespace)
    with NetlinkSocket(netlink.ROUTE) as asker:
        answer = asker.request(RTM_GETLINK, netlink.DUMP, question, "list the links")
    return sorted(_links(answer), key=lambda link: link.index)


class LinkLister:
    """Lists the links of a namespace again and again.

    What the kernel says in the same bytes as the last time is the same object, and costs a tenth.
    """

    def __init__(self, asker: NetlinkSocket) -> None:
        self._asker = asker
        self._read: dict[bytes, Link] = {}

    def list(self) -> tuple[list[Link], bool]:
        """The links, in no order, and whether all of them. Raises KernelError.

        Where links come and go all the while, one that stays may be missing (before Linux 6.10).
        """
        question = _question(0)
        answer = self._asker.request(
            RTM_GETLINK, netlink.DUMP, question, "list the links", attempts=1
        )
        before = self._read
        self._read = {
            each.body: link
            for each in answer
            if (link := before.get(each.body) or parse(each.body))
        }
        return list(self._read.values()), not netlink.is_interrupted(answer)


def _links(answer: Iterable[netlink.Message]) -> Iterator[Link]:
    return (link for each in answer if (link := parse(each.body)))


def get_link(
    which: int | str, asker: NetlinkSocket | None = None, namespace: int = -1
) -> Link | None:
    """The link with this index or name, or None if there is none. Raises KernelError.

    namespace: as of `list_links`; an index only.
    """
    if isinstance(which, int):
        body = _question(which) + target(namespace)
    else:
        check_name(which)
        body = _question(0) + netlink.text(IFLA_IFNAME, which)
    if asker is None:
        with NetlinkSocket(netlink.ROUTE) as own:
            return _get(own, which, body)
    return _get(asker, which, body)


def get_links(indexes: Iterable[int]) -> Mapping[int, Link]:
    """Those of the links with these indexes that there are, by index. Raises KernelError."""
    asked = [
        Request(RTM_GETLINK, 0, _question(index), f"look for the link {index}") for index in indexes
    ]
    if not asked:
        return {}
    with NetlinkSocket(netlink.ROUTE) as asker:
        answers = asker.requests(asked)
    found: dict[int, Link] = {}
    for answer in answers:
        if isinstance(answer, KernelError):
            if not netlink.is_gone(answer):
                raise answer
        elif link := parse(answer[0].body):
            found[link.index] = link
    return found


def _get(asker: NetlinkSocket, which: int | str, body: bytes) -> Link | None:
    try:
        answer = asker.request(RTM_GETLINK, 0, body, f"look for the link {which}")
    except KernelError as error:
        if netlink.is_gone(error):
            return None
        raise
    return parse(answer[0].body) if answer else None


def parse(body: bytes) -> Link | None:
    """Read the body of an RTM_NEWLINK or RTM_DELLINK message; None if it is about something else.

    A bridge tells of its ports in messages of the same type but of the family AF_BRIDGE, where
    "deleted" only means that the device has left the bridge.
    """
    if len(body) < information.size:
        return None
    family, device_type, index, flags, _ = information.unpack_from(body)
    if family != socket.AF_UNSPEC:
        return None
    found = netlink.chosen_attributes(body, information.size, _WANTED)
    about_kind = netlink.chosen_attributes(found.get(IFLA_LINKINFO, b""), 0, _WANTED_OF_KIND)
    kind = _text(about_kind.get(IFLA_INFO_KIND, b""))
    bus = found.get(IFLA_PARENT_DEV_BUS_NAME)
    return Link(
        index=index,
        name=_text(found.get(IFLA_IFNAME, b"")),
        kind=kind,
        device_type=device_type,
        address=_address(found.get(IFLA_ADDRESS)),
        mtu=_number(found, IFLA_MTU),
        up=bool(flags & _UP),
        carrier=bool(_number(found, IFLA_CARRIER)),
        state=_STATES.get(found.get(IFLA_OPERSTATE, b""), OperationalState.UNKNOWN),
        master=_number(found, IFLA_MASTER),
        peer=_number(found, IFLA_LINK),
        peer_namespace=_number(found, IFLA_LINK_NETNSID, -1),
        alternative_names=_alternative_names(found.get(IFLA_PROP_LIST)),
        promiscuous=bool(flags & _PROMISCUOUS),
        permanent_address=_address(found.get(IFLA_PERM_ADDRESS)),
        bus=f"{_text(bus)}/{_text(found.get(IFLA_PARENT_DEV_NAME, b''))}" if bus else "",
        details=link_kinds.details(kind, about_kind.get(IFLA_INFO_DATA, b"")),
    )


def check_name(name: str) -> None:
    """Raise KernelError if a link can't have this name (dev_valid_name in net/core/dev.c)."""
    size = len(name.encode(errors="replace"))
    odd = name in (".", "..") or any(each in "/:\0" or each.isspace() for each in name)
    if odd or not 0 < size <= 15:
        raise KernelError(
            f"{name!r} can't be a link's name",
            remedy="1 to 15 bytes, without slashes, colons and spaces",
        )


def target(namespace: int) -> bytes:
    """What a message about links says of the namespace that it is meant for; -1: the thread's."""
    return netlink.u32(IFLA_TARGET_NETNSID, namespace) if namespace >= 0 else b""


def _question(index: int) -> bytes:
    body = information.pack(socket.AF_UNSPEC, 0, index, 0, 0)
    return body + netlink.u32(IFLA_EXT_MASK, _SKIP_STATISTICS)


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")


def _number(found: dict[int, bytes], kind: int, missing: int = 0) -> int:
    value = found.get(kind)
    if value is None:
        return missing
    return int.from_bytes(value, sys.byteorder, signed=kind == IFLA_LINK_NETNSID)


def _address(value: bytes | None) -> int:
    return int.from_bytes(value, "big") if value and len(value) == 6 else 0


def _alternative_names(properties: bytes | None) -> tuple[str, ...]:
    if not properties:
        return ()
    each = netlink.each_attribute(properties)
    return tuple(_text(name) for key, name in each if key == IFLA_ALT_IFNAME)
