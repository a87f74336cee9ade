"""Headers from other distributions, installed as an installer leaves them: a module and its
`.dist-info` on the path."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hotswitch.headers.build import build
from hotswitch.headers.errors import HeaderError
from hotswitch.headers.parse import parse
from hotswitch.headers.standard import BUILT_IN, standard_registry
from hotswitch.model.text import read_actions, read_match, show_match

ODD = """
from hotswitch.headers.declaration import Checksum, Field, Header, Length, Select, Under

ODD = Header(
    name="odd",
    title="A header that no one has heard of",
    fields=(
        Field("three", 3),
        Field("thirteen", 13),
        Field("twenty_four", 24),
        Field("seven", 7),
        Field("one", 1),
        Field("units", 3, settable=False),
        Field("kind", 5, settable=False),
    ),
    under=(Under("ethertype", 0x88B5),),
    select=Select("odd_kind", by="kind", shown_as="odd_kind_shown"),
    length=Length("units", unit=3, base=7),
)
INNER = Header(
    name="inner",
    title="Behind it",
    fields=(Field("sum", 16), Field("value", 40)),
    under=(Under("odd_kind", 17),),
    checksum=Checksum("sum"),
)
BOTH = (ODD, INNER)

def both():
    yield from BOTH
"""

Install = Callable[[str, str, str], str]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """install(distribution, module's source, object) makes it importable and announces it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def put(distribution: str, source: str, target: str) -> str:
        module = distribution.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(source)
        info = tmp_path / f"{module}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n"
        )
        (info / "entry_points.txt").write_text(
            f"[hotswitch.headers]\n{distribution} = {module}:{target}\n"
        )
        importlib.invalidate_caches()
        monkeypatch.delitem(sys.modules, module, raising=False)
        return str(tmp_path)

    return put


@pytest.mark.parametrize("target", ["BOTH", "both"])
def test_its_headers_are_like_built_in_ones(install: Install, target: str) -> None:
    install("odd-headers", ODD, target)
    registry = standard_registry()
    odd = {"three": 5, "thirteen": 0x1ABC, "twenty_four": 0xFEDCBA, "seven": 0x55, "one": 1}
    frame = build(
        registry,
        [
            ("ethernet", {}),
            ("vlan", {}),
            ("odd", odd | {"options": b"four"}),
            ("inner", {"value": 9}),
        ],
        b"rest",
    )
    assert frame[16:18] == b"\x88\xb5"
    assert frame[18:25] == bytes.fromhex("babc fedcba ab 51")
    assert frame[25:31] == b"four\0\0"
    parsed = parse(registry, frame)
    assert list(parsed.layers) == ["ethernet", "vlan", "odd", "inner"]
    assert parsed.layers["odd"].values == odd | {"units": 2, "kind": 17}
    assert parsed.keys == {"ethertype": 0x88B5, "ip_protocol": 0, "odd_kind_shown": 17}
    assert frame[parsed.end :] == b"rest"

    text = "odd.seven=0x50/0x70,odd.thirteen=6844,odd_kind_shown=17"
    assert show_match(registry, read_match(registry, text)) == text
    assert len(read_actions(registry, "set:odd.one=1,set:inner.value=7")) == 2


def test_one_header_alone(install: Install) -> None:
    install("one-header", ODD, "ODD")
    assert "odd" in standard_registry().layers


def test_without_it_nothing_is_there() -> None:
    assert list(standard_registry().headers) == [header.name for header in BUILT_IN]


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("raise OSError('no disk')", "HEADER", "does not load: OSError: no disk"),
        ("", "HEADER", "does not load: AttributeError"),
        ("HEADER = 7", "HEADER", "does not give headers"),
        ("HEADER = ()", "HEADER", "does not give headers"),
        ("HEADER = [1, 2]", "HEADER", "does not give headers"),
        ("def make(): return 1 / 0", "make", "does not load: ZeroDivisionError"),
        (ODD.replace("0x88B5", "0x0800"), "ODD", "'ipv4' and 'odd' are both under key 0x800"),
        (ODD.replace('name="odd"', 'name="tcp"'), "ODD", "two headers are named 'tcp'"),
        (ODD.replace('Field("one", 1)', 'Field("one", 2)'), "ODD", "57 bits together"),
        (ODD, "INNER", "'inner' is under 'odd_kind', which no header reaches"),
        (
            ODD.replace('"kind", 5', '"kind", 4').replace('"units", 3', '"units", 4'),
            "BOTH",
            "key 0x11 of 'odd_kind'",
        ),
    ],
)
def test_a_broken_one_is_refused_by_its_distributions_name(
    install: Install, source: str, target: str, message: str
) -> None:
    install("broken-headers", source, target)
    with pytest.raises(HeaderError) as caught:
        standard_registry()
    text = str(caught.value)
    assert text.startswith("distribution broken-headers 1.2: ")
    assert message in text and "\n" not in text


def test_the_sound_one_of_two_is_not_blamed(install: Install) -> None:
    install("a-sound-one", ODD, "BOTH")
    install("b-late-one", ODD.replace("0x88B5", "0x88B6"), "ODD")
    with pytest.raises(HeaderError, match=r"^distribution b-late-one 1\.2: two headers"):
        standard_registry()


def test_the_reference_prints_it_too(install: Install) -> None:
    path = install("odd-headers", ODD, "BOTH")
    code = f"import sys, runpy; sys.path[:0] = {[path, *sys.path]!r}; " + (
        "runpy.run_module('hotswitch.headers', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "### odd: A header that no one has heard of" in done.stdout
    assert "| `thirteen` | 13 | number |  | yes |  |" in done.stdout
    assert "`odd_kind` 0x11" in done.stdout
