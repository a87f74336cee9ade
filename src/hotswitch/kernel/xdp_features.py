"""What a device's driver can do with XDP: the generic netlink family "netdev", Linux 6.3 and newer.

Source: include/uapi/linux/netdev.h, Documentation/netlink/specs/netdev.yaml.
"""

from __future__ import annotations

import enum
import struct

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
    attempt = f"ask for XDP features of the link {ifindex}"
    with NetlinkSocket(netlink.GENERIC) as asker:
        question = _header.pack(_GET_FAMILY, 1) + netlink.text(_FAMILY_NAME, "netdev")
        try:
            (answer,) = asker.request(_CONTROL_FAMILY, 0, question, attempt)
        except KernelError as error:
            if netlink.is_gone(error):
                return None
            raise
        found = netlink.attributes(answer.body[_header.size :])
        (family,) = struct.unpack("=H", found[_FAMILY_ID])
        question = _header.pack(_DEVICE_GET, 1) + netlink.u32(_IFINDEX, ifindex)
        (answer,) = asker.request(family, 0, question, attempt)
    features = netlink.attributes(answer.body[_header.size :]).get(_XDP_FEATURES)
    return None if features is None else XdpFeature(struct.unpack("=Q", features)[0])
