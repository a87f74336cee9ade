"""Connection methods as text, and locks as queues."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotswitch.ovsdb.locks import Locks
from hotswitch.ovsdb.log_limit import LogLimit
from hotswitch.ovsdb.remotes import (
    Column,
    Connect,
    Listen,
    Remote,
    RemoteError,
    Transport,
    parse,
)


@pytest.mark.parametrize(
    ("text", "remote"),
    [
        ("punix:/run/db.sock", Listen(Transport.UNIX, "/run/db.sock")),
        ("unix:db.sock", Connect(Transport.UNIX, "db.sock")),
        ("ptcp:", Listen(Transport.TCP, "", 6640)),
        ("ptcp:0:127.0.0.1", Listen(Transport.TCP, "127.0.0.1", 0)),
        ("pssl:6641:[::1]", Listen(Transport.TLS, "::1", 6641)),
        ("tcp:10.0.0.1", Connect(Transport.TCP, "10.0.0.1", 6640)),
        ("tcp:10.0.0.1:1", Connect(Transport.TCP, "10.0.0.1", 1)),
        ("ssl:host.example:6641", Connect(Transport.TLS, "host.example", 6641)),
        ("tcp:[fe80::1]:5", Connect(Transport.TCP, "fe80::1", 5)),
        ("tcp:[fe80::1]", Connect(Transport.TCP, "fe80::1", 6640)),
        (
            "db:Open_vSwitch,Open_vSwitch,manager_options",
            Column("Open_vSwitch", "Open_vSwitch", "manager_options"),
        ),
    ],
)
def test_what_is_a_connection_method(text: str, remote: Remote) -> None:
    assert parse(text) == remote


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tcp",
        "tcp:",
        "tcp:a..b:1",
        "tcp:a b:1",
        f"ssl:{64 * 'x'}:1",
        "punix:",
        "unix:",
        "udp:1.2.3.4",
        "ptcp:65536",
        "ptcp:-1",
        "ptcp:٣",
        "ptcp:1:host.example",
        "tcp:[::1",
        "tcp:[::1]5",
        "tcp:[x]:5",
        "tcp:h:x",
        "db:a,b",
        "db:a,,c",
        "db:a,b,c,d",
    ],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(RemoteError):
        parse(text)


@given(st.text(max_size=30))
def test_any_text_is_a_remote_or_an_error(text: str) -> None:
    try:
        assert isinstance(parse(text), Listen | Connect | Column)
    except RemoteError as error:
        assert "\n" not in error.message


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["lock", "steal", "unlock", "release"])))
)
def test_a_lock_has_one_owner_while_anyone_wants_it(steps: list[tuple[int, str]]) -> None:
    """Against the simplest model: the list of those who want it, the owner first."""
    holders = [object() for _ in range(4)]
    locks: Locks[object] = Locks()
    wanting: list[object] = []
    asked: set[int] = set()
    for number, step in steps:
        holder = holders[number]
        if step in ("lock", "steal") and number not in asked:
            asked.add(number)
            if step == "lock":
                wanting.append(holder)
                assert locks.lock(holder, "x") == (wanting[0] is holder)
            else:
                victim = wanting.pop(0) if wanting else None
                wanting.insert(0, holder)
                assert locks.steal(holder, "x") is victim
        elif step == "unlock" and number in asked:
            asked.discard(number)
            owned = bool(wanting) and wanting[0] is holder
            wanting = [each for each in wanting if each is not holder]
            assert locks.unlock(holder, "x") is (wanting[0] if owned and wanting else None)
        elif step == "release":
            asked.discard(number)
            owned = bool(wanting) and wanting[0] is holder
            wanting = [each for each in wanting if each is not holder]
            expected = [(wanting[0], "x")] if owned and wanting else []
            assert locks.release(holder) == expected
        assert locks.owner("x") is (wanting[0] if wanting else None)


def test_a_log_limit_counts_what_it_holds_back() -> None:
    limit = LogLimit(count=2, period=10.0)
    assert [limit.passes(now) for now in (0, 1, 2, 9, 10, 11, 12)] == [
        *(True, True, False, False),
        *(True, True, False),
    ]
    assert (limit.suppressed(), limit.suppressed()) == (3, 0)
