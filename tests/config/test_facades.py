"""Facades in the database: their keys, the rows of their slaves, and what cannot be."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from hotswitch.base.errors import HotswitchError
from hotswitch.kernel.links import Link
from tests.config.lab import Lab


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 10))


def put(**settings: str) -> list[Any]:
    return ["map", list(map(list, settings.items()))]


async def devices_changed(lab: Lab) -> None:
    lab.reconciler.links_changed()
    await lab.reconciler.turn()


def ports(lab: Lab, bridge: str) -> set[str]:
    rows = lab.database.tables()["Port"]
    return {str(rows[each]["name"]) for each in lab.database.row("Bridge", bridge)["ports"]}


def begin(lab: Lab, name: str = "hs0", facade: str = "br0") -> Link:
    made = lab.links.add(facade, kind="bridge")
    lab.database.add_bridge(name, other_config=put(facade=facade))
    return made


def test_slaves_have_rows_as_long_as_they_are_slaves(lab: Lab) -> None:
    facade = begin(lab)

    async def work() -> None:
        await lab.reconciler.start()
        tap = lab.links.add("tap0", master=facade.index)
        await devices_changed(lab)
        assert ports(lab, "hs0") == {"hs0", "tap0"}
        said = lab.database.row("Port", "tap0")["other_config"]
        assert said == {"master": "br0", "lifecycle": "ephemeral"}
        lab.database.set("Port", "tap0", tag=10)
        await lab.turn()
        again = lab.new_reconciler()
        lab.reconciler = again
        await again.start()
        assert lab.database.row("Port", "tap0")["tag"] == 10
        assert lab.switch.desired.bridges["hs0"].ports["tap0"].tag == 10
        lab.links.change(tap.index, master=0)
        await devices_changed(lab)
        assert ports(lab, "hs0") == {"hs0"}
        lab.links.change(tap.index, master=facade.index)
        await devices_changed(lab)
        assert lab.database.row("Port", "tap0")["tag"] is None

    run(work())


def test_a_row_that_is_deleted_comes_again_and_they_do_not_pile_up(lab: Lab) -> None:
    facade = begin(lab)
    lab.links.add("tap0", master=facade.index)

    async def work() -> None:
        await lab.reconciler.start()
        for _ in range(3):
            before = lab.database.row("Port", "tap0")["_uuid"]
            lab.database.delete_port("hs0", "tap0")
            await lab.turn()
            assert ports(lab, "hs0") == {"hs0", "tap0"}
            assert lab.database.row("Port", "tap0")["_uuid"] != before
        count = len(lab.database.written)
        await lab.turn()
        assert len(lab.database.written) == count
        assert len(lab.database.tables()["Port"]) == 2

    run(work())


def test_a_database_that_can_not_be_written_does_not_matter_to_forwarding(lab: Lab) -> None:
    facade = begin(lab)

    async def work() -> None:
        await lab.reconciler.start()
        lab.database.refuses = HotswitchError("full")
        lab.links.add("tap0", master=facade.index)
        await devices_changed(lab)
        assert ports(lab, "hs0") == {"hs0"}
        there = lab.world.datapaths["hs0"].ports().values()
        assert {each.name for each in there} == {"hs0", "tap0"}
        lab.database.refuses = None
        lab.reconciler.tick()
        await lab.reconciler.turn()
        assert ports(lab, "hs0") == {"hs0", "tap0"}

    run(work())


def test_what_cannot_be_is_said_in_its_row(lab: Lab) -> None:
    begin(lab)
    lab.database.add_bridge("hs1", other_config=put(facade="br0"))
    lab.database.add_bridge("hs2", other_config=put(facade="hs0"))
    lab.database.add_bridge("hs3", other_config=put(facade="a/b"))
    lab.database.add_bridge("hs4")
    lab.database.add_port("hs4", "br0")
    lab.database.set("Bridge", "hs0", other_config=put(facade="br0", hwaddr="02:00:00:00:00:01"))

    async def work() -> None:
        await lab.reconciler.start()
        assert lab.switch.desired.bridges.keys() == {"hs0", "hs4"}
        for name, why in (
            ("hs1", "br0 is the facade of bridge hs0"),
            ("hs2", "hs0 is itself a bridge"),
            ("hs3", "facade name 'a/b' is no link's name"),
        ):
            assert why in lab.database.row("Bridge", name)["status"]["error"]
        assert lab.interface("br0")["error"] == "br0 is the facade of bridge hs0"
        ignored = lab.database.row("Bridge", "hs0")["status"]["not_acted_on"]
        assert "hwaddr (the facade keeps its own address)" in ignored
        # One row after another is put right.
        for name in ("hs1", "hs2", "hs3"):
            lab.database.set("Bridge", name, other_config=put())
        lab.database.delete_port("hs4", "br0")
        lab.database.add_port("hs4", "tap9")
        await lab.turn()
        assert len(lab.switch.desired.bridges) == 5
        lab.database.add_port("hs1", "br0")
        await lab.turn()
        assert lab.interface("br0")["error"] == "br0 is the facade of bridge hs0"
        assert lab.switch.status()["hs0"].ports["hs0"].link == "br0"

    run(work())


def test_what_is_missing_and_what_is_in_the_way_is_said(lab: Lab) -> None:
    lab.database.add_bridge("hs0", other_config=put(facade="br0"))
    lab.database.add_bridge("hs1")
    lab.database.add_port("hs1", "tap0")

    async def work() -> None:
        await lab.reconciler.start()
        assert lab.interface("hs0")["error"] == "there is no Linux bridge br0 yet"
        assert lab.interface("hs0")["ofport"] == -1
        facade = lab.links.add("br0", kind="bridge", address=0x020000000007)
        lab.links.add("tap0", master=facade.index)
        await devices_changed(lab)
        said = lab.interface("hs0")
        assert (said["error"], said["ofport"], said["ifindex"]) == (None, 65534, facade.index)
        row = lab.database.row("Bridge", "hs0")
        assert row["datapath_id"] == "0000020000000007"
        assert row["status"] == {
            "warning": "tap0 in the facade br0 is not taken: it is port tap0 of bridge hs1"
        }
        lab.database.delete_port("hs1", "tap0")
        await lab.turn()
        assert lab.database.row("Bridge", "hs0")["status"] == {}
        assert ports(lab, "hs0") == {"hs0", "tap0"}

    run(work())
