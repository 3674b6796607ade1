"""Commands forked from one process: how they end, what they say, and that threads are noticed."""

import threading

import pytest

from moviegen.testing.forks import Run, fork_run, fork_runs


def test_commands_run_one_after_another_and_tell_how_they_ended():
    runs = [Run(("--version",)), Run(("no-such-verb",)), Run(("--version",), signals=(9,), when="/no/such/file/*")]
    version, wrong, late = fork_runs(runs, ["json"])
    assert (version.code, version.said, version.is_met) == (0, "", False)
    assert wrong.code == 2
    assert "no verb 'no-such-verb'" in wrong.said
    assert (late.code, late.is_met) == (0, False), "it was done before the signal"


def test_a_process_with_threads_is_not_forked():
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        with pytest.raises(RuntimeError, match="threads run in the process that is to be forked"):
            fork_run(Run(("--version",)))
    finally:
        done.set()
        thread.join()
