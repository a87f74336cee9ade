"""Devices that become ports, and what the database says of them."""

from __future__ import annotations

from typing import Any

from hotswitch.base.errors import HotswitchError
from tests.config.lab import Lab
from tests.config.test_lives import begin, devices_changed, ports, put, run


def adopt(rules: str) -> list[Any]:
    return put(adopt=rules)


def test_what_is_adopted_gets_rows(lab: Lab) -> None:
    async def work() -> None:
        await begin(lab)
        lab.database.set("Bridge", "br0", other_config=adopt("tap* tag=5 external-ids:vm-id=7"))
        await lab.turn()
        tap = lab.links.add("tap0")
        lab.reconciler.links_changed()
        assert tap.index in {p.ifindex for p in lab.world.datapaths["br0"].ports().values()}
        assert ports(lab) == {"br0"}
        await lab.reconciler.turn()
        assert ports(lab) == {"br0", "tap0"}
        port, interface = lab.database.row("Port", "tap0"), lab.interface("tap0")
        assert (port["tag"], port["other_config"]) == (5, {"lifecycle": "ephemeral"})
        assert interface["external_ids"] == {"vm-id": "7"}
        assert interface["ofport"] == 1 and interface["ifindex"] == tap.index
        lab.database.set("Port", "tap0", tag=6)
        await lab.turn()
        assert lab.switch.desired.bridges["br0"].ports["tap0"].tag == 6
        lab.links.delete(tap.index)
        await devices_changed(lab)
        assert ports(lab) == {"br0"}

    run(work())


def test_while_the_database_does_not_take_it_the_port_forwards(lab: Lab) -> None:
    async def work() -> None:
        await begin(lab)
        lab.database.set("Bridge", "br0", other_config=adopt("tap*"))
        await lab.turn()
        lab.database.refuses = HotswitchError("out of reach")
        tap = lab.links.add("tap0")
        await devices_changed(lab)
        await lab.turn()
        assert tap.index in {p.ifindex for p in lab.world.datapaths["br0"].ports().values()}
        lab.database.refuses = None
        lab.reconciler.tick()
        await lab.reconciler.turn()
        assert ports(lab) == {"br0", "tap0"}

    run(work())


def test_what_is_deleted_stays_deleted_while_its_device_lives(lab: Lab) -> None:
    async def work() -> None:
        await begin(lab)
        lab.database.set("Bridge", "br0", other_config=adopt("tap*"))
        lab.links.add("tap0")
        await lab.turn()
        await lab.turn()
        assert ports(lab) == {"br0", "tap0"}
        lab.database.delete_port("br0", "tap0")
        await lab.turn()
        await devices_changed(lab)
        assert ports(lab) == {"br0"}
        await lab.new_reconciler().start()
        assert ports(lab) == {"br0"}

    run(work())


def test_a_device_that_joins_a_vif_gets_its_row(lab: Lab) -> None:
    async def work() -> None:
        await begin(lab)
        lab.database.set("Bridge", "br0", other_config=adopt("tap{d}+vif{d} tag=5"))
        await lab.turn()
        for name in ("vif1", "tap1"):
            lab.links.add(name, carrier=True)
            await devices_changed(lab)
        assert ports(lab) == {"br0", "tap1"}
        port = lab.database.row("Port", "tap1")
        assert len(port["interfaces"]) == 2 and port["other_config"]["vif"] == "true"
        assert lab.interface("vif1")["other_config"] == {"vif-preference": "1"}
        assert lab.interface("vif1")["status"]["vif"] == "active"
        assert lab.interface("tap1")["status"]["vif"] == "standby"
        for name in ("vif1", "tap1"):
            lab.links.delete(lab.links.named(name).index)
        await devices_changed(lab)
        assert ports(lab) == {"br0"} and len(lab.database.tables()["Interface"]) == 1

    run(work())


def test_rules_that_cannot_be_are_said(lab: Lab) -> None:
    async def work() -> None:
        await begin(lab)
        lab.database.set("Bridge", "br0", other_config=adopt("tap* tag=many"))
        await lab.turn()
        said = lab.database.row("Bridge", "br0")["status"]["not_acted_on"]
        assert "other_config:adopt" in said and "tag=many can't be" in said
        lab.database.set("Bridge", "br0", other_config=adopt("tap* tag=99999"))
        await lab.turn()
        said = lab.database.row("Bridge", "br0")["status"]["not_acted_on"]
        assert "other_config:adopt (rule 'tap* tag=99999': VLAN 99999 is out of range" in said
        lab.database.set("Bridge", "br0", other_config=adopt("tap*"))
        lab.database.add_bridge("br1")
        lab.database.set("Bridge", "br1", other_config=adopt("*0"))
        await lab.turn()
        said = lab.database.row("Bridge", "br1")["status"]["not_acted_on"]
        assert "a device called tap0 would fit rules of bridge br0, too" in said
        assert lab.database.row("Bridge", "br0")["status"] == {}
        lab.links.add("tap0")
        await devices_changed(lab)
        assert "tap0" in lab.switch.desired.bridges["br0"].ports

    run(work())


def test_a_device_that_takes_a_name_over_gets_rows_of_its_own(lab: Lab) -> None:
    async def work() -> None:
        await begin(lab)
        lab.database.set("Bridge", "br0", other_config=adopt("tap* tag=5"))
        tap = lab.links.add("tap0")
        await lab.turn()
        await lab.turn()
        lab.database.set("Port", "tap0", tag=6, external_ids=put(vm="old"))
        await lab.turn()
        assert lab.switch.desired.bridges["br0"].ports["tap0"].tag == 6
        rows = set(lab.database.tables()["Port"])
        lab.links.replace(tap.index)
        await devices_changed(lab)
        assert ports(lab) == {"br0", "tap0"}
        port = lab.database.row("Port", "tap0")
        assert (port["tag"], port["external_ids"]) == (5, {})
        assert len(set(lab.database.tables()["Port"]) - rows) == 1
        assert lab.switch.desired.bridges["br0"].ports["tap0"].tag == 5
        await lab.turn()
        assert ports(lab) == {"br0", "tap0"}

    run(work())
