"""Leave out what no packet can reach: tables behind no goto, templates of such tables."""

from __future__ import annotations

from dataclasses import replace

from hotswitch.compiler.ir import Program, TableCode
from hotswitch.compiler.shape import Table, goto_of


def reach(program: Program) -> Program:
    """Keep table 0 and what gotos lead to; a goto to a table without entries is kept as an
    empty table, where every packet is missed."""
    known = {code.table.number: code for code in program.tables}
    reached: dict[int, TableCode] = {}
    todo = [0]
    while todo:
        number = todo.pop()
        if number in reached:
            continue
        code = known.get(number, TableCode(Table(number, (), ())))
        reached[number] = code
        gotos = (goto_of(program.templates[each]) for each in code.table.templates)
        todo.extend(each for each in gotos if each is not None)
    used = {each for code in reached.values() for each in code.table.templates}
    return replace(
        program,
        tables=tuple(reached[number] for number in sorted(reached)),
        templates={number: program.templates[number] for number in sorted(used)},
    )
