"""From shape to program, one pass after another; what each does stands at its head."""

from __future__ import annotations

from collections.abc import Callable

from hotswitch.compiler.errors import CompileError
from hotswitch.compiler.flow import Flow
from hotswitch.compiler.ir import Program, TableCode
from hotswitch.compiler.passes.layout import layout
from hotswitch.compiler.passes.parse import parse
from hotswitch.compiler.passes.reach import reach
from hotswitch.compiler.passes.search import search
from hotswitch.compiler.passes.uses import uses
from hotswitch.compiler.shape import Shape, goto_of

Dump = Callable[[str, str], None]


def rewrite(shape: Shape, flow: Flow, dump: Dump = lambda stage, text: None) -> Program:
    """The whole way from a shape to a program that a target can emit.

    dump: is given each stage's name and text. Raises CompileError.
    """
    verify_shape(shape)
    program = Program(shape, tuple(TableCode(table) for table in shape.tables), shape.template)
    for name, run in (
        ("reach", reach),
        ("uses", lambda given: uses(given, flow)),
        ("parse", lambda given: parse(given, flow)),
        ("search", lambda given: search(given, flow)),
        ("layout", layout),
    ):
        program = run(program)
        dump(f"ir-{name}", program.text())
    verify_program(program)
    return program


def verify_shape(shape: Shape) -> None:
    """Raise CompileError unless tables ascend and gotos go forward to known templates."""
    templates = shape.template
    numbers = [table.number for table in shape.tables]
    if numbers != sorted(set(numbers)):
        raise CompileError("the tables of a shape are not in ascending order")
    seen: set[int] = set()
    for table in shape.tables:
        for each in table.subtables:
            if each.number in seen or not 0 < each.number < 1 << 16:
                raise CompileError(f"subtable number {each.number} is not unique or out of range")
            seen.add(each.number)
        for number in table.templates:
            if number not in templates:
                raise CompileError(f"table {table.number} uses an unknown template {number}")
            target = goto_of(templates[number])
            if target is not None and target <= table.number:
                raise CompileError(f"table {table.number} goes back to table {target}")


def verify_program(program: Program) -> None:
    """Raise CompileError unless every goto, parser state and word that is named exists."""
    tables = {code.table.number for code in program.tables}
    for number, template in program.templates.items():
        target = goto_of(template)
        if target is not None and target not in tables:
            raise CompileError(f"template {number} goes to table {target}, which is not there")
    labels = {node.label for node in program.nodes}
    for node in program.nodes:
        if missing := set(node.next.values()) - labels:
            raise CompileError(f"parser state {node.label} leads to unknown {missing}")
    if set(program.places) != set(program.uses.bits):
        raise CompileError("a word of the flow has no place")
