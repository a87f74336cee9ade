"""Lines of source by instruction, through linking."""

from __future__ import annotations

from hotswitch.kernel.disassembler import disassemble
from hotswitch.kernel.line_table import line_table
from hotswitch.kernel.loader import link
from tests.kernel.code_for_bpf import compile_ir

SOURCE = """
define internal i64 @helper(i64 %x) noinline !dbg !10 {
  %y = mul i64 %x, 77, !dbg !11
  ret i64 %y, !dbg !12
}
define i32 @first(ptr %context) section "tc" !dbg !4 {
  %length = load i32, ptr %context, !dbg !5
  %wide = zext i32 %length to i64, !dbg !5
  %r = call i64 @helper(i64 %wide), !dbg !6
  %n = trunc i64 %r to i32, !dbg !7
  ret i32 %n, !dbg !7
}
define i32 @second(ptr %context) section "xdp" !dbg !20 {
  ret i32 5, !dbg !21
}
!llvm.dbg.cu = !{!0}
!llvm.module.flags = !{!2, !3}
!0 = distinct !DICompileUnit(language: DW_LANG_C, file: !1, emissionKind: FullDebug)
!1 = !DIFile(filename: "pipeline", directory: "/")
!2 = !{i32 2, !"Debug Info Version", i32 3}
!3 = !{i32 2, !"Dwarf Version", i32 DWARF}
!8 = !DISubroutineType(types: !{null})
!4 = distinct !DISubprogram(name: "first", file: !1, line: 100, type: !8, unit: !0, spFlags: DISPFlagDefinition)
!5 = !DILocation(line: 101, scope: !4)
!6 = !DILocation(line: 102, scope: !4)
!7 = !DILocation(line: 103, scope: !4)
!10 = distinct !DISubprogram(name: "helper", file: !1, line: 200, type: !8, unit: !0, spFlags: DISPFlagDefinition)
!11 = !DILocation(line: 201, scope: !10)
!12 = !DILocation(line: 202, scope: !10)
!20 = distinct !DISubprogram(name: "second", file: !1, line: 300, type: !8, unit: !0, spFlags: DISPFlagDefinition)
!21 = !DILocation(line: 301, scope: !20)
"""  # noqa: E501


def texts_by_line(dwarf: int, entry: str) -> dict[int, list[str]]:
    compiled = compile_ir(SOURCE.replace("DWARF", str(dwarf)))
    linked = link(compiled, entry)
    found: dict[int, list[str]] = {}
    lines = line_table(compiled, linked)
    for index, text in enumerate(disassemble(linked.instructions)):
        found.setdefault(lines.get(index, 0), []).append(text)
    return found


def test_each_instruction_has_its_line_in_every_section() -> None:
    for dwarf in (4, 5):
        first = texts_by_line(dwarf, "first")
        assert "*(u32 *)(r1 + 0)" in first[101][0]
        assert any(text.startswith("call pc") for text in first[102])
        assert first[103] == ["exit"]
        assert any("*= 77" in text for text in first[201])
        assert first[202] == ["exit"]
        assert texts_by_line(dwarf, "second") == {301: ["w0 = 5", "exit"]}


def test_without_debug_information_there_are_no_lines() -> None:
    compiled = compile_ir('define i32 @main(ptr %c) section "tc" { ret i32 0 }')
    assert line_table(compiled, link(compiled)) == {}


def test_damaged_debug_information_gives_no_lines_or_others() -> None:
    """It is for people to read; nothing depends on it."""
    compiled = compile_ir(SOURCE.replace("DWARF", "5"))
    linked = link(compiled, "first")
    marks = compiled.index(b"pipeline")
    for position in range(marks - 40, marks + 40):
        broken = compiled[:position] + b"\xff" + compiled[position + 1 :]
        assert isinstance(line_table(broken, linked), dict)
