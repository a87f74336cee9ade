"""A schema with one of everything, and random transactions on it."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from hotswitch.ovsdb.database import Database
from hotswitch.ovsdb.schema import DatabaseSchema

KID = {"type": "uuid", "refTable": "Kid"}
SCHEMA_JSON: dict[str, Any] = {
    "name": "Scene",
    "version": "1.2.3",
    "tables": {
        "Root": {
            "isRoot": True,
            "indexes": [["name"], ["count", "flag"]],
            "columns": {
                "name": {"type": "string"},
                "count": {"type": {"key": {"type": "integer", "minInteger": -2, "maxInteger": 20}}},
                "real": {"type": {"key": {"type": "real", "maxReal": 10.5}, "min": 0}},
                "flag": {"type": "boolean"},
                "numbers": {"type": {"key": "integer", "min": 0, "max": "unlimited"}},
                "tags": {
                    "type": {
                        "key": {"type": "string", "minLength": 1, "maxLength": 2},
                        "min": 0,
                        "max": 3,
                    }
                },
                "kids": {"type": {"key": KID, "min": 0, "max": "unlimited"}},
                "friends": {
                    "type": {
                        "key": {"type": "uuid", "refTable": "Root", "refType": "weak"},
                        "min": 0,
                        "max": "unlimited",
                    }
                },
                "options": {
                    "type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}
                },
                "named": {"type": {"key": "string", "value": KID, "min": 0, "max": 2}},
            },
        },
        "Kid": {
            "columns": {
                "number": {"type": {"key": "integer", "min": 0, "max": 1}},
                "next": {"type": {"key": KID, "min": 0, "max": 1}},
                "pals": {
                    "type": {
                        "key": {"type": "uuid", "refTable": "Root", "refType": "weak"},
                        "value": "integer",
                        "min": 0,
                        "max": "unlimited",
                    }
                },
                "crush": {
                    "type": {
                        "key": {"type": "uuid", "refTable": "Kid", "refType": "weak"},
                        "min": 0,
                        "max": "unlimited",
                    }
                },
                "frozen": {"type": "integer", "mutable": False},
                "passing": {"type": "string", "ephemeral": True},
            },
        },
        "Single": {
            "isRoot": True,
            "maxRows": 2,
            "columns": {
                "color": {"type": {"key": {"type": "string", "enum": ["set", ["red", "blue"]]}}}
            },
        },
        "Need": {
            "isRoot": True,
            "columns": {
                "target": {
                    "type": {
                        "key": {"type": "uuid", "refTable": "Root", "refType": "weak"},
                        "min": 1,
                        "max": 2,
                    }
                }
            },
        },
    },
}
TABLES = tuple(SCHEMA_JSON["tables"])

#: The UUIDs that clients choose: few, so that they meet.
POOL = {
    table: [f"{number:08x}-0000-4000-8000-00000000000{place}" for number in range(1, 6)]
    for place, table in enumerate(TABLES)
}

STRINGS = st.sampled_from(["", "a", "b", "ab", "é", "long"])
INTEGERS = st.sampled_from([-3, -2, -1, 0, 1, 2, 3, 7, 20, 21, 2**63 - 1, -(2**63)])


def scene_schema() -> DatabaseSchema:
    return DatabaseSchema.from_json(SCHEMA_JSON)


def _reference(table: str) -> st.SearchStrategy[Any]:
    uuids = st.sampled_from(POOL[table]).map(lambda uuid: ["uuid", uuid])
    names = st.sampled_from(["x", "y"]).map(lambda name: ["named-uuid", f"{table}_{name}"])
    return st.one_of(uuids, uuids, uuids, names)


def atom(base: Any) -> st.SearchStrategy[Any]:
    """JSON of a base type; now and then it violates a constraint."""
    if isinstance(base, dict):
        if "refTable" in base:
            return _reference(base["refTable"])
        if "enum" in base:
            return st.sampled_from([*base["enum"][1], "green"])
        base = base["type"]
    return {
        "string": STRINGS,
        "integer": INTEGERS,
        "real": st.sampled_from([0, 0.5, 2, -1.25, 10.5, 11]),
        "boolean": st.booleans(),
    }[base]


def datum(type_: Any) -> st.SearchStrategy[Any]:
    """JSON of a type, mostly valid."""
    if isinstance(type_, str) or "key" not in type_:
        return atom(type_)
    key = atom(type_["key"])
    if "value" in type_:
        pair = st.tuples(key, atom(type_["value"])).map(list)
        return st.lists(pair, max_size=3).map(lambda pairs: ["map", pairs])
    if type_.get("max", 1) == 1:
        several = st.lists(key, max_size=1).map(lambda atoms: ["set", atoms])
        return st.one_of(key, several) if type_.get("min", 1) == 0 else key
    return st.one_of(key, st.lists(key, max_size=4).map(lambda atoms: ["set", atoms]))


Columns = dict[str, dict[str, Any]]

#: The types of all columns.
COLUMNS: Columns = {
    table: {
        name: column["type"] for name, column in SCHEMA_JSON["tables"][table]["columns"].items()
    }
    for table in TABLES
}


def rows(scene: Columns, table: str, *, some: int = 4) -> st.SearchStrategy[dict[str, Any]]:
    columns = {name: datum(type_) for name, type_ in scene[table].items()}
    return st.lists(st.sampled_from(sorted(columns)), max_size=some, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: columns[name] for name in names})
    )


@st.composite
def wheres(draw: st.DrawFn, scene: Columns, table: str) -> list[Any]:
    kind = draw(st.integers(0, 9))
    if kind < 5:
        return [["_uuid", "==", ["uuid", draw(st.sampled_from(POOL[table]))]]]
    if kind == 5:
        return []
    clauses = []
    for _ in range(draw(st.integers(1, 2))):
        name, type_ = draw(st.sampled_from(sorted(scene[table].items(), key=str)))
        function = draw(st.sampled_from(["==", "!=", "includes", "excludes", "<", "<=", ">", ">="]))
        clauses.append([name, function, draw(datum(type_))])
    return clauses


@st.composite
def mutations(draw: st.DrawFn, scene: Columns, table: str) -> list[Any]:
    result = []
    for _ in range(draw(st.integers(1, 2))):
        name, type_ = draw(st.sampled_from(sorted(scene[table].items(), key=str)))
        mutator = draw(
            st.sampled_from(["insert", "delete", "insert", "delete", "+=", "-=", "*=", "/=", "%="])
        )
        argument = draw(datum(type_))
        composite = isinstance(type_, dict) and "key" in type_
        if mutator.endswith("=") and composite:
            argument = draw(atom(type_["key"]))
        elif mutator == "delete" and composite and "value" in type_ and draw(st.booleans()):
            argument = ["set", draw(st.lists(atom(type_["key"]), max_size=2))]
        result.append([name, mutator, argument])
    return result


@st.composite
def operations(draw: st.DrawFn, scene: Columns) -> dict[str, Any]:
    op = draw(
        st.sampled_from(
            ["insert", "insert", "insert", "update", "mutate", "mutate", "delete", "select", "wait"]
        )
    )
    table = draw(st.sampled_from(["Root", "Root", "Kid", "Kid", "Kid", "Single", "Need"]))
    operation: dict[str, Any] = {"op": op, "table": table}
    if op == "insert":
        operation["uuid"] = draw(st.sampled_from(POOL[table]))
        operation["row"] = draw(rows(scene, table, some=8))
        if draw(st.integers(0, 3)) == 0:
            operation["uuid-name"] = f"{table}_{draw(st.sampled_from(['x', 'y']))}"
        return operation
    operation["where"] = draw(wheres(scene, table))
    if op == "update":
        operation["row"] = draw(rows(scene, table))
    elif op == "mutate":
        operation["mutations"] = draw(mutations(scene, table))
    elif op == "select":
        names = st.lists(st.sampled_from(["_uuid", *scene[table]]), unique=True)
        operation["columns"] = draw(names)
    elif op == "wait":
        name = draw(st.sampled_from(sorted(scene[table])))
        operation |= {
            "timeout": 0,
            "until": draw(st.sampled_from(["==", "!=", "!="])),
            "columns": [name],
            "rows": [{name: draw(datum(scene[table][name]))}],
        }
    return operation


def transactions(scene: Columns = COLUMNS) -> st.SearchStrategy[list[Any]]:
    return st.lists(operations(scene), min_size=1, max_size=6)


#: Rows to begin with: without them most transactions refer to nothing.
BEGINNING: list[Any] = [
    {
        "op": "insert",
        "table": "Root",
        "uuid": POOL["Root"][0],
        "row": {
            "name": "first",
            "kids": ["set", [["uuid", POOL["Kid"][0]], ["uuid", POOL["Kid"][1]]]],
            "friends": ["uuid", POOL["Root"][1]],
            "options": ["map", [["a", "1"], ["b", "2"]]],
        },
    },
    {
        "op": "insert",
        "table": "Root",
        "uuid": POOL["Root"][1],
        "row": {
            "name": "second",
            "count": 2,
            "named": ["map", [["a", ["uuid", POOL["Kid"][1]]]]],
            "numbers": ["set", [1, 2, 3]],
        },
    },
    {
        "op": "insert",
        "table": "Kid",
        "uuid": POOL["Kid"][0],
        "row": {"number": 1, "next": ["uuid", POOL["Kid"][2]]},
    },
    {
        "op": "insert",
        "table": "Kid",
        "uuid": POOL["Kid"][1],
        "row": {"pals": ["map", [[["uuid", POOL["Root"][0]], 5]]]},
    },
    {"op": "insert", "table": "Kid", "uuid": POOL["Kid"][2], "row": {"passing": "by"}},
    {
        "op": "insert",
        "table": "Need",
        "uuid": POOL["Need"][0],
        "row": {"target": ["uuid", POOL["Root"][1]]},
    },
]


def content(database: Database) -> dict[str, dict[str, Any]]:
    """All rows, without their versions."""
    return {
        name: {
            uuid: {c.name: row[c.index] for c in table.columns if c.name != "_version"}
            for uuid, row in database.table(name).items()
        }
        for name, table in database.schema.tables.items()
    }
