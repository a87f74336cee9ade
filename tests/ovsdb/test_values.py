"""Atoms and data: their JSON form both ways, their order, and what violates them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotswitch.ovsdb.errors import OvsdbError
from hotswitch.ovsdb.sets import (
    apply_difference,
    difference,
    distinct,
    distinct_keys,
    removed_added,
    subtract,
    union,
)
from hotswitch.ovsdb.types import Type, type_from_json, type_to_json
from hotswitch.ovsdb.values import Symbols, is_identifier, new_uuid, parse_uuid

ATOMS: dict[str, st.SearchStrategy[Any]] = {
    "integer": st.integers(-(2**63), 2**63 - 1),
    "real": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "string": st.text(st.characters(exclude_characters="\0", codec="utf-8")),
    "uuid": st.uuids().map(lambda uuid: ["uuid", str(uuid)]),
}
NUMBERS = st.integers(0, 60)
SETS = st.sets(NUMBERS).map(lambda numbers: tuple(sorted(numbers)))
MAPS = st.dictionaries(NUMBERS, st.integers(0, 2)).map(lambda m: tuple(sorted(m.items())))


def unique(atoms: list[Any]) -> bool:
    # 0.0 and -0.0 are the same number.
    return len({json.dumps(a + 0.0 if isinstance(a, float) else a) for a in atoms}) == len(atoms)


@pytest.mark.parametrize("name", ATOMS)
@given(data=st.data())
def test_sets_come_back(name: str, data: st.DataObject) -> None:
    atoms = data.draw(st.lists(ATOMS[name], max_size=5).filter(unique))
    type_ = type_from_json({"key": name, "min": 0, "max": "unlimited"})
    datum = type_.read(["set", atoms])
    assert list(datum) == sorted(datum)
    assert type_.read(json.loads(json.dumps(type_.write(datum)))) == datum
    assert len(datum) == len(atoms)


@pytest.mark.parametrize("name", ATOMS)
@given(data=st.data())
def test_maps_come_back(name: str, data: st.DataObject) -> None:
    keys = data.draw(st.lists(ATOMS["string"], max_size=5, unique=True))
    pairs = [[key, data.draw(ATOMS[name])] for key in keys]
    type_ = type_from_json({"key": "string", "value": name, "min": 0, "max": "unlimited"})
    datum = type_.read(["map", pairs])
    assert type_.read(json.loads(json.dumps(type_.write(datum)))) == datum
    assert [key for key, _ in datum] == sorted(keys)


@given(SETS, SETS)
def test_set_operations_are_those_of_sets(a: Any, b: Any) -> None:
    assert union(a, b, is_map=False) == tuple(sorted({*a, *b}))
    assert subtract(a, b) == tuple(sorted(set(a) - set(b)))
    removed, added = removed_added(a, b)
    assert (set(removed), set(added)) == (set(a) - set(b), set(b) - set(a))
    assert difference(a, b, is_map=False) == tuple(sorted(set(a) ^ set(b)))
    assert apply_difference(a, difference(a, b, is_map=False), is_map=False) == b


@given(MAPS, MAPS)
def test_map_operations_are_those_of_maps(a: Any, b: Any) -> None:
    assert dict(union(a, b, is_map=True)) == {**dict(b), **dict(a)}
    delta = difference(a, b, is_map=True)
    assert len(dict(delta)) == len(delta)
    assert apply_difference(a, delta, is_map=True) == b


@given(st.lists(st.integers(), max_size=200, unique=True), st.data())
def test_large_sets_that_differ_a_little(numbers: list[int], data: st.DataObject) -> None:
    old = tuple(sorted(numbers))
    place = data.draw(st.integers(0, len(old)))
    new = tuple(sorted({*old[:place], *old[place + 1 :], data.draw(st.integers())}))
    removed, added = removed_added(old, new)
    assert (set(removed), set(added)) == (set(old) - set(new), set(new) - set(old))


_step = st.tuples(st.integers(0, 60), st.integers(0, 3), st.sets(st.integers(0, 40), max_size=3))


@given(st.sets(st.integers(0, 40), min_size=10), st.lists(_step, max_size=30))
def test_each_of_many_versions_stays_what_it_was(
    first: set[int], steps: list[tuple[int, int, set[int]]]
) -> None:
    """Versions are made of any earlier one: what was remembered of the latest must not show."""
    versions = [(tuple(sorted(first)), first)]
    for which, how, members in steps:
        old, model = versions[which % len(versions)]
        argument = tuple(sorted(members))
        if how == 0:
            new, expected = union(old, argument, is_map=False), model | members
        elif how == 1:
            new, expected = subtract(old, argument), model - members
        else:
            new, expected = apply_difference(old, argument, is_map=False), model ^ members
        versions.append((new, expected))
        assert new == tuple(sorted(expected))
        removed, added = removed_added(old, new)
        assert (set(removed), set(added)) == (model - expected, expected - model)
    for version, model in versions:
        assert version == tuple(sorted(model))


def test_duplicates_are_refused() -> None:
    with pytest.raises(OvsdbError, match="set contains duplicate"):
        distinct([1, 2, 1])
    with pytest.raises(OvsdbError, match="map contains duplicate key"):
        distinct_keys([(1, 2), (1, 3)])


@pytest.mark.parametrize(
    ("type_json", "bad", "message"),
    [
        ("integer", "1", "expected integer"),
        ("integer", True, "expected integer"),
        ("integer", 1.5, "expected integer"),
        ("integer", 2**63, "expected integer"),
        ("real", "1", "expected real"),
        ("real", 1e400, "greater than maximum"),
        ("real", 10**400, "greater than maximum"),
        ("boolean", 0, "expected boolean"),
        ("string", 0, "expected string"),
        ("string", "a\0b", "expected string"),
        ("string", "\ud800", "not a valid UTF-8 string"),
        ("uuid", "x", "expected"),
        ("uuid", ["uuid", "x"], "not a valid UUID"),
        ("uuid", ["named-uuid", "x"], "expected"),
        ({"key": {"type": "integer", "minInteger": 1}}, 0, "less than minimum allowed value 1"),
        ({"key": {"type": "integer", "maxInteger": 1}}, 2, "greater than maximum"),
        (
            {"key": {"type": "real", "minReal": 0.5, "maxReal": 1}},
            2,
            "2 is not in the valid range 0.5 to 1 ",
        ),
        ({"key": {"type": "string", "minLength": 2}}, "é", "length 1 is less than minimum"),
        ({"key": {"type": "string", "maxLength": 2}}, "abc", "length 3 is greater than maximum"),
        (
            {"key": {"type": "string", "enum": ["set", ["b c", "a"]]}},
            "x",
            r'x is not one of the allowed values \(\[a, "b c"\]\)',
        ),
        ({"key": "integer", "min": 0, "max": 2}, ["set", [1, 2, 3]], "0 to 2 members but 3 are"),
        ("integer", ["set", []], "exactly one member but 0 are present"),
        ({"key": "integer", "max": 2}, ["set", {}], "expected"),
        ({"key": "integer", "value": "integer"}, ["set", []], "expected"),
        ({"key": "integer", "value": "integer"}, ["map", [1]], "expected 2-element array"),
    ],
)
def test_bad_values(type_json: Any, bad: Any, message: str) -> None:
    with pytest.raises(OvsdbError, match=message):
        type_from_json(type_json).read(bad)


def test_an_integer_may_look_like_a_real() -> None:
    assert type_from_json("integer").read(1e3) == (1000,)
    assert type_from_json("real").read(1) == (1.0,)


def test_named_uuids() -> None:
    symbols = Symbols()
    type_ = type_from_json("uuid")
    (early,) = type_.read(["named-uuid", "row"], symbols)
    assert symbols.define("row", None) == early
    assert symbols.define("row", None) is None
    with pytest.raises(OvsdbError, match="not a valid <id>"):
        type_.read(["named-uuid", "0"], symbols)


@given(st.uuids())
def test_uuids_have_one_form(uuid: Any) -> None:
    assert parse_uuid(str(uuid).upper()) == str(uuid)
    assert parse_uuid(str(uuid).replace("-", "")) is None
    assert parse_uuid(f"{uuid}\n") is None


def test_new_uuids_are_random_version_4() -> None:
    uuids = [new_uuid() for _ in range(1000)]
    assert len(set(uuids)) == 1000
    assert all(parse_uuid(uuid) == uuid and uuid[14] == "4" for uuid in uuids)
    assert {uuid[19] for uuid in uuids} == set("89ab")


def test_identifiers() -> None:
    assert all(map(is_identifier, ["a", "_", "A9_"]))
    assert not any(map(is_identifier, ["", "9", "a-b", "é", "a\n"]))


@pytest.mark.parametrize(
    ("type_json", "english"),
    [
        ("integer", "integer"),
        ({"key": "string", "min": 0}, "set of up to 1 strings"),
        ({"key": "string", "min": 0, "max": "unlimited"}, "set of strings"),
        ({"key": "string", "max": "unlimited"}, "set of 1 or more strings"),
        ({"key": "string", "max": 3}, "set of 1 to 3 strings"),
        (
            {"key": "string", "value": "uuid", "min": 0, "max": 3},
            "map of up to 3 (string, uuid) pairs",
        ),
    ],
)
def test_types_in_english(type_json: Any, english: str) -> None:
    assert type_from_json(type_json).english() == english


@pytest.mark.parametrize(
    "type_json",
    [
        "real",
        {"key": {"type": "integer", "minInteger": 1, "maxInteger": 5}},
        {"key": {"type": "real", "minReal": 1.5}},
        {"key": {"type": "string", "minLength": 1}, "min": 0, "max": "unlimited"},
        {"key": {"type": "string", "maxLength": 1}, "value": "boolean", "max": 4},
        {"key": {"type": "integer", "enum": ["set", [1, 2]]}},
        {"key": {"type": "string", "enum": "only"}},
        {"key": {"type": "uuid", "refTable": "T"}, "min": 0},
        {"key": "string", "value": {"type": "uuid", "refTable": "T", "refType": "weak"}, "min": 0},
    ],
)
def test_types_come_back(type_json: Any) -> None:
    type_ = type_from_json(type_json)
    assert type_to_json(type_) == type_json
    assert isinstance(type_, Type)
