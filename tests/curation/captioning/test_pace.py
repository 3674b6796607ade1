import threading
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.captioning.pace import Backoff, Pace, retry_after_s


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), (" 0.5 ", 0.5), (formatdate(1030, usegmt=True), 30.0), (formatdate(900, usegmt=True), 0.0),
     (None, None), ("", None), ("soon", None), ("-3", None), ("٣", None)],
)  # fmt: skip
def test_retry_after(header, seconds):
    assert retry_after_s(header, now=1000.0) == seconds


@given(tries=st.integers(1, 40), drawn=st.floats(0, 1), asked=st.none() | st.floats(0, 500))
def test_a_wait_grows_is_drawn_and_never_shorter_than_asked(tries, drawn, asked):
    longest = min(60.0, 2.0 ** (tries - 1))
    wait = Backoff(1.0, 60.0).wait_s(tries, asked, lambda: drawn)
    assert wait >= (asked or 0)
    assert wait == (asked or 0) or longest / 2 <= wait <= longest


class Clock:
    """Time that passes only while someone sleeps."""

    def __init__(self):
        self.now = 100.0
        self.lock = threading.Lock()

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        with self.lock:
            self.now += seconds


def test_so_many_a_minute_and_no_burst_after_a_rest():
    clock = Clock()
    pace = Pace(30, clock, clock.sleep)
    times = []
    for _ in range(4):
        pace.enter()
        times.append(clock.now)
    clock.now += 60
    for _ in range(2):
        pace.enter()
        times.append(clock.now)
    assert times == [100, 102, 104, 106, 166, 168]


def test_a_pause_is_for_all():
    clock = Clock()
    pace = Pace(None, clock, clock.sleep)
    pace.enter()
    assert clock.now == 100
    pace.pause(5)
    pace.enter()
    pace.enter()
    assert clock.now == 105
