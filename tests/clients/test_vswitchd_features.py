"""What ovs-vswitchd finds out about hotswitch's datapath, and what it then does with that."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.clients.test_vswitchd import _LONG, Vswitch, vswitch
from tests.support import process
from tests.support.wait import until

__all__ = ["vswitch"]

SUPPORTED = {
    "Masked set action": "Yes",
    "Ufid": "Yes",
    "Truncate action": "Yes",
    "Clone action": "Yes",
    "Sample nesting": "10",
    "Max dp_hash algorithm": "1",
    "Check pkt length action": "Yes",
    "Max VLAN headers": "2",
    "Max MPLS depth": "3",
    "Recirc": "Yes",
    "MPLS Label add": "No",
    "Conntrack clear": "No",
    "CT state": "No",
    "CT zone": "No",
    "CT mark": "No",
    "CT label": "No",
}

_HASHED = r"recirc_id\(0\),.*actions:hash\((sym_)?l4\(0\)\),recirc\(0x"
_POPPED = r"pop_mpls\(eth_type=0x800\),recirc\(0x"
_BY_HASH = r"recirc_id\(0x[1-9a-f][0-9a-f]*\),dp_hash\(0x[0-9a-f]+/0x[0-9a-f]+\).*actions:p2"

_LABELLED = """
import socket
from scapy.layers.l2 import Ether
from scapy.layers.inet import IP, ICMP
from scapy.contrib.mpls import MPLS
frame = Ether(dst="ff:ff:ff:ff:ff:ff", src="02:00:00:00:00:77", type=0x8847) / MPLS(
    label=7, s=1, ttl=9) / IP(src="10.0.0.77", dst="10.0.0.2", ttl=40) / ICMP() / b"inside"
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind(("eth0", 0))
out.send(bytes(frame))
"""


def _bridge(vswitch: Vswitch) -> None:
    """A bridge between the hosts, which say nothing by themselves."""
    for host in ("", "h1", "h2"):
        vswitch.room.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", host=host)
    ports = ("--", "add-port", "br0", "p1", "--", "add-port", "br0", "p2")
    vswitch.run("ovs-vsctl", "--timeout=60", "add-br", "br0", *ports)
    until(lambda: vswitch.control, "it has a control socket")
    until(vswitch.reaches, "the hosts reach each other", _LONG)


def _control(vswitch: Vswitch, *words: str) -> str:
    return vswitch.run("ovs-appctl", "-t", vswitch.control, *words)


def _carrying(vswitch: Vswitch, *patterns: str) -> set[str]:
    """Those of the patterns for which there is a flow that has carried packets."""
    flows = _control(vswitch, "dpctl/dump-flows", "-m")
    lines = [line for line in flows.splitlines() if ", packets:0," not in line]
    return {each for each in patterns if any(re.search(each, line) for line in lines)}


def test_what_it_finds(vswitch: Vswitch) -> None:
    _bridge(vswitch)
    shown = _control(vswitch, "dpif/show-dp-features", "br0")
    found = dict(line.split(": ") for line in shown.splitlines())
    assert found.items() >= SUPPORTED.items()


def test_a_group_that_spreads_by_hash(vswitch: Vswitch) -> None:
    _bridge(vswitch)
    group = "group_id=1,type=select,selection_method=dp_hash"
    buckets = ",".join(f"bucket=bucket_id:{each},actions=output:p2" for each in (1, 2, 3))
    vswitch.run("ovs-ofctl", "-O", "OpenFlow15", "add-group", "br0", f"{group},{buckets}")
    vswitch.run("ovs-ofctl", "add-flow", "br0", "priority=9,in_port=p1,actions=group:1")

    seen: set[str] = set()

    def spreads() -> bool:
        """By flows that the datapath has carried packets with, at one time or another."""
        vswitch.reaches()
        seen.update(_carrying(vswitch, _HASHED, _BY_HASH))
        return seen == {_HASHED, _BY_HASH}

    until(spreads, "packets are spread by their hash", 2 * _LONG)


def test_a_label_is_taken_off_and_what_is_inside_is_changed(vswitch: Vswitch) -> None:
    _bridge(vswitch)
    actions = "pop_mpls:0x0800,dec_ttl,set_field:10.0.0.99->ip_src,output:p2"
    vswitch.run("ovs-ofctl", "add-flow", "br0", f"priority=9,in_port=p1,mpls,actions={actions}")
    listen = "timeout 100 tcpdump -i eth0 -c 3 -vn src host 10.0.0.99 2>&1"
    sniffer = vswitch.room.start("sh", "-c", listen, host="h2", stdout=subprocess.PIPE)
    try:
        seen: set[str] = set()

        def heard() -> bool:
            vswitch.room.run(sys.executable, "-c", _LABELLED, host="h1")
            seen.update(_carrying(vswitch, _POPPED))
            return bool(seen) and sniffer.poll() is not None

        until(heard, "packets without a label come out", 2 * _LONG)
        assert sniffer.stdout is not None
        said = sniffer.stdout.read()
        assert "ttl 39" in said and "bad cksum" not in said, said
    finally:
        process.stop(sniffer)


def test_the_flags_of_connections(vswitch: Vswitch) -> None:
    _bridge(vswitch)
    serve = (
        "import socket\ns=socket.create_server(('', 5000))\n"
        "while True:\n c=s.accept()[0]\n while c.recv(9): pass\n c.close()"
    )
    server = vswitch.room.start("python3", "-c", serve, host="h2")
    send = "import socket; s=socket.create_connection(('10.0.0.2', 5000), 9); s.send(b'hello')"
    vswitch.run("ovs-ofctl", "add-flow", "br0", "priority=9,tcp,tp_dst=5000,actions=normal")

    def seen() -> set[str]:
        vswitch.room.run("python3", "-c", send, host="h1", check=False)
        flows = _control(vswitch, "dpctl/dump-flows")
        lines = [line for line in flows.splitlines() if "tcp(dst=5000)" in line]
        found = [re.search("flags:([A-Z]+)", line) for line in lines]
        return {flag for each in found if each for flag in each[1]}

    try:
        # The second connection is the datapath's from its first packet to its last.
        until(lambda: seen() >= {*"SFP"}, "all flags are seen", _LONG)
    finally:
        process.stop(server)
