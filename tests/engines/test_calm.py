"""What waits for a calm moment is done at last, too, where there never is one."""

from __future__ import annotations

import threading
import time

from hotswitch.datapath.engines.kernel.calm import Calm


def test_it_waits_for_calm() -> None:
    calm = Calm(quiet=0.2, patience=60)
    began = time.monotonic()
    calm.disturb()
    assert calm.wait(threading.Event(), began)
    assert 0.2 <= time.monotonic() - began < 30


def test_it_does_not_wait_for_ever() -> None:
    calm = Calm(quiet=60, patience=0.2, pace=0.1)
    began = time.monotonic()
    calm.disturb()
    assert calm.wait(threading.Event(), began)
    assert 0.25 <= time.monotonic() - began < 30


def test_it_does_not_wait_where_the_end_has_come() -> None:
    calm = Calm(quiet=60, patience=60)
    calm.disturb()
    closing = threading.Event()
    threading.Timer(0.1, closing.set).start()
    assert not calm.wait(closing, time.monotonic())
