"""Ports that go with their devices, and what the database says of devices' lives."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from hotswitch.base.errors import HotswitchError
from hotswitch.kernel.links import OperationalState
from hotswitch.ports.selector import show_incarnation
from tests.config.lab import Lab

SECOND = 1_000_000_000


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 10))


def put(**settings: str) -> list[Any]:
    return ["map", list(map(list, settings.items()))]


def policy(text: str) -> list[Any]:
    return put(lifecycle=text)


async def begin(lab: Lab, *names: str, **port: object) -> None:
    lab.database.add_bridge("br0")
    for name in names:
        lab.database.add_port("br0", name)
        if port:
            lab.database.set("Port", name, **port)
    await lab.reconciler.start()


async def devices_changed(lab: Lab) -> None:
    lab.reconciler.links_changed()
    await lab.reconciler.turn()


def ports(lab: Lab) -> set[str]:
    return {row["name"] for row in lab.database.tables()["Port"].values()}


def test_the_rows_of_an_ephemeral_port_go_too(lab: Lab) -> None:
    tap = lab.links.add("tap0")

    async def work() -> None:
        await begin(lab, "tap0", other_config=policy("ephemeral"))
        lab.links.delete(tap.index)
        lab.reconciler.links_changed()
        assert "tap0" not in {each.name for each in lab.world.datapaths["br0"].ports().values()}
        assert ports(lab) == {"br0", "tap0"}
        await lab.reconciler.turn()
        assert ports(lab) == {"br0"}
        assert len(lab.database.tables()["Interface"]) == 1
        root = lab.database.row("Open_vSwitch")
        assert root["cur_cfg"] == root["next_cfg"]

    run(work())


def test_transient_is_ephemeral_unless_the_lifecycle_says_otherwise(lab: Lab) -> None:
    taps = [lab.links.add(name) for name in ("tap0", "tap1")]

    async def work() -> None:
        await begin(lab, "tap0", "tap1", other_config=put(transient="true"))
        both = put(transient="true", lifecycle="static")
        lab.database.set("Port", "tap1", other_config=both)
        await lab.turn()
        for tap in taps:
            lab.links.delete(tap.index)
        await devices_changed(lab)
        assert ports(lab) == {"br0", "tap1"}

    run(work())


def test_a_static_port_waits_without_an_error(lab: Lab) -> None:
    tap = lab.links.add("tap0")

    async def work() -> None:
        await begin(lab, "tap0", "tap1")
        lab.database.set("Port", "tap0", other_config=policy("static"))
        await lab.turn()
        number = lab.interface("tap0")["ofport"]
        lab.links.delete(tap.index)
        await devices_changed(lab)
        said = lab.interface("tap0")
        assert (said["ofport"], said["error"]) == (number, None)
        assert said["status"] == {"lifecycle": "static"}
        assert said["ifindex"] == 0 and said["link_state"] == "down"
        unset = lab.interface("tap1")
        assert unset["error"] == "could not open network device tap1 (No such device)"
        assert unset["ofport"] == -1

    run(work())


def test_the_bridge_has_a_default(lab: Lab) -> None:
    tap = lab.links.add("tap0")

    async def work() -> None:
        await begin(lab, "tap0")
        lab.database.set("Bridge", "br0", other_config=put(**{"default-lifecycle": "ephemeral"}))
        await lab.turn()
        assert lab.interface("tap0")["status"]["lifecycle"] == "ephemeral"
        lab.links.delete(tap.index)
        await devices_changed(lab)
        assert ports(lab) == {"br0"}

    run(work())


def test_grace_ends_by_the_clock(lab: Lab) -> None:
    tap = lab.links.add("tap0")

    async def work() -> None:
        await begin(lab, "tap0", other_config=policy("grace=30"))
        lab.links.delete(tap.index)
        await devices_changed(lab)
        lab.clock.advance(29 * SECOND)
        lab.reconciler.tick()
        await lab.reconciler.turn()
        assert ports(lab) == {"br0", "tap0"}
        lab.clock.advance(SECOND)
        lab.reconciler.tick()
        await lab.reconciler.turn()
        assert ports(lab) == {"br0"}

    run(work())


def test_while_the_database_does_not_take_it_the_port_stays_gone(lab: Lab) -> None:
    tap = lab.links.add("tap0")

    async def work() -> None:
        await begin(lab, "tap0", other_config=policy("ephemeral"))
        lab.links.delete(tap.index)
        lab.database.refuses = HotswitchError("out of reach")
        await devices_changed(lab)
        lab.links.add("tap0")
        await devices_changed(lab)
        assert ports(lab) == {"br0", "tap0"}
        assert "tap0" not in lab.switch.status()["br0"].ports
        lab.database.refuses = None
        lab.reconciler.tick()
        await lab.reconciler.turn()
        assert ports(lab) == {"br0"}

    run(work())


def test_a_row_of_the_same_name_that_comes_meanwhile_is_another_port(lab: Lab) -> None:
    tap = lab.links.add("tap0")

    async def work() -> None:
        await begin(lab, "tap0", other_config=policy("ephemeral"))
        lab.links.delete(tap.index)
        lab.reconciler.links_changed()
        lab.database.delete_port("br0", "tap0")
        lab.database.add_port("br0", "tap0")
        await lab.turn()
        assert ports(lab) == {"br0", "tap0"}
        assert "tap0" in lab.switch.status()["br0"].ports

    run(work())


def test_at_the_start_ephemeral_ports_without_a_device_go(lab: Lab) -> None:
    async def work() -> None:
        await begin(lab, "tap0", other_config=policy("ephemeral"))
        assert ports(lab) == {"br0"}

    run(work())


def test_the_status_shows_both_names_and_the_incarnation(lab: Lab) -> None:
    tap = lab.links.add("tap0")

    async def work() -> None:
        await begin(lab, "tap0")
        lab.links.change(tap.index, name="web")
        await devices_changed(lab)
        said = lab.interface("tap0")
        assert said["status"]["device_name"] == "web"
        assert said["status"]["incarnation"] == show_incarnation(tap.incarnation)
        assert said["error"] is None

    run(work())


def test_settings_of_links_are_read_and_wrong_ones_said(lab: Lab) -> None:
    card = lab.links.add("eth5", bus="pci/1")

    async def work() -> None:
        await begin(lab, "uplink", "tap0", other_config=policy("for ever"))
        lab.database.set("Interface", "uplink", other_config=put(link="bus=pci/1"))
        lab.database.set("Interface", "tap0", other_config=put(link="buss=pci/1"))
        await lab.turn()
        assert lab.interface("uplink")["ifindex"] == card.index
        assert "other_config:link" in lab.interface("tap0")["status"]["not_acted_on"]
        status = lab.database.row("Port", "tap0")["status"]
        assert "'for ever' is no lifecycle" in status["not_acted_on"]

    run(work())


def test_several_interfaces_are_a_vif_if_they_are_to_be(lab: Lab) -> None:
    tap = lab.links.add("tap1.0", carrier=True)
    vif = lab.links.add("vif1.0")

    async def work() -> None:
        await begin(lab)
        lab.database.add_bond("br0", "guest1", "tap1.0", "vif1.0")
        await lab.turn()
        assert "bonds are not supported" in lab.interface("tap1.0")["error"]
        lab.database.set("Port", "guest1", other_config=put(vif="true"))
        lab.database.set("Interface", "vif1.0", other_config=put(**{"vif-preference": "1"}))
        await lab.turn()
        both = [lab.interface(name) for name in ("tap1.0", "vif1.0")]
        assert both[0]["ofport"] == both[1]["ofport"] > 0
        assert [each["ifindex"] for each in both] == [tap.index, vif.index]
        assert [each["status"]["vif"] for each in both] == ["active", "standby"]
        lab.links.change(vif.index, carrier=True, state=OperationalState.UP)
        await devices_changed(lab)
        both = [lab.interface(name) for name in ("tap1.0", "vif1.0")]
        assert [each["status"]["vif"] for each in both] == ["standby", "active"]
        lab.links.delete(vif.index)
        await devices_changed(lab)
        both = [lab.interface(name) for name in ("tap1.0", "vif1.0")]
        assert [each["status"]["vif"] for each in both] == ["active", "missing"]
        assert both[1]["error"] is None and both[1]["ofport"] == both[0]["ofport"]

    run(work())


def test_no_new_device_gets_what_is_in_the_row_of_a_port_that_went(lab: Lab) -> None:
    """Whichever daemon lives when the row can go at last."""
    tap = lab.links.add("tap0")

    async def work() -> None:
        await begin(lab, "tap0", other_config=policy("ephemeral"))
        lab.links.delete(tap.index)
        lab.reconciler.links_changed()
        lab.links.add("tap0")
        lab.database.refuses = HotswitchError("out of reach")
        for _ in range(2):
            lab.restart()
            await lab.reconciler.start()
            assert "tap0" not in lab.switch.status()["br0"].ports
            assert ports(lab) == {"br0", "tap0"}
        lab.database.refuses = None
        lab.reconciler.tick()
        await lab.reconciler.turn()
        assert ports(lab) == {"br0"}
        assert not lab.kept.rows
        lab.database.add_port("br0", "tap0")
        await lab.turn()
        assert lab.switch.status()["br0"].ports["tap0"].ifindex

    run(work())
