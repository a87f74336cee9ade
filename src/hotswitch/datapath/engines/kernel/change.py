"""A change of entries: at once a change of maps, as far as the running programs can follow."""

from __future__ import annotations

from collections.abc import Sequence

from hotswitch.compiler.shape import Shape
from hotswitch.datapath.engines.kernel.book import Book
from hotswitch.datapath.engines.kernel.homes import Homes
from hotswitch.datapath.engines.kernel.record import Home, Record
from hotswitch.model.entry import NOTHING, EntryKey, EntryStatistics


def carry_out(
    book: Book, homes: Homes | None, puts: Sequence[Record], deletes: Sequence[EntryKey]
) -> dict[EntryKey, EntryStatistics]:
    """Delete and put; what has no home under the running programs waits.

    There must be room. Returns the deleted ones' last statistics. Raises KernelError.
    """
    touched: dict[Home, None] = {}
    retired: list[tuple[Record, Record | None]] = []
    unused: list[Record] = []
    last = {}
    for key in deletes:
        in_force = book.withdraw(key, unused)
        last[key] = NOTHING
        if in_force is not None and in_force.home:
            book.move_out(in_force, in_force.home, touched)
            retired.append((in_force, None))
    for record in puts:
        key = record.key
        in_force = book.withdraw(key, unused) if key in book.records else None
        book.enter(record, in_force)
        home = homes.home(record) if homes else None
        if home is None:
            continue
        book.in_force(record)
        if in_force is not None and in_force.home:
            book.move_out(in_force, in_force.home, touched)
            retired.append((in_force, record))
        book.move_in(record, home, touched)
    book.publish(touched)
    last.update(book.retire(retired))
    book.free(unused)
    return last


def shape_after(
    book: Book, homes: Homes | None, puts: Sequence[Record], deletes: Sequence[EntryKey]
) -> Shape:
    """The shape that a change would ask for. Raises DatapathError."""
    shaper = book.shaper
    keys = dict.fromkeys([*deletes, *(record.key for record in puts)])
    old = [book.records[key] for key in keys if key in book.records]
    deleted = set(deletes)
    kept = [
        in_force
        for record in puts
        if homes is None or homes.home(record) is None
        if (key := record.key) not in deleted and key in book.records
        if (in_force := book.what_is_in_force(key)) is not None
    ]
    for record in old:
        shaper.remove(record)
        if record.predecessor is not None:
            shaper.release(record.predecessor)
    for record in puts:
        shaper.add(record)
    for record in kept:
        shaper.keep(record)
    try:
        return shaper.shape()
    finally:
        for record in kept:
            shaper.release(record)
        for record in puts:
            shaper.remove(record)
        for record in old:
            shaper.add(record)
            if record.predecessor is not None:
                shaper.keep(record.predecessor)
