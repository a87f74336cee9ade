"""Bytes that are not JSON, or JSON that is cut, deep, large or spelled oddly (RFC 8259)."""

from __future__ import annotations

from tests.ovsdb.corpus.case import Case, answered, echo

_RFC_8259 = "JSON is UTF-8 (RFC 8259 section 8.1); it sends such bytes back as they came"
_DEEP = "it follows 1,000 levels, not 200"


def _refused(name: str, sent: bytes, differs: str = "") -> Case:
    return Case(name, sent, closed=True, differs=differs)


_NOT_JSON = {
    "text": b"hello\n",
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "TLS": bytes.fromhex("1603010200010001fc0303"),
    "nulls": b"\0" * 100,
    "a bracket that closes": b"}",
    "the wrong bracket": b"{]",
    "an array": b"[]",
    "a string": b'"x"',
    "a byte order mark": b'\xef\xbb\xbf{"method":"echo","params":[],"id":1}',
    "single quotes": b"{'method':'echo','params':[],'id':1}",
    "a comma at the end of an array": echo(b"1,"),
    "a comma at the end of an object": b'{"method":"echo","params":[],"id":1,}',
    "a comment": echo(b"/* x */"),
    "a number with a leading zero": echo(b"01"),
    "a number with a plus": echo(b"+1"),
    "a number without digits": echo(b"-"),
    "a number without a fraction": echo(b"1."),
    "not a number": echo(b"NaN"),
    "infinity": echo(b"1e400"),
    "half a literal": echo(b"tru"),
    "a literal in capitals": echo(b"TRUE"),
    "a control character in a string": echo(b'"\x01"'),
    "a line feed in a string": echo(b'"\n"'),
    "an unknown escape": echo(rb'"\x"'),
    "an escaped null": echo(rb'"\u0000"'),
    "half a surrogate pair": echo(rb'"\ud800"'),
    "surrogates in the wrong order": echo(rb'"\udc00\ud800"'),
    "a vertical tab between tokens": b'{"method":"echo",\x0b"params":[],"id":1}',
    "a form feed in front": b'\x0c{"method":"echo","params":[],"id":1}',
}

CASES = (
    *(_refused(name, sent) for name, sent in _NOT_JSON.items()),
    _refused("bytes that are not UTF-8", echo(b'"\xff\xfe"'), _RFC_8259),
    _refused("an overlong form of UTF-8", echo(b'"\xc0\x80"'), _RFC_8259),
    _refused("a surrogate as UTF-8", echo(b'"\xed\xa0\x80"'), _RFC_8259),
    _refused("arrays 100,000 deep", echo(b"[" * 100_000 + b"]" * 100_000)),
    _refused("objects 100,000 deep", b'{"a":' * 100_000),
    _refused("arrays 900 deep", echo(b"[" * 900 + b"]" * 900), _DEEP),
    _refused("a number", b"1 "),
    Case("half a message", b'{"method":"echo","params":[],"id":1'),
    Case("the beginning of a string", b'{"method":"'),
    Case("blanks", b" \t\r\n" * 1000),
    Case(
        "an integer of 400 digits",
        echo(b"9" * 400),
        answered(int("9" * 400)),
        differs="it is not finite there, where all such numbers are doubles",
    ),
    Case("a number with an exponent", echo(b"1e3"), answered(1000)),
    Case("a member twice: the last counts", b'{"id":0,' + echo(b"7")[1:], answered(7)),
    Case("a surrogate pair", echo(rb'"\ud83d\ude00"'), answered("\U0001f600")),
    Case("a comma between messages", echo(b"1") + b",", answered(1), closed=True),
    Case(
        "junk behind a message",
        echo(b"1") + b"junk ",
        answered(1),
        closed=True,
    ),
)
