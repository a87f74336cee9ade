"""What the rows of Open_vSwitch, Bridge, Port and Controller are to say. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hotswitch.config.notes import NONE, Remarks
from hotswitch.config.read_bridge import DATAPATH_TYPES, BridgeReading
from hotswitch.config.rows import Row, Value, text
from hotswitch.switch.desired import PortKind
from hotswitch.switch.status import BridgeStatus


@dataclass(frozen=True, slots=True)
class Identity:
    """What hotswitch says of itself and of its host.

    version: "hotswitch 0.1.0". schema_version: the database's. system_type, system_version: the
    operating system's, "debian" and "12".
    """

    version: str
    schema_version: str = ""
    system_type: str = ""
    system_version: str = ""


@dataclass(frozen=True, slots=True)
class BridgeFacts:
    """All that the row of a bridge depends on.

    address: of its local port's device, or 0. warning: what of others is in its way.
    """

    reading: BridgeReading
    version: str
    error: str = ""
    address: int = 0
    remarks: Remarks = NONE
    warning: str = ""


def bridge_facts(
    reading: BridgeReading, version: str, status: BridgeStatus | None, remarks: Remarks
) -> BridgeFacts:
    """Gather what the row depends on; `status` is None if there is no such bridge."""
    local = status.ports.get(reading.name) if status else None
    return BridgeFacts(
        reading,
        version,
        status.error if status else "",
        local.device.address if local and local.device else 0,
        remarks,
        "; ".join(status.remarks) if status else "",
    )


def bridge_columns(facts: BridgeFacts) -> Mapping[str, Value]:
    """Without a local device the datapath id stays as it was, if there is none asked for."""
    error = facts.remarks.error or facts.error
    identifier = facts.reading.identifier or (f"{facts.address:016x}" if facts.address else "")
    return {
        **({"datapath_id": identifier} if identifier else {}),
        "datapath_version": facts.version,
        "status": {
            **facts.remarks.status,
            **({"error": error} if error else {}),
            **({"warning": facts.warning} if facts.warning else {}),
        },
        "rstp_status": {},
    }


def port_columns(remarks: Remarks) -> Mapping[str, Value]:
    """What is wrong with the port; the rest is about what hotswitch does not do."""
    return {
        "status": remarks.status,
        "statistics": {},
        "rstp_status": {},
        "rstp_statistics": {},
        "bond_active_slave": None,
    }


def controller_columns(_: None) -> Mapping[str, Value]:
    """A controller is never called."""
    return {
        "is_connected": False,
        "role": None,
        "status": {"state": "VOID", "last_error": "hotswitch does not speak OpenFlow yet"},
    }


def root_columns(
    row: Row, identity: Identity, in_force: int | None, counts_host: bool
) -> Mapping[str, Value]:
    """in_force: the number of the configuration that is in force, or None to leave it.

    counts_host: whether `statistics` is left to `host_updates`.

    What an administrator has said of the system stays.
    """
    system = {"system_type": identity.system_type, "system_version": identity.system_version}
    return {
        **({} if in_force is None else {"cur_cfg": in_force}),
        "ovs_version": identity.version,
        "db_version": identity.schema_version or None,
        **{column: value for column, value in system.items() if value and not text(row, column)},
        "datapath_types": DATAPATH_TYPES,
        "iface_types": tuple(sorted(map(str, PortKind))),
        "dpdk_initialized": False,
        "dpdk_version": None,
        **({} if counts_host else {"statistics": {}}),
    }
