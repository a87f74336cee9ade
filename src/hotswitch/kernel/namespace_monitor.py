"""News of network namespaces that have gone (include/uapi/linux/rtnetlink.h, RTNLGRP_NSID)."""

from __future__ import annotations

import errno

from hotswitch.base.closing import Closing
from hotswitch.kernel import netlink
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.netlink import NetlinkSocket

_GROUP_NSID = 28
_RTM_DELNSID = 89


class NamespaceMonitor(Closing):
    """Listens for ends of namespaces that are known in the thread's, as where links went to."""

    def __init__(self) -> None:
        """Listen from now on. Raises KernelError."""
        self._socket = NetlinkSocket(netlink.ROUTE, groups=(_GROUP_NSID,))

    def fileno(self) -> int:
        """A descriptor that is readable when there is news."""
        return self._socket.fileno()

    def has_told(self) -> bool:
        """Whether one has gone since the last call, or may have; its name is free by then.

        Raises KernelError.
        """
        found = False
        while True:
            try:
                datagram = self._socket.receive()
            except KernelError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                found = True
                continue
            if datagram is None:
                return found
            found |= any(each.type == _RTM_DELNSID for each in netlink.messages(datagram))

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()
