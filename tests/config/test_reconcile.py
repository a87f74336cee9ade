from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from typing import Any

import pytest

from hotswitch.base.errors import HotswitchError
from hotswitch.config.operations import RefusalError, Update
from hotswitch.kernel.link_actions import FlagChange
from hotswitch.kernel.link_counters import LinkCounters
from hotswitch.kernel.links import Link
from hotswitch.ports.selector import show_incarnation
from hotswitch.switch.desired import Desired
from tests.config.lab import Lab

SECOND = 1_000_000_000
Test = Callable[[Lab], Coroutine[Any, Any, None]]


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 10))


def test_a_port_is_added_and_said(lab: Lab) -> None:
    link = lab.links.add("v0", address=0x020000000001, up=True, carrier=True)

    async def work() -> None:
        lab.database.add_bridge("br0")
        await lab.reconciler.start()
        lab.database.add_port("br0", "v0")
        await lab.turn()

    run(work())
    root = lab.database.row("Open_vSwitch")
    assert root["cur_cfg"] == root["next_cfg"] == 2
    assert root["ovs_version"] == "hotswitch 1.2.3"
    assert root["db_version"] == lab.database.engine.schema.version
    assert root["iface_types"] == ("internal", "patch", "system", "tap")
    assert root["datapath_types"] == ("netdev", "system")
    assert (root["system_type"], root["system_version"]) == ("debian", "12")
    said = lab.interface("v0")
    assert {column: said[column] for column in said if column not in ("_uuid", "_version")} | {
        "statistics": {}
    } == {
        **{column: said[column] for column in said if column.startswith(("cfm", "ingress"))},
        "name": "v0",
        "type": "",
        "options": {},
        "mac": None,
        "mac_in_use": "02:00:00:00:00:01",
        "ifindex": link.index,
        "external_ids": {},
        "ofport": 1,
        "ofport_request": None,
        "bfd": {},
        "bfd_status": {},
        "lacp_current": None,
        "lldp": {},
        "other_config": {},
        "statistics": {},
        "status": {
            "driver_name": "dummy",
            "driver_version": "1.0",
            "firmware_version": "",
            "device_name": "v0",
            "incarnation": show_incarnation(link.incarnation),
        },
        "admin_state": "up",
        "link_state": "up",
        "link_resets": 0,
        "link_speed": 10_000_000_000,
        "duplex": "full",
        "mtu": 1500,
        "mtu_request": None,
        "error": None,
    }
    local = lab.interface("br0")
    assert local["ofport"] == 65534
    assert local["ifindex"] == lab.links.named("br0").index
    bridge = lab.database.row("Bridge")
    assert bridge["datapath_version"] == "hotswitch 1.2.3"
    assert bridge["status"] == {}


def test_the_datapath_id_is_the_local_address_or_what_is_asked_for(lab: Lab) -> None:
    async def work() -> None:
        lab.database.add_bridge("br0")
        await lab.reconciler.start()
        lab.links.change(lab.links.named("br0").index, address=0x020000000005)
        await lab.turn()
        assert lab.database.row("Bridge")["datapath_id"] == "0000020000000005"
        asked = ["map", [["datapath-id", "00000000000000AB"]]]
        lab.database.set("Bridge", "br0", other_config=asked)
        await lab.turn()
        assert lab.database.row("Bridge")["datapath_id"] == "00000000000000ab"

    run(work())


def test_nothing_is_written_when_nothing_has_changed(lab: Lab) -> None:
    lab.links.add("v0")

    async def work() -> None:
        lab.database.add_bridge("br0")
        lab.database.add_port("br0", "v0")
        lab.database.add_port("br0", "absent")
        await lab.reconciler.start()
        lab.clock.advance(6 * SECOND)
        await lab.turn()
        written = len(lab.database.written)
        content = lab.database.engine.transaction_id
        for _ in range(3):
            await lab.turn()
            lab.clock.advance(6 * SECOND)
        assert len(lab.database.written) == written
        assert lab.database.engine.transaction_id == content

    run(work())


def test_only_what_differs_is_written(lab: Lab) -> None:
    links = [lab.links.add(name) for name in ("v0", "v1")]

    async def work() -> None:
        lab.database.add_bridge("br0")
        for link in links:
            lab.database.add_port("br0", link.name)
        await lab.reconciler.start()
        await lab.turn()
        lab.database.written.clear()
        lab.links.change(links[1].index, mtu=1400)
        lab.reconciler.links_changed()
        await lab.reconciler.turn()
        [updates] = lab.database.written
        assert {(each.table, name) for each in updates for name in each.columns} <= {
            ("Interface", "mtu")
        }
        assert lab.interface("v1")["mtu"] == 1400

    run(work())


def test_a_device_that_is_missing(lab: Lab) -> None:
    async def work() -> None:
        lab.database.add_bridge("br0")
        lab.database.add_port("br0", "v0")
        await lab.reconciler.start()
        said = lab.interface("v0")
        assert said["ofport"] == -1
        assert said["error"] == "could not open network device v0 (No such device)"
        assert (said["ifindex"], said["mac_in_use"], said["link_state"]) == (None, None, None)
        assert lab.database.row("Open_vSwitch")["cur_cfg"] == 2
        link = lab.links.add("v0")
        lab.reconciler.links_changed()
        assert lab.switch.status()["br0"].ports["v0"].ifindex == link.index  # before any turn
        await lab.reconciler.turn()
        assert (lab.interface("v0")["ofport"], lab.interface("v0")["error"]) == (1, None)
        lab.links.delete(link.index)
        lab.reconciler.links_changed()
        await lab.reconciler.turn()
        assert (lab.interface("v0")["ofport"], lab.interface("v0")["statistics"]) == (-1, {})

    run(work())


def test_one_port_that_fails_is_said_and_tried_again(lab: Lab) -> None:
    lab.links.add("v0")
    lab.links.add("v1")
    lab.links.broken.add("v0")

    async def work() -> None:
        lab.database.add_bridge("br0")
        lab.database.add_port("br0", "v0")
        lab.database.add_port("br0", "v1")
        await lab.reconciler.start()
        assert lab.interface("v0")["ofport"] == -1
        assert "link v0 does not want to" in lab.interface("v0")["error"]
        assert lab.interface("v1")["ofport"] == 2
        assert lab.database.row("Open_vSwitch")["cur_cfg"] == 3
        lab.links.broken.clear()
        lab.clock.advance(5 * SECOND)
        lab.reconciler.tick()
        await lab.reconciler.turn()
        assert (lab.interface("v0")["ofport"], lab.interface("v0")["error"]) == (1, None)

    run(work())


def test_a_bridge_that_fails_is_said(lab: Lab) -> None:
    lab.links.broken.add("br0")

    async def work() -> None:
        lab.database.add_bridge("br0")
        await lab.reconciler.start()
        assert "br0 can't be made" in lab.interface("br0")["error"]

    run(work())


def test_what_is_not_acted_on_is_in_the_status_and_in_the_log(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    lab.links.add("v0")

    async def work() -> None:
        lab.database.add_bridge("br0", stp_enable=True)
        lab.database.add_port("br0", "v0", ingress_policing_rate=9)
        lab.database.set("Port", "v0", vlan_mode="trunk", protected=True)
        lab.database.set("Open_vSwitch", "", other_config=["map", [["vlan-limit", "2"]]])
        with caplog.at_level(logging.WARNING):
            await lab.reconciler.start()
            await lab.turn()

    run(work())
    assert lab.database.row("Bridge")["status"] == {"not_acted_on": "stp_enable"}
    assert lab.database.row("Port", "v0")["status"] == {"not_acted_on": "protected"}
    assert lab.interface("v0")["status"]["not_acted_on"] == "ingress_policing_rate"
    assert lab.interface("v0")["ofport"] == 1
    assert [each.message for each in caplog.records] == [
        "Bridge br0: stp_enable is kept but not acted on",
        "Interface v0: ingress_policing_rate is kept but not acted on",
        "Open_vSwitch: other_config:vlan-limit is kept but not acted on",
        "Port v0: protected is kept but not acted on",
    ]


def test_statistics(lab: Lab) -> None:
    link = lab.links.add("v0")
    lab.devices.counted[link.index] = LinkCounters(rx_crc_errors=3, tx_dropped=2)

    async def work() -> None:
        lab.database.add_bridge("br0")
        lab.database.add_port("br0", "v0")
        await lab.reconciler.start()
        assert lab.interface("v0")["statistics"]["rx_crc_err"] == 3
        lab.devices.counted[link.index] = LinkCounters(rx_crc_errors=4, tx_dropped=2)
        lab.clock.advance(5 * SECOND - 1)
        lab.reconciler.tick()
        await lab.turn()
        assert lab.interface("v0")["statistics"]["rx_crc_err"] == 3
        lab.clock.advance(1)
        lab.reconciler.tick()
        await lab.turn()
        statistics = lab.interface("v0")["statistics"]
        assert (statistics["rx_crc_err"], statistics["tx_dropped"]) == (4, 2)
        assert (statistics["rx_packets"], statistics["tx_bytes"]) == (0, 0)
        lab.database.set(
            "Open_vSwitch", "", other_config=["map", [["stats-update-interval", "9000"]]]
        )
        await lab.turn()

    run(work())


def test_what_happens_amid_statistics_is_said_before_the_rest_of_them(lab: Lab) -> None:
    names = [f"v{number}" for number in range(50)]
    links = [lab.links.add(name) for name in names]

    def counted() -> int:
        rows = [lab.interface(name)["statistics"] for name in names]
        return sum(row.get("rx_crc_err") == 3 for row in rows)

    async def work() -> None:
        lab.database.add_bridge("br0")
        for name in (*names, "late"):
            lab.database.add_port("br0", name)
        await lab.reconciler.start()
        lab.devices.counted = {link.index: LinkCounters(rx_crc_errors=3) for link in links}
        lab.clock.advance(5 * SECOND)
        write, said = lab.database.transact, []

        async def transact(updates: Sequence[Update]) -> None:
            await write(updates)
            if not said and counted():
                lab.links.add("late")
                lab.reconciler.links_changed()
            said.append((lab.interface("late")["ofport"] != -1, counted()))

        lab.database.transact = transact  # type: ignore[method-assign]
        running = asyncio.create_task(lab.reconciler.run())
        lab.reconciler.changed()
        while counted() < len(names):
            await asyncio.sleep(0)
        running.cancel()
        (_, first), second, *_, last = said
        assert 0 < first < len(names)
        assert second == (True, first)
        assert last == (True, len(names))

    run(work())


def test_statistics_of_the_host_are_there_when_they_are_asked_for(lab: Lab) -> None:
    async def work() -> None:
        await lab.reconciler.start()

        async def said(enable: str) -> object:
            settings = ["map", [["enable-statistics", enable]]]
            lab.database.set("Open_vSwitch", "", other_config=settings)
            await lab.turn()
            return lab.database.row("Open_vSwitch")["statistics"]

        assert lab.database.row("Open_vSwitch")["statistics"] == {}
        for enable, expected in (("true", {"cpu": "64"}), ("perhaps", {}), ("TRUE", {"cpu": "64"})):
            assert await said(enable) == expected
        lab.database.set("Open_vSwitch", "", statistics=["map", [["cpu", "1"], ["old", "x"]]])
        lab.clock.advance(5 * SECOND)
        assert await said("true") == {"cpu": "64"}
        assert await said("false") == {}

    run(work())


def test_carriers_that_come_and_go_are_counted(lab: Lab) -> None:
    link = lab.links.add("v0", carrier=True)

    async def work() -> None:
        lab.database.add_bridge("br0")
        lab.database.add_port("br0", "v0")
        await lab.reconciler.start()
        for carrier in (False, True, True):
            lab.links.change(link.index, carrier=carrier)
            lab.reconciler.links_changed()
            await lab.reconciler.turn()
        assert lab.interface("v0")["link_resets"] == 2

    run(work())


def test_numbers_survive_a_reboot_but_not_a_deletion(lab: Lab) -> None:
    async def work() -> None:
        lab.database.add_bridge("br0")
        for name in ("v0", "v1"):
            lab.links.add(name)
            lab.database.add_port("br0", name)
        await lab.reconciler.start()
        lab.database.delete_port("br0", "v0")
        await lab.turn()
        assert lab.interface("v1")["ofport"] == 2
        lab.switch.set_desired(Desired())
        lab.reconciler = lab.new_reconciler()
        await lab.reconciler.start()
        assert lab.interface("v1")["ofport"] == 2
        lab.database.delete_port("br0", "v1")
        await lab.turn()
        lab.database.add_port("br0", "v1")
        await lab.turn()
        assert lab.interface("v1")["ofport"] == 1

    run(work())


def test_changes_during_a_compilation_share_the_next(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    compilations: list[Future[object]] = []
    asked: list[Desired] = []

    def prepare(desired: Desired) -> list[Future[object]]:
        if asked and asked[-1] is desired:
            return []
        asked.append(desired)
        compilations.append(Future())
        return compilations[-1:]

    monkeypatch.setattr(lab.switch, "prepare", prepare)

    async def work() -> None:
        lab.database.add_bridge("br0")
        task = asyncio.create_task(lab.reconciler.start())
        while not compilations:
            await asyncio.sleep(0)
        for number in range(5):
            lab.database.add_port("br0", f"v{number}")
            lab.reconciler.changed()
        assert not lab.switch.desired.bridges
        compilations[0].set_result(None)
        await task
        assert lab.database.row("Open_vSwitch")["cur_cfg"] == 1
        running = asyncio.create_task(lab.reconciler.run())
        while len(compilations) < 2:
            await asyncio.sleep(0)
        compilations[1].set_result(None)
        while lab.database.row("Open_vSwitch")["cur_cfg"] != 6:
            await asyncio.sleep(0)
        running.cancel()

    run(work())
    assert len(asked) == 2


def test_others_have_their_turns_amid_long_work(lab: Lab) -> None:
    """And a device that comes then has its port when the work is done."""
    usual, made = lab.links.create_veth, []

    def slow(name: str, peer: str, mtu: int, address: int = 0) -> Link:
        time.sleep(0.003)  # the kernel takes its time
        made.append(name)
        return usual(name, peer, mtu, address)

    async def work() -> None:
        lab.database.add_bridge("br0")
        lab.database.add_port("br0", "v0")
        await lab.reconciler.start()
        lab.links.create_veth = slow  # type: ignore[method-assign]
        for number in range(60):
            lab.database.add_port("br0", f"i{number}", type="internal")
        lab.reconciler.changed()
        turn = asyncio.create_task(lab.reconciler.turn())
        seen = set()
        while not turn.done():
            if lab.switch.is_amid and len(made) not in seen:
                seen.add(len(made))
                assert "br0" in lab.switch.status()
                if len(seen) == 2:
                    lab.links.add("v0")
                    lab.reconciler.links_changed()
            await asyncio.sleep(0)
        await turn
        assert len(seen) > 4, seen
        assert lab.switch.status()["br0"].ports["v0"].ifindex
        await lab.reconciler.turn()
        assert all(lab.interface(f"i{number}")["ofport"] != -1 for number in range(60))
        assert lab.interface("v0")["ofport"] == 1

    run(work())


def test_devices_that_come_amid_the_first_turn_have_their_ports(lab: Lab) -> None:
    """Also when nothing is left to be done for which it would look again."""
    usual = lab.links.change_flags
    names = [f"v{number}" for number in range(9)]

    def slow(changes: Sequence[FlagChange]) -> list[HotswitchError | None]:
        time.sleep(0.03)  # others have their turn after so long
        return usual(changes)

    async def work() -> None:
        lab.database.add_bridge("br0")
        for name in names:
            lab.database.add_port("br0", name)
        lab.links.change_flags = slow  # type: ignore[method-assign]
        start = asyncio.create_task(lab.reconciler.start())
        come: list[str] = []
        while not lab.reconciler.has_begun:
            if lab.switch.is_amid and names:
                come.append(names.pop(0))
                lab.links.add(come[-1])
                lab.reconciler.links_changed()
            await asyncio.sleep(0)
        await start
        bound = {each.name for each in lab.world.datapaths["br0"].ports().values() if each.ifindex}
        assert come and bound == {"br0", *come}

    run(work())


def test_a_daemon_that_ends_amid_work_can_still_remove_all(lab: Lab) -> None:
    async def work() -> None:
        lab.database.add_bridge("br0")
        await lab.reconciler.start()
        turn = None
        usual = lab.links.create_veth

        def dies(name: str, peer: str, mtu: int, address: int = 0) -> Link:
            time.sleep(0.03)
            assert turn
            turn.cancel()
            return usual(name, peer, mtu, address)

        lab.links.create_veth = dies  # type: ignore[method-assign]
        for number in range(4):
            lab.database.add_port("br0", f"i{number}", type="internal")
        turn = asyncio.create_task(lab.reconciler.turn())
        with pytest.raises(asyncio.CancelledError):
            await turn
        assert not lab.switch.is_amid
        assert "i0" in {link.name for link in lab.links.links.values()}
        assert lab.switch.set_desired(Desired()) == []
        assert lab.links.links == {}

    run(work())


def test_what_a_database_refuses_keeps_nothing_else_from_it(lab: Lab) -> None:
    async def work() -> None:
        database = lab.database
        database.add_bridge("br0")
        database.add_port("br0", "v0")
        bad = {uuid for uuid, row in database.tables()["Interface"].items() if row["name"] == "v0"}
        takes = database.transact

        async def transact(updates: Sequence[Update]) -> None:
            if any(each.row in bad for each in updates):
                raise RefusalError("not this one")
            await takes(updates)

        database.transact = transact  # type: ignore[method-assign]
        await lab.reconciler.start()
        root = database.row("Open_vSwitch")
        assert root["cur_cfg"] == root["next_cfg"] == 2
        assert database.row("Interface", "br0")["ofport"] is not None
        assert database.row("Interface", "v0")["error"] is None
        assert lab.reconciler.unwritten == "the status can't be written: not this one"
        bad.clear()
        await lab.reconciler.turn()
        assert database.row("Interface", "v0")["error"]
        assert lab.reconciler.unwritten == ""

    run(work())


def test_a_database_that_takes_nothing_gets_it_later(lab: Lab) -> None:
    async def work() -> None:
        lab.database.refuses = HotswitchError("gone")
        lab.database.add_bridge("br0")
        await lab.reconciler.start()
        assert "br0" in lab.switch.desired.bridges
        lab.database.refuses = None
        running = asyncio.create_task(lab.reconciler.run())
        lab.reconciler.tick()
        while lab.database.row("Open_vSwitch")["cur_cfg"] != 1:
            await asyncio.sleep(0)
        running.cancel()

    run(work())


def test_without_a_look_at_the_links_nothing_is_in_force(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> list[Any]:
        raise HotswitchError("no links")

    async def work() -> None:
        await lab.reconciler.start()
        lab.database.add_bridge("br0")
        with monkeypatch.context() as patch:
            patch.setattr(lab.links, "look", fail)
            await lab.turn()
        assert lab.database.row("Open_vSwitch")["cur_cfg"] == 0
        await lab.turn()
        assert lab.database.row("Open_vSwitch")["cur_cfg"] == 1

    run(work())


def test_a_bug_does_not_end_the_loop(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        await lab.reconciler.start()
        running = asyncio.create_task(lab.reconciler.run())
        with monkeypatch.context() as patch:
            patch.setattr(lab.switch, "statuses", lambda: 1 // 0)
            lab.database.add_bridge("br0")
            lab.reconciler.changed()
            while "a bug" not in caplog.text:
                await asyncio.sleep(0)
        lab.reconciler.changed()
        while lab.database.row("Open_vSwitch")["cur_cfg"] != 1:
            await asyncio.sleep(0)
        running.cancel()

    run(work())


def test_the_local_device_has_its_address_whether_it_has_a_row_or_not(lab: Lab) -> None:
    def local() -> int:
        return lab.links.named("br0").address

    async def work() -> None:
        lab.database.add_bridge("br0")
        await lab.reconciler.start()
        lab.database.delete_port("br0", "br0")
        lab.database.set("Bridge", "br0", other_config=["map", [["hwaddr", "02:00:00:00:00:01"]]])
        await lab.turn()
        assert local() == 0x020000000001
        assert lab.database.row("Bridge", "br0")["status"] == {}
        assert lab.database.row("Bridge", "br0")["datapath_id"] == "0000020000000001"
        lab.database.set("Bridge", "br0", other_config=["map", [["hwaddr", "02:00:00:00:00:02"]]])
        lab.database.add_port("br0", "br0", type="internal")
        await lab.turn()
        assert local() == 0x020000000002

    run(work())
