"""Link ids in a file: through restarts, boots, kills, damage and a full disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hotswitch.kernel import link_actions
from hotswitch.kernel.links import Link
from hotswitch.ports.link_changes import Appeared, Disappeared, Renamed
from hotswitch.ports.link_id_file import KeptLinkIds
from hotswitch.ports.link_id_records import LinkIdError
from hotswitch.ports.link_watch import LinkWatch
from tests.ports.link_lab import lab


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "links.json"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "none", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def taps(*numbers: int) -> list[Link]:
    return [Link(each, f"tap{each}", "tun", incarnation=1000 + each) for each in numbers]


def appear(ids: KeptLinkIds, links: list[Link]) -> list[int | None]:
    ids.follow([Appeared(each) for each in links])
    return [ids.id_of(each) for each in links]


def test_real_links_have_their_ids_after_a_restart(path: Path) -> None:
    with lab():
        first = link_actions.create("one", "bridge").index
        link_actions.create("two", "bridge")
        with LinkWatch() as watch:
            ids = KeptLinkIds(path)
            ids.follow(watch.read())
            before = {each.index: ids.id_of(each) for each in watch.links.values()}
            assert len(set(before.values())) == 3
            link_actions.rename(first, "three")
            ids.follow(watch.read())
            ids.close()
        link_actions.delete(first)
        link_actions.create("one", "bridge", index=first)
        with LinkWatch() as watch:
            ids = KeptLinkIds(path)
            ids.follow(watch.read())
            for link in watch.links.values():
                link_id = ids.id_of(link)
                assert link_id
                assert ids.link_of(link_id) == link
                if link.name == "one":
                    assert link_id not in before.values()
                else:
                    assert link_id == before[link.index]
            gone = before[first]
            assert gone
            record = ids.record_of(gone)
            assert record
            assert record.name == "three"
            ids.close()


def test_after_another_boot_software_has_new_ids(path: Path) -> None:
    nic = Link(2, "eth0", permanent_address=5, incarnation=7)
    ids = KeptLinkIds(path, boot="one")
    before = appear(ids, [*taps(1), nic])
    ids.close()
    ids = KeptLinkIds(path, boot="two")
    after = appear(ids, [*taps(1), replace(nic, incarnation=99)])
    assert after[1] == before[1]
    assert after[0] not in before


def test_ids_stay_small(path: Path) -> None:
    for number in range(1, 50):
        ids = KeptLinkIds(path)
        assert appear(ids, taps(*range(1, number + 1))) == list(range(1, number + 1))
        ids.close()


def test_one_write_for_a_flock(path: Path) -> None:
    ids = KeptLinkIds(path)
    appear(ids, taps(*range(200)))
    lines = path.read_bytes().splitlines()
    assert len(lines) == 2 + 200  # head and reservation come first
    size = path.stat().st_size
    ids.follow([Appeared(each) for each in taps(1)])
    assert path.stat().st_size == size


def test_what_says_nothing_any_more_is_thrown_away(path: Path) -> None:
    ids = KeptLinkIds(path)
    (link,) = taps(1)
    appear(ids, [link])
    for number in range(5000):
        renamed = replace(link, name=f"name{number}")
        ids.follow([Renamed(link, renamed)])
        link = renamed
    assert len(path.read_bytes().splitlines()) < 2100
    ids.close()
    ids = KeptLinkIds(path)
    assert appear(ids, [link]) == [1]
    record = ids.record_of(1)
    assert record
    assert record.name == "name4999"
    assert not path.with_name("links.json.new").exists()


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_line_that_was_not_finished_is_not_there(
    path: Path, cut: int, caplog: pytest.LogCaptureFixture
) -> None:
    ids = KeptLinkIds(path)
    before = appear(ids, taps(1, 2))
    ids.close()
    path.write_bytes(path.read_bytes()[:-cut])
    ids = KeptLinkIds(path)
    after = appear(ids, taps(1, 2))
    assert after[0] == before[0]
    assert after[1] not in before
    assert not caplog.records
    ids.close()
    assert appear(KeptLinkIds(path), taps(1, 2)) == after


@pytest.mark.parametrize("damage", [b"", b"\0" * 4096, b"[]\n", b"\xff\xfe\n{}\n"])
def test_a_damaged_file_is_put_aside(
    path: Path, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    ids = KeptLinkIds(path)
    before = appear(ids, taps(1, 2))
    ids.close()
    whole = path.read_bytes()
    middle = whole.index(b"\n") + 1
    path.write_bytes(whole[:middle] + damage + b"!\n" + whole[middle:])
    ids = KeptLinkIds(path)
    (record,) = caplog.records
    assert "line 2" in record.getMessage()
    assert "links.json.damaged" in record.getMessage()
    after = appear(ids, taps(1, 2))
    assert None not in after
    assert not set(before) & set(after)
    assert path.with_name("links.json.damaged").exists()
    ids.close()
    assert appear(KeptLinkIds(path), taps(1, 2)) == after


def test_an_empty_file_is_damaged(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.touch()
    appear(KeptLinkIds(path), taps(1))
    assert "no head" in caplog.text


def test_a_file_that_can_t_be_had_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LinkIdError, match=r"can't write .*: No such file"):
        KeptLinkIds(tmp_path / "nowhere" / "links.json")
    with pytest.raises(LinkIdError, match=r"can't read .*: Is a directory"):
        KeptLinkIds(tmp_path)


def test_a_full_disk(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = small_disk / "links.json"
    ids = KeptLinkIds(path)
    kept = appear(ids, taps(*range(50)))
    filler = small_disk / "filler"
    with pytest.raises(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(512))
    links = taps(*range(100, 1200))
    told = appear(ids, links)
    told = appear(ids, links)
    assert len(caplog.records) == 1
    assert "No space left on device" in caplog.text
    assert None in told
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=1m", small_disk], check=True)
    ids.follow([])
    told_now = [ids.id_of(each) for each in links]
    assert None not in told_now
    assert all(before in (None, now) for before, now in zip(told, told_now, strict=True))
    ids.close()
    again = KeptLinkIds(path)
    assert appear(again, taps(*range(50)) + links) == kept + told_now
    again.close()


_CHILD = """
import sys
from pathlib import Path
from hotswitch.kernel.links import Link
from hotswitch.ports.link_changes import Appeared
from hotswitch.ports.link_id_file import KeptLinkIds

ids = KeptLinkIds(Path(sys.argv[1]))
first = int(sys.argv[2])
for number in range(first, first + 100_000):
    link = Link(number, f"tap{number}", "tun", incarnation=number)
    ids.follow([Appeared(link)])
    print(number, ids.id_of(link), flush=True)
"""


def test_killed_at_any_moment(path: Path) -> None:
    """What was told before the kill is so after it, and is never told of another link."""
    owners: dict[int, int] = {}
    for life in range(6):
        first = 1 + life * 1_000_000
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD, str(path), str(first)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout
        timer = threading.Timer(0.02 * life, os.kill, (child.pid, signal.SIGKILL))
        said = child.stdout.readline()
        timer.start()
        said += child.stdout.read()
        child.stdout.close()
        assert child.wait() == -signal.SIGKILL
        timer.join()
        for line in said.splitlines(keepends=True):
            if line.endswith("\n"):
                number, link_id = map(int, line.split())
                assert owners.setdefault(link_id, number) == number
    ids = KeptLinkIds(path)
    last = Link(max(owners.values()), "tap", "tun", incarnation=max(owners.values()))
    assert ids.id_of(last) is not None
    (found,) = appear(ids, [last])
    assert found
    assert owners[found] == last.incarnation
    ids.follow([Disappeared(last)])
    assert ids.link_of(found) is None
