"""What a device's driver can do with XDP: the generic netlink family "netdev", Linux 6.3 and newer.

Source: include/uapi/linux/netdev.h, Documentation/netlink/specs/netdev.yaml.
"""

from __future__ import annotations

import enum
import struct
import sys
from collections.abc import Collection, Mapping, Sequence

from hotswitch.kernel import netlink
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.netlink import Message, NetlinkSocket, Request

_CONTROL_FAMILY = 0x10
_GET_FAMILY = 3
_FAMILY_ID, _FAMILY_NAME = 1, 2
_DEVICE_GET = 1
_IFINDEX, _XDP_FEATURES = 1, 3
_FEW = 64
"""So many devices are asked for one by one; more, all at once."""

_header = struct.Struct("=BBxx")
"""`struct genlmsghdr`: command, version."""


class XdpFeature(enum.IntFlag):
    """`enum netdev_xdp_act`."""

    BASIC = 1
    REDIRECT = 2
    TRANSMIT_REDIRECTED = 4
    """Frames may be redirected to it (ndo_xdp_xmit)."""
    ZERO_COPY = 8
    HARDWARE_OFFLOAD = 16
    RECEIVE_MULTIPLE_BUFFERS = 32
    TRANSMIT_MULTIPLE_BUFFERS = 64


def xdp_features(indexes: Collection[int]) -> Mapping[int, XdpFeature]:
    """What these devices can do now; without those of which the kernel can't say.

    Raises KernelError.
    """
    if not indexes:
        return {}
    with NetlinkSocket(netlink.GENERIC) as asker:
        family = _family(asker)
        if not family:
            return {}
        if len(indexes) > _FEW:
            question = _header.pack(_DEVICE_GET, 1)
            attempt = "ask for XDP features of all links"
            answers = asker.request(family, netlink.DUMP, question, attempt)
        else:
            asked = [_question(family, index) for index in indexes]
            answers = [each for answer in asker.requests(asked) for each in _messages(answer)]
    return dict(filter(None, (_device(each.body[_header.size :]) for each in answers)))


def _family(asker: NetlinkSocket) -> int:
    """The family's number, or 0 where the kernel has none."""
    question = _header.pack(_GET_FAMILY, 1) + netlink.text(_FAMILY_NAME, "netdev")
    try:
        (answer,) = asker.request(_CONTROL_FAMILY, 0, question, "ask for XDP features")
    except KernelError as error:
        if netlink.is_gone(error):
            return 0
        raise
    found = netlink.attributes(answer.body[_header.size :])
    return int.from_bytes(found[_FAMILY_ID], sys.byteorder)


def _question(family: int, index: int) -> Request:
    body = _header.pack(_DEVICE_GET, 1) + netlink.u32(_IFINDEX, index)
    return Request(family, 0, body, f"ask for XDP features of link {index}")


def _messages(answer: Sequence[Message] | KernelError) -> Sequence[Message]:
    if not isinstance(answer, KernelError):
        return answer
    if netlink.is_gone(answer):
        return ()
    raise answer


def _device(body: bytes) -> tuple[int, XdpFeature] | None:
    found = netlink.attributes(body)
    if _IFINDEX not in found or _XDP_FEATURES not in found:
        return None
    (ifindex,) = struct.unpack("=I", found[_IFINDEX])
    (features,) = struct.unpack("=Q", found[_XDP_FEATURES])
    return ifindex, XdpFeature(features)
