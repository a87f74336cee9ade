"""What hotswitch does with each column of the Open_vSwitch schema: one table for code and document.

A column or key that is in none of these is kept for those who wrote it and has no meaning to a
switch: `external_ids`, names of things that are not acted on themselves.
"""

from __future__ import annotations

from collections.abc import Mapping


def _names(**columns: str) -> Mapping[str, tuple[str, ...]]:
    return {table: tuple(names.split()) for table, names in columns.items()}


ACTED_ON: Mapping[str, tuple[str, ...]] = _names(
    Open_vSwitch="bridges next_cfg other_config manager_options ssl",
    Bridge="name ports datapath_type other_config",
    Port="name interfaces tag trunks vlan_mode fake_bridge other_config",
    Interface="name type options mac mtu_request ofport_request other_config",
    Manager="target max_backoff inactivity_probe",
    SSL="private_key certificate ca_cert bootstrap_ca_cert",
)
"""What is wanted is read from these. Manager and SSL are the database server's own."""

WRITTEN: Mapping[str, tuple[str, ...]] = _names(
    Open_vSwitch="cur_cfg ovs_version db_version system_type system_version datapath_types "
    "iface_types dpdk_initialized dpdk_version statistics",
    Bridge="datapath_id datapath_version status rstp_status",
    Port="status statistics rstp_status rstp_statistics bond_active_slave",
    Interface="ofport error ifindex mac_in_use mtu admin_state link_state link_speed duplex "
    "link_resets status statistics bfd_status cfm_fault cfm_fault_status cfm_flap_count "
    "cfm_health cfm_remote_mpids cfm_remote_opstate lacp_current",
    Controller="is_connected role status",
    Manager="is_connected status",
)
"""What is so is written to these, whatever they held before."""

NOT_ACTED_ON: Mapping[str, Mapping[str, object]] = {
    "Open_vSwitch": {
        "datapaths": {},
    },
    "Bridge": {
        "stp_enable": False,
        "rstp_enable": False,
        "mcast_snooping_enable": False,
        "mirrors": (),
        "netflow": None,
        "sflow": None,
        "ipfix": None,
        "controller": (),
        "protocols": (),
        "fail_mode": "standalone",
        "flood_vlans": (),
        "flow_tables": {},
        "auto_attach": None,
    },
    "Port": {
        "cvlans": (),
        "qos": None,
        "mac": None,
        "bond_mode": None,
        "lacp": "off",
        "bond_updelay": 0,
        "bond_downdelay": 0,
        "bond_fake_iface": False,
        "protected": False,
    },
    "Interface": {
        "ingress_policing_rate": 0,
        "ingress_policing_burst": 0,
        "ingress_policing_kpkts_rate": 0,
        "ingress_policing_kpkts_burst": 0,
        "bfd": {},
        "cfm_mpid": None,
        "lldp": {},
    },
    "Manager": {
        "connection_mode": None,
        "other_config": {},
    },
}
"""A switch's settings that hotswitch keeps but does not act on, and what is the same without it."""

OTHER_CONFIG: Mapping[str, Mapping[str, str]] = {
    "Open_vSwitch": {
        "stats-update-interval": "milliseconds between writings of statistics; 5000 at least",
        "enable-statistics": "`true` fills the column `statistics`",
    },
    "Bridge": {
        "mac-table-size": "rows in the address table, 1 to 1000000; 8192 if not given or 0",
        "mac-aging-time": "seconds until a silent address is forgotten, up to 1000000; 300 if not "
        "given or 0",
        "mac-aging": "hotswitch's own: `false` keeps silent addresses for ever",
        "forward-bpdu": "`true` passes frames to reserved group addresses on",
        "hwaddr": "the Ethernet address of the local port's device",
        "datapath-id": "the bridge's identifier, 16 hexadecimal digits, or up to 16 after `0x`",
        "adopt": "hotswitch's own: rules by which devices become ports as they appear, such as "
        "`tap*.* tag=5; kind=veth,lxc* trunks=10,20`",
        "facade": "hotswitch's own: the Linux bridge that is the local port, and whose slaves are "
        "ports; none if not given",
        "default-lifecycle": "hotswitch's own: the lifecycle of ports that have none of their own",
    },
    "Port": {
        "storm-limit": "hotswitch's own: flooded packets a second that may come in here; 0 is no "
        "limit",
        "lifecycle": "hotswitch's own: what becomes of the port without a device: `static`, "
        "`ephemeral` or `grace=SECONDS`",
        "transient": "`true` is the lifecycle `ephemeral`, if `lifecycle` says nothing else",
        "master": "hotswitch's own: the Linux bridge that the device is in; none if not given",
        "vif": "hotswitch's own: `true` makes several interfaces one port, of which one forwards",
    },
    "Interface": {
        "hook": "hotswitch's own: where in the kernel packets are taken, `auto`, `tcx` or `xdp`",
        "link": "hotswitch's own: how the device is found: `name=tap0`, `alternative-name=uplink`, "
        "`permanent-address=52:54:00:12:34:56`, `bus=pci/0000:00:03.0`, `driver=virtio_net`, or "
        "`id=7`; by the interface's name if not given",
        "netns": "hotswitch's own: the network namespace that an internal interface's device is "
        "for, by name or path; the port goes with it",
        "device-name": "hotswitch's own: the name of the device of an internal or tap "
        "interface; the interface's if not given",
        "follow-rename": "hotswitch's own: `false`, as in Open vSwitch, loses a device that is "
        "renamed; `true` if not given",
        "vif-preference": "hotswitch's own: of a VIF's interfaces that can be used, the one with "
        "the highest number forwards, else the last by name; 0 if not given",
    },
}
"""The keys of `other_config` that are acted on, and what they mean."""

KEPT_KEYS: Mapping[str, tuple[str, ...]] = {
    "Open_vSwitch": ("system-id",),
    "Bridge": ("disable-in-band",),
}
"""Keys of `other_config` that are for others, or already so; nothing is said of them."""

ALREADY_SO: Mapping[str, tuple[object, ...]] = {"fail_mode": (None,), "lacp": (None,)}
"""Values, beside those above, that ask for nothing."""
