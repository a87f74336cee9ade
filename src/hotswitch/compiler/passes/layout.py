"""Give each word of the flow that is used its place in the program's scratch memory."""

from __future__ import annotations

from dataclasses import replace

from hotswitch.compiler.ir import Program

START = 1024
"""Bytes at the scratch memory's start that belong to the target."""


def layout(program: Program) -> Program:
    """One place of 8 bytes after another, beside the packet first."""
    words = sorted(
        program.uses.bits, key=lambda word: (word.layer not in ("meta", "present"), word)
    )
    return replace(program, places={word: START + 8 * index for index, word in enumerate(words)})
