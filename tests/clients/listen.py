"""A program on pyroute2 that makes a datapath and listens for its misses, as those of the kernel's
own `ovs-dpctl.py` do: `python -m tests.clients.listen DATAPATH DEVICE…`.

It knows nothing of hotswitch, and is run with the shim. It prints a line for each miss.
"""

from __future__ import annotations

import sys

from pyroute2.netlink import NLM_F_ACK, NLM_F_REQUEST, genlmsg
from pyroute2.netlink.generic import GenericNetlinkSocket

_NEW, _MISS = 1, 1
_NETDEV = 1
_VERSION = 2
_UNALIGNED = 1


class _Message(genlmsg):  # type: ignore[misc]
    fields = (*genlmsg.fields, ("dpifindex", "I"))


class _Datapath(_Message):
    nla_map = (
        ("OVS_DP_ATTR_UNSPEC", "none"),
        ("OVS_DP_ATTR_NAME", "asciiz"),
        ("OVS_DP_ATTR_UPCALL_PID", "array(uint32)"),
        ("OVS_DP_ATTR_STATS", "none"),
        ("OVS_DP_ATTR_MEGAFLOW_STATS", "none"),
        ("OVS_DP_ATTR_USER_FEATURES", "uint32"),
    )


class _Vport(_Message):
    nla_map = (
        ("OVS_VPORT_ATTR_UNSPEC", "none"),
        ("OVS_VPORT_ATTR_PORT_NO", "uint32"),
        ("OVS_VPORT_ATTR_TYPE", "uint32"),
        ("OVS_VPORT_ATTR_NAME", "asciiz"),
        ("OVS_VPORT_ATTR_OPTIONS", "none"),
        ("OVS_VPORT_ATTR_UPCALL_PID", "array(uint32)"),
    )


class _Packet(_Message):
    nla_map = (
        ("OVS_PACKET_ATTR_UNSPEC", "none"),
        ("OVS_PACKET_ATTR_PACKET", "array(uint8)"),
        ("OVS_PACKET_ATTR_KEY", "hex"),
    )


class _Socket(GenericNetlinkSocket):  # type: ignore[misc]
    def __init__(self, family: str, message: type[_Message]) -> None:
        super().__init__()
        self.bind(family, message)

    def change(self, message: _Message, datapath: int, *attributes: tuple[str, object]) -> int:
        """A request; the number in its answer's header."""
        message["cmd"], message["version"] = _NEW, _VERSION
        message["reserved"], message["dpifindex"] = 0, datapath
        message["attrs"] = [list(each) for each in attributes]
        flags = NLM_F_REQUEST | NLM_F_ACK
        answers = self.nlm_request(message, msg_type=self.prid, msg_flags=flags)
        return int(answers[0].get("dpifindex", 0))


def main() -> None:
    """Listen until it is killed."""
    name, *devices = sys.argv[1:]
    packets = _Socket("ovs_packet", _Packet)
    datapaths, vports = _Socket("ovs_datapath", _Datapath), _Socket("ovs_vport", _Vport)
    datapaths.change(
        _Datapath(),
        0,
        ("OVS_DP_ATTR_NAME", name),
        ("OVS_DP_ATTR_UPCALL_PID", [packets.epid] * 3),  # one for each but one of four CPUs
        ("OVS_DP_ATTR_USER_FEATURES", _UNALIGNED),
    )
    number = int(sys.stdin.readline())
    for device in devices:
        vports.change(
            _Vport(),
            number,
            ("OVS_VPORT_ATTR_NAME", device),
            ("OVS_VPORT_ATTR_TYPE", _NETDEV),
            ("OVS_VPORT_ATTR_UPCALL_PID", [packets.epid]),
        )
    print("listening", flush=True)
    while True:
        for each in packets.get():
            if each["cmd"] == _MISS:
                frame = bytes(each.get_attr("OVS_PACKET_ATTR_PACKET"))
                print("miss", each["dpifindex"], frame.hex(), flush=True)


if __name__ == "__main__":
    main()
