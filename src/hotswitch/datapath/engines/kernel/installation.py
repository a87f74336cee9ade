"""A new shape comes into force: entries move to where its programs find them, then these run."""

from __future__ import annotations

from hotswitch.compiler.errors import CompileError
from hotswitch.compiler.flow import Flow
from hotswitch.compiler.shape import Shape
from hotswitch.datapath.engines.kernel.book import Book
from hotswitch.datapath.engines.kernel.homes import Homes
from hotswitch.datapath.engines.kernel.record import Home, Record
from hotswitch.datapath.engines.kernel.room import Room
from hotswitch.datapath.engines.kernel.running import Next, Running


def install(flow: Flow, shape: Shape, book: Book, running: Running, room: Room) -> None:
    """Let programs for this shape, which the book asks for, run; then nothing waits.

    Raises CompileError, KernelError; if programs can't be loaded, then nothing has changed.
    """
    running.compiled(shape)
    homes = Homes(flow, shape)
    moving = _moving(book, running.homes, homes)
    room.for_homes([home for _, home in moving])
    with running.next(homes) as following:
        retired = _move(book, running, following, moving)
    book.retire(retired)
    book.clear_retired()
    book.shaper.forget(shape)
    running.alone()


def _moving(book: Book, before: Homes | None, after: Homes) -> list[tuple[Record, Home]]:
    """The entries that live elsewhere under the new shape."""
    changed = {number for number in after.searches if after.differs(before, number)}
    moving = []
    for key, record in book.records.items():
        if record.entry.table not in changed and key not in book.waiting:
            continue
        home = after.home(record)
        if home is None:
            raise CompileError(f"the new shape has no place for {key}")
        if home != record.home:
            moving.append((record, home))
    return moving


def _move(
    book: Book, running: Running, following: Next, moving: list[tuple[Record, Home]]
) -> list[tuple[Record, Record | None]]:
    """Move in, swap, move out; the records that are in force no more, with their successors.

    A new entry may appear where the programs that run look already only after the swap: they
    might not be able to carry it out.
    """
    before = running.homes
    late: list[tuple[Record, Home]] = []
    stale: list[tuple[Record, Home]] = []
    touched: dict[Home, None] = {}
    for record, home in moving:
        if record.home is not None:
            stale.append((record, record.home))
        new = record.home is None
        if new and before is not None and before.has(home, record.entry.table):
            late.append((record, home))
        else:
            book.move_in(record, home, touched)
    book.publish(touched)
    running.swap(following)
    touched = {}
    retired: list[tuple[Record, Record | None]] = []
    for record, home in late:
        book.move_in(record, home, touched)
    for record, home in stale:
        book.move_out(record, home, touched)
    for record in list(book.waiting.values()):
        in_force = book.in_force(record)
        if in_force is not None and in_force.home:
            book.move_out(in_force, in_force.home, touched)
            retired.append((in_force, record))
    book.publish(touched)
    return retired
