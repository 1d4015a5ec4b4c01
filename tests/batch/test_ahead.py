"""Reading ahead changes neither order nor errors, and never runs away."""

from __future__ import annotations

import threading
import time

import pytest

from fer_cbam.batch.ahead import read_ahead


def test_items_in_order():
    assert list(read_ahead(iter(range(50)), 3)) == list(range(50))


def test_no_more_than_the_depth_is_fetched():
    fetched = []

    def items():
        for number in range(100):
            fetched.append(number)
            yield number

    ahead = read_ahead(items(), 4)
    assert next(ahead) == 0
    time.sleep(0.3)
    assert len(fetched) <= 6  # one is read, four wait, one is in the thread's hands
    ahead.close()
    end = time.monotonic() + 5
    while time.monotonic() < end and any("_fetch" in t.name for t in threading.enumerate()):
        time.sleep(0.05)
    assert not [t for t in threading.enumerate() if "_fetch" in t.name]


def test_an_error_comes_in_its_turn():
    def items():
        yield 1
        raise OSError("gone")

    ahead = read_ahead(items(), 2)
    assert next(ahead) == 1
    with pytest.raises(OSError, match="gone"):
        next(ahead)
