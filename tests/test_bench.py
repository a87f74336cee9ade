"""`make bench`: its arithmetic, its tables and files, and that each subject can be measured."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from bench.aims import verdicts
from bench.catalogue import BASES, FIGURES, MEASURES, SUBJECTS
from bench.inside import ALONE
from bench.markdown import PAGE, fill
from bench.options import Options
from bench.programs import udp_frame
from bench.report import number, show_alone, show_compared, show_verdicts
from bench.results import Results, Row, document
from bench.summary import percentile, ratio, summarise
from hypothesis import given
from hypothesis import strategies as some
from rich.console import Console

from hotswitch.headers.checksum import internet_checksum
from tests.support import process
from tests.support.daemon import environment
from tests.support.wait import until

_ROOT = Path(__file__).parents[1]
_MARK = "BENCH_TEST_MARK"
_ABOUT = {
    "began": "2026-01-01T",
    "kernel": "6",
    "machine": "m",
    "cpus": 2,
    "rounds": 3,
    "seconds": 1,
}
_values = some.lists(some.floats(0.001, 1e9), min_size=1, max_size=30)

needs_root = pytest.mark.skipif(bool(os.geteuid()), reason="network namespaces need root")


def test_a_summary_holds_median_and_quartiles() -> None:
    summary = summarise([4.0, 1.0, 3.0, 2.0, 5.0])
    assert (summary.lowest, summary.lower, summary.median) == (1.0, 2.0, 3.0)
    assert (summary.upper, summary.highest, summary.count) == (4.0, 5.0, 5)
    alone = summarise([7.0])
    assert (alone.lower, alone.median, alone.upper) == (7.0, 7.0, 7.0)
    with pytest.raises(ValueError, match="nothing was measured"):
        summarise([])


@given(_values)
def test_a_summary_is_in_order(values: list[float]) -> None:
    summary = summarise(values)
    assert summary.median == pytest.approx(statistics.median(values))
    parts = [summary.lowest, summary.lower, summary.median, summary.upper, summary.highest]
    assert parts == pytest.approx(sorted(parts))


def test_a_ratio_is_taken_round_by_round() -> None:
    # A round in which everything was half as fast changes nothing.
    found = ratio([20.0, 10.0, 22.0], [10.0, 5.0, 11.0])
    assert found is not None and (found.lowest, found.highest) == (2.0, 2.0)
    assert ratio([1.0], [0.0]) is None
    assert ratio([], [1.0]) is None


@given(_values, some.integers(0, 100))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(
    values: list[float], percent: int
) -> None:
    found = percentile(sorted(values), percent)
    assert found in values
    assert sum(each <= found for each in values) >= len(values) * percent / 100
    assert sum(each < found for each in values) <= max(0, len(values) * percent / 100)


def _some_results() -> Results:
    results = Results()
    for values in ((10.0, 21.0), (20.0, 40.0), (None, 80.0)):
        for subject, value in zip(("bridge", "hotswitch"), values, strict=True):
            results.add("tcp", subject, value)
    results.failures.append("Linux bridge, tcp: no [traffic]")
    results.others.append(0.25)
    results.alone["Part"] = [Row("a row", 1234.5, "ns"), Row("a hole", "there is no room", "")]
    return results


def test_failed_rounds_do_not_count() -> None:
    results = _some_results()
    summary, compared = (
        results.summary("tcp", "bridge"), results.ratio("tcp", "hotswitch", "bridge")
    )  # fmt: skip
    assert summary is not None and (summary.median, summary.count) == (15.0, 2)
    assert compared is not None and (compared.median, compared.count) == (pytest.approx(2.05), 2)
    assert results.summary("tcp", "nobody") is None
    assert results.ratio("tcp", "hotswitch", "nobody") is None


def test_the_tables_show_medians_ratios_and_what_failed() -> None:
    console = Console(width=120, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    results = _some_results()
    show_compared(results, console)
    show_alone("Part", results.alone["Part"], console)
    show_verdicts(results, console)
    lines = console.export_text().splitlines()
    (line,) = [each for each in lines if "hotswitch" in each]
    assert line.replace("│", " ").split() == ["hotswitch", "40.00", "30.50–60.00", "2.05"]
    text = "\n".join(lines)
    for part in ("Gbit/s", "1,234", "there is no room", "no [traffic]", "0.25 CPUs"):
        assert part in text


@pytest.mark.parametrize(
    ("value", "text"), [(12345.6, "12,346"), (12.0, "12"), (0.123456, "0.123"), (45.67, "45.7")]
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


def test_the_document_holds_all_values() -> None:
    made = json.loads(json.dumps(document(_some_results(), FIGURES, ("bridge",), {"rounds": 3})))
    assert made["about"] == {"rounds": 3}
    tcp = made["compared"]["tcp"]
    assert tcp["unit"] == "Gbit/s"
    assert tcp["subjects"]["bridge"]["values"] == [10.0, 20.0, None]
    assert tcp["subjects"]["hotswitch"]["ratios"]["bridge"]["median"] == pytest.approx(2.05)
    assert made["alone"]["Part"][0]["value"] == 1234.5
    assert made["failures"] and made["cpus_used_by_others"]["median"] == 0.25


def test_aims_are_judged_where_all_was_measured() -> None:
    results = _some_results()
    assert {each.aim: each.met for each in verdicts(results)} == {
        "TCP at least 1.08 × the Linux bridge": True
    }
    results.alone["Start"] = [Row("", 0.6, "s", "start: forwards")]
    (start,) = [each for each in verdicts(results) if "100 ports" in each.aim]
    assert (start.met, start.found) == (False, "0.60 s")


def test_the_page_takes_its_figures_from_reports() -> None:
    report = json.loads(json.dumps(document(_some_results(), FIGURES, BASES, _ABOUT)))
    place = "<!-- figures: {} -->\n{}\n<!-- end -->\n"
    page = "before\n" + place.format("tcp", "old") + place.format("p50", "kept")
    made = fill(page, [report]).splitlines()
    assert made[0] == "before" and "old" not in made and "kept" in made
    (line,) = [each for each in made if each.startswith("| hotswitch ")]
    assert line == "| hotswitch | 40.00 | 30.50–60.00 | 2.05 |"
    assert fill("\n".join(made), [report]).splitlines() == made


def test_the_page_has_a_place_for_every_figure() -> None:
    page = PAGE.read_text()
    about = ("", "database ", "commands ")
    sections = [f"{which}{part}" for which in about for part in ("aims", "about")]
    for name in (*FIGURES, *sections, *ALONE):
        assert f"<!-- figures: {name} -->" in page


def test_options_survive_the_way_into_the_lab() -> None:
    options = Options(("bridge",), ("tcp", "latency"), (), rounds=3, seconds=0.5, report=7)
    assert Options.decode(options.encode()) == options


def test_the_frame_is_the_smallest_and_right() -> None:
    frame = udp_frame((0x020000000001, "10.0.0.1"), (0x020000000002, "10.0.0.2"))
    assert len(frame) == 60 and frame[:6].hex() == "020000000002"
    assert internet_checksum(frame[14:34]) == 0


def _bench(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*options.pop("before", ()), sys.executable, "-m", "bench", *words],
        cwd=_ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )


@needs_root
@pytest.mark.parametrize("name", [name for name, each in SUBJECTS.items() if not each.why_not()])
def test_a_tiny_round_of_each_subject(name: str, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = _bench(
        "--rounds", "1", "--seconds", "0.2", "--again", "0", "--only", name, "--json", str(report)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == "" and name in done.stdout
    compared = json.loads(report.read_text())["compared"]
    fitting = [each for each in MEASURES.values() if name in each.subjects]
    assert set(compared) == {figure.name for each in fitting for figure in each.figures}
    for figure in compared.values():
        assert figure["subjects"][name]["values"][0] > 0
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


@needs_root
def test_the_program_alone() -> None:
    done = _bench("--only", "program")
    (line,) = [each for each in done.stdout.splitlines() if "learning, xdp  " in each]
    assert "ns" in line and "failed" not in line


def _alive(mark: str) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{_MARK}={mark}".encode() in (folder / "environ").read_bytes():
                found.append(folder.name)
        except OSError:
            continue
    return found


@needs_root
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_bench_leaves_nothing_behind(number: int, tmp_path: Path) -> None:
    mark = uuid.uuid4().hex
    running = process.start(
        [sys.executable, "-m", "bench", "--only", "hotswitch", "--json", str(tmp_path / "report")],
        cwd=_ROOT,
        env=environment(**{_MARK: mark}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: len(_alive(mark)) > 3, "the lab is there", 30)
        running.send_signal(number)
        running.wait(20)
        until(lambda: not _alive(mark), "all that it started has ended")
    finally:
        process.stop(running)
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--only", "nothing"], "'nothing' is none of direct"),
        (["--rounds", "0"], "--rounds"),
        (["--seconds", "never"], "--seconds"),
        (["tcp"], "unexpected extra argument"),
    ],
)
def test_what_is_not_understood_is_said_in_one_line(words: list[str], told: str) -> None:
    done = _bench(*words)
    assert done.returncode == 2 and done.stdout == ""
    assert told in done.stderr and done.stderr.startswith("bench: ")
    assert done.stderr.count("\n") == 1


@needs_root
def test_a_file_that_cannot_be_written_is_said_before_anything_begins(tmp_path: Path) -> None:
    done = _bench("--json", str(tmp_path / "no" / "report.json"))
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "can't write" in done.stderr


def test_without_root_it_says_what_it_needs() -> None:
    done = _bench(before=["setpriv", "--reuid=65534", "--clear-groups"])
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("bench: ") and "sudo make bench" in done.stderr


def test_the_help_names_everything() -> None:
    done = _bench("--help")
    assert done.returncode == 0
    for name in (*SUBJECTS, *MEASURES, *ALONE):
        assert name in done.stdout
