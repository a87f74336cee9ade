"""What a device's driver can do with XDP: the generic netlink family "netdev", Linux 6.3 and newer.

Source: include/uapi/linux/netdev.h, Documentation/netlink/specs/netdev.yaml.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Mapping

from hotswitch.kernel import netlink
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.netlink import NetlinkSocket

_CONTROL_FAMILY = 0x10
_GET_FAMILY = 3
_FAMILY_ID, _FAMILY_NAME = 1, 2
_DEVICE_GET = 1
_IFINDEX, _XDP_FEATURES = 1, 3

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


def xdp_features(ifindex: int) -> XdpFeature | None:
    """What the device can do now, or None where the kernel can't say. Raises KernelError."""
    return _ask(0, netlink.u32(_IFINDEX, ifindex), f"link {ifindex}").get(ifindex)


def all_xdp_features() -> Mapping[int, XdpFeature]:
    """The same of all devices, by ifindex; empty where the kernel can't say. Raises KernelError."""
    return _ask(netlink.DUMP, b"", "all links")


def _ask(flags: int, which: bytes, of: str) -> Mapping[int, XdpFeature]:
    attempt = f"ask for XDP features of {of}"
    with NetlinkSocket(netlink.GENERIC) as asker:
        question = _header.pack(_GET_FAMILY, 1) + netlink.text(_FAMILY_NAME, "netdev")
        try:
            (answer,) = asker.request(_CONTROL_FAMILY, 0, question, attempt)
        except KernelError as error:
            if netlink.is_gone(error):
                return {}
            raise
        found = netlink.attributes(answer.body[_header.size :])
        (family,) = struct.unpack("=H", found[_FAMILY_ID])
        question = _header.pack(_DEVICE_GET, 1) + which
        answers = asker.request(family, flags, question, attempt)
    return dict(filter(None, (_device(each.body[_header.size :]) for each in answers)))


def _device(body: bytes) -> tuple[int, XdpFeature] | None:
    found = netlink.attributes(body)
    if _IFINDEX not in found or _XDP_FEATURES not in found:
        return None
    (ifindex,) = struct.unpack("=I", found[_IFINDEX])
    (features,) = struct.unpack("=Q", found[_XDP_FEATURES])
    return ifindex, XdpFeature(features)
