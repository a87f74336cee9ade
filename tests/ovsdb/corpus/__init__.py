"""What a server must stand: each stream of bytes with what it must answer.

`CASES` holds all of them. A test sends them to a server and compares; the long run mutates them.
"""

from __future__ import annotations

from tests.ovsdb.corpus import messages, operations, streams

CASES = (*streams.CASES, *messages.CASES, *operations.CASES)
