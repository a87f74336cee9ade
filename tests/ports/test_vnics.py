"""vNICs over links: names, what is kept, and a death at each point of making and deleting."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotswitch.kernel import link_actions, netns
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.links import Link, get_link, list_links
from hotswitch.ports import vnics_file, vnics_macvlan
from hotswitch.ports.vnics import Macvlan, VnicError, lowest_free, mark, token_of
from hotswitch.ports.vnics_macvlan import Macvlans
from hotswitch.switch.link_table import LinkTable
from tests.ports import link_lab

OWNER = "0123456789ab"
POINTS = 14
"""More than there are in making one."""


@dataclass(frozen=True)
class Scene:
    """The thread is in a namespace with the link base0; `away` is another one."""

    path: Path
    away: str

    def life(self) -> Macvlans:
        """A daemon's life begins."""
        made = Macvlans(self.path, OWNER, look)
        made.recover()
        made.follow()
        return made


def look() -> LinkTable:
    return LinkTable.of(list_links())


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    if os.geteuid():
        pytest.skip("network namespaces need root")
    with link_lab.lab() as lab:
        link_actions.create("base0", "bridge")
        yield Scene(tmp_path / "conf.db.vnics", lab.away_name)


def base() -> Link:
    found = get_link("base0")
    assert found
    return found


def there(scene: Scene) -> tuple[set[str], set[str]]:
    """The devices here and there."""
    here = {link.name for link in list_links()} - {"lo", "base0"}
    with netns.inside(scene.away):
        return here, {link.name for link in list_links()} - {"lo"}


@given(st.sets(st.integers(0, 30)))
def test_the_lowest_number_is_taken(taken: set[int]) -> None:
    found = lowest_free(lambda name: int(name.removeprefix("vnic")) not in taken)
    assert found == f"vnic{min(set(range(32)) - taken)}"


def test_a_device_is_known_by_its_mark() -> None:
    marks = ("web", mark(OWNER, "7a"))
    assert token_of(OWNER, Link(1, "x", kind="macvlan", alternative_names=marks)) == "7a"
    assert token_of(OWNER, Link(1, "x", kind="bridge", alternative_names=marks)) == ""
    assert token_of("another", Link(1, "x", kind="macvlan", alternative_names=marks)) == ""


def test_what_is_kept_is_read_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "vnics"
    kept = (Macvlan("a", "vnic0", "eth0"), Macvlan("b", "vnic1", "eth0", "web", 7, 9))
    vnics_file.save(path, kept)
    assert vnics_file.load(path) == kept
    for damage in (b"", b"{", path.read_bytes()[:-9], b'{"about":"vnics","format":9,"vnics":[]}'):
        path.write_bytes(damage)
        assert vnics_file.load(path) == () and not path.exists()
        assert path.with_name("vnics.damaged").read_bytes() == damage
        assert "not known any more" in caplog.text
    with pytest.raises(VnicError, match="can't read"):
        vnics_file.load(tmp_path)
    with pytest.raises(VnicError, match="can't write"):
        vnics_file.save(tmp_path / "nowhere" / "vnics", kept)


def dies(work: Callable[[], object], point: int) -> bool:
    """Do the work in a process that dies before the step of this number; whether it did."""
    child = os.fork()
    if child == 0:
        left = [point]

        def mortal(module: Any, name: str) -> None:
            real = getattr(module, name)

            def step(*given: Any, **named: Any) -> Any:
                left[0] -= 1
                if left[0] < 0:
                    os._exit(9)
                return real(*given, **named)

            setattr(module, name, step)

        changes = ("create", "add_alternative_name", "set_address", "rename", "move", "delete")
        for name in changes:
            mortal(link_actions, name)
        mortal(vnics_file, "save")
        mortal(os, "fsync")
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9)
    return code == 9


@pytest.mark.parametrize("far", [False, True])
def test_death_while_one_is_made_leaves_it_whole_or_none(scene: Scene, far: bool) -> None:
    namespace = scene.away if far else ""
    outcomes = []
    for point in range(POINTS):
        died = dies(lambda: scene.life().add("vnic0", base(), namespace, 0x02000000000A), point)
        life = scene.life()
        here, away = there(scene)
        wanted = {each.name for each in life.vnics}
        assert (here, away) == ((set(), wanted) if far else (wanted, set())), point
        for each in life.vnics:
            found = life.find(each)
            assert found and found.address == 0x02000000000A
            life.delete(each)
        assert there(scene) == (set(), set())
        outcomes.append((died, bool(wanted)))
    assert outcomes[0] == (True, False) and outcomes[-1] == (False, True)


@pytest.mark.parametrize("far", [False, True])
def test_death_while_one_is_deleted_leaves_it_whole_or_none(scene: Scene, far: bool) -> None:
    for point in range(5):
        life = scene.life()
        if not life.vnics:
            life.add("vnic0", base(), scene.away if far else "", 0)
        dies(lambda: [life.delete(each) for each in life.vnics], point)  # noqa: B023
        after = scene.life()
        wanted = {each.name for each in after.vnics}
        assert there(scene) == ((set(), wanted) if far else (wanted, set())), point
    assert scene.life().vnics == ()


def test_what_fails_changes_nothing(scene: Scene) -> None:
    life = scene.life()
    link_actions.create("mine", "bridge")
    with netns.inside(scene.away):
        link_actions.create("yours", "bridge")
    loopback = get_link("lo")
    assert loopback
    for name, namespace in (("mine", ""), ("yours", scene.away)):
        with pytest.raises(VnicError, match=f"^{name} is taken: another link has it$"):
            life.add(name, base(), namespace, 0)
        assert life.vnics == () and there(scene) == ({"mine"}, {"yours"})
    for name, over, namespace, mac in (
        ("vnic0", base(), "/nowhere", 0),
        ("vnic0", base(), "", 0x010000000000),
        ("vnic0", loopback, "", 0),
        ("vnic0", Link(4711, "gone"), "", 0),
    ):
        with pytest.raises((KernelError, VnicError)):
            life.add(name, over, namespace, mac)
        assert life.vnics == () and there(scene) == ({"mine"}, {"yours"})
    assert vnics_file.load(scene.path) == ()


def test_what_can_not_be_kept_is_not_made(scene: Scene) -> None:
    life = Macvlans(scene.path.parent / "gone" / "vnics", OWNER, look)
    with pytest.raises(VnicError, match="can't write"):
        life.add("vnic0", base(), "", 0)
    assert life.vnics == () and there(scene) == (set(), set())


def test_a_mark_that_somebody_copied_does_not_count(scene: Scene) -> None:
    life = scene.life()
    vnic = life.add("vnic0", base(), "", 0)
    made = get_link("vnic0")
    assert made
    link_actions.delete(made.index)
    fake = link_actions.create("vnic0", "macvlan", base=base().index)
    link_actions.add_alternative_name(fake.index, mark(OWNER, vnic.token))
    assert life.find(vnic) is None
    life.delete(vnic)
    assert life.vnics == () and get_link("vnic0") == get_link(fake.index) is not None


def test_a_failure_is_tried_again_only_when_asked(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = scene.life()
    life.add("vnic0", base(), "", 0)
    made = get_link("vnic0")
    assert made
    link_actions.delete(made.index)
    taker = link_actions.create("vnic0", "bridge")
    for _ in range(2):
        life.follow()
        assert "did not make" in life.error_of(life.vnics[0])
    link_actions.delete(taker.index)
    life.follow()
    assert get_link("vnic0") is None
    life.follow(again=True)
    assert get_link("vnic0") is not None and life.error_of(life.vnics[0]) == ""
    assert vnics_macvlan.life_of(base()) == vnics_macvlan.life_of(base()) > 0
