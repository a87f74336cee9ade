"""The records of Open vSwitch's standalone database file (ovsdb(5)). No I/O in here.

    OVSDB JSON <length> <sha1>\\n
    <length bytes: a JSON object and a newline>

`length` is decimal, `sha1` is 40 hexadecimal digits over those bytes. The first record is the
schema, each later one a transaction.
"""

from __future__ import annotations

import hashlib
import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from hotswitch.base.errors import HotswitchError

Buffer = bytes | mmap.mmap

_LONGEST_HEADER = 127  # Open vSwitch reads a header into 128 bytes
_HEADER = re.compile(rb"OVSDB ([^ \n]+) ([1-9][0-9]*) ([0-9a-f]{40})\n")
_MAGIC = b"JSON"
_LEAD = b"OVSDB JSON "

_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()


class LogError(HotswitchError):
    """The database file can't be read, written or locked, or is damaged."""


class KindError(LogError):
    """A record is of another kind than a standalone database's, as those of clusters are."""


class DamageError(LogError):
    """A record is not what was written.

    offset: where the record begins, in bytes from the file's beginning.
    last: nothing intact follows, as after a crash while it was being written.
    """

    def __init__(self, offset: int, what: str, *, last: bool) -> None:
        super().__init__(f"the record at offset {offset} {what}")
        self.offset = offset
        self.last = last


@dataclass(frozen=True, slots=True)
class Record:
    """One intact record: its JSON object, and the bytes from `offset` to `end` that it takes."""

    offset: int
    end: int
    value: dict[str, Any]


def encode_record(value: Any) -> bytes:
    """Write a record. `value` is a JSON object."""
    body = _encoder.encode(value) + b"\n"
    return b"OVSDB JSON %d %b\n%b" % (len(body), hashlib.sha1(body).hexdigest().encode(), body)


def read_records(data: Buffer) -> Iterator[Record]:
    """Yield the records of a file. Raises DamageError where one is not intact."""
    offset = 0
    while offset < len(data):
        try:
            record = _read(data, offset)
        except LogError as error:
            last = not _intact_after(data, offset)
            raise DamageError(offset, error.message, last=last) from error
        yield record
        offset = record.end


def _read(data: Buffer, offset: int) -> Record:
    header = _HEADER.match(data, offset, offset + _LONGEST_HEADER)
    if header is None:
        raise LogError("has no valid header")
    magic, length, digest = header.groups()
    if magic != _MAGIC:
        raise KindError(f"is of the kind {magic.decode(errors='replace')!r}, not 'JSON'")
    end = header.end() + int(length)
    if end > len(data):
        raise LogError(f"ends {end - len(data)} bytes behind the file's end")
    body = data[header.end() : end]
    if hashlib.sha1(body).hexdigest().encode() != digest:
        raise LogError("does not have its SHA-1 hash")
    try:
        value = _decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise LogError(f"is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise LogError("is not a JSON object")
    return Record(offset, end, value)


def _intact_after(data: Buffer, offset: int) -> bool:
    """Whether an intact record follows somewhere. JSON text never holds a whole header."""
    found = offset
    while (found := data.find(_LEAD, found + 1)) >= 0:
        try:
            _read(data, found)
        except LogError:
            continue
        return True
    return False
