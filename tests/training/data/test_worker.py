"""A loader's worker outlives the signals meant for the training process."""

import os
import signal
import time

import pytest

from training.data import worker
from training.data.worker import shield


def shielded(grace_s):
    """A child that is a worker, as far as signals go."""
    ready, write = os.pipe()
    child = os.fork()
    if not child:
        worker.GRACE_S = grace_s
        shield(0)
        os.write(write, b"x")
        while True:
            time.sleep(0.01)
    os.read(ready, 1)
    os.close(ready)
    os.close(write)
    return child


def is_alive(pid):
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM])
def test_a_worker_outlives_a_signal(number):
    child = shielded(60.0)
    try:
        os.kill(child, number)
        time.sleep(0.2)
        assert is_alive(child)
        assert os.getpgid(child) == child, "Ctrl-C is for the terminal's group"
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_after_sigterm_it_ends_in_time_and_without_a_fault():
    child = shielded(0.2)
    os.kill(child, signal.SIGTERM)
    os.kill(child, signal.SIGTERM)
    assert os.waitpid(child, 0)[1] == 0
