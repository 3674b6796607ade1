"""Signals: what each one does where a step runs and where none does, and the code the command ends with."""

import os
import signal
from types import SimpleNamespace

import pytest

from training.callbacks import signals as module
from training.callbacks.signals import SIGNALS, StopOnSignal, Stopped

pytestmark = pytest.mark.usefixtures("signals_as_typed")
CODES = {signal.SIGTERM: 143, signal.SIGUSR1: 143, signal.SIGINT: 130, signal.SIGHUP: 129}


def trainer(**values):
    reduce = lambda told, all: told  # noqa: E731
    strategy = SimpleNamespace(reduce_boolean_decision=reduce)
    defaults = {
        "strategy": strategy, "should_stop": False, "accumulate_grad_batches": 1, "limit_val_batches": 1.0, "val_check_batch": 3,
        "num_val_batches": [1], "state": SimpleNamespace(fn="fit"),
    }  # fmt: skip
    return SimpleNamespace(**{**defaults, **values})


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_in_a_step_waits_for_its_end(number):
    stop, run = StopOnSignal(), trainer()
    with stop.taken():
        stop.on_train_start(run, None)
        os.kill(os.getpid(), number)
        assert not run.should_stop
        stop.on_train_batch_end(run, None, None, SimpleNamespace(index=0), 0)
    assert run.should_stop
    assert run.limit_val_batches == 0, "where training stops for now, nothing is validated that would not be"
    assert stop.exit_code == CODES[number]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_where_no_step_runs_ends_cleanly(number):
    stop = StopOnSignal()
    with pytest.raises(Stopped), stop.taken():
        os.kill(os.getpid(), number)
    assert stop.exit_code == CODES[number]
    stop = StopOnSignal()
    with pytest.raises(Stopped), stop.taken():
        stop.on_train_start(trainer(), None)
        stop.on_train_end(trainer(), None)
        os.kill(os.getpid(), number)
    assert not issubclass(Stopped, Exception), "whoever catches all errors lets it pass"


def test_a_second_signal_ends_at_once(monkeypatch):
    left = []
    monkeypatch.setattr(module.os, "_exit", left.append)
    stop = StopOnSignal()
    with stop.taken():
        stop.on_train_start(trainer(), None)
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR1)
        assert left == [], "the group was told too"
        monkeypatch.setattr(module, "SAME_S", -1.0)
        os.kill(os.getpid(), signal.SIGINT)
    assert left == [143]


def test_a_signal_while_gradients_accumulate_waits_for_the_optimiser():
    stop, run = StopOnSignal(), trainer(accumulate_grad_batches=2)
    with stop.taken():
        stop.on_train_start(run, None)
        os.kill(os.getpid(), signal.SIGTERM)
        stop.on_train_batch_end(run, None, None, SimpleNamespace(index=0), 0)
        assert not run.should_stop
        stop.on_train_batch_end(run, None, None, SimpleNamespace(index=1), 1)
    assert run.should_stop


def test_a_validation_in_the_middle_of_a_step_stops_nothing():
    stop, run = StopOnSignal(), trainer(accumulate_grad_batches=2)
    with stop.taken():
        stop.on_train_start(run, None)
        os.kill(os.getpid(), signal.SIGTERM)
        stop.on_train_batch_end(run, None, None, SimpleNamespace(index=0), 0)
        stop.on_validation_end(run, None)
        assert not run.should_stop
        stop.on_train_batch_end(run, None, None, SimpleNamespace(index=1), 1)
    assert run.should_stop


def test_a_signal_while_validation_runs_stops_after_it():
    stop, run = StopOnSignal(), trainer()
    with stop.taken():
        stop.on_train_start(run, None)
        os.kill(os.getpid(), signal.SIGTERM)
        stop.on_validation_end(run, None)
    assert run.should_stop
    assert run.limit_val_batches == 1.0


def test_another_rank_s_signal_stops_this_one_as_sigterm():
    stop, run = StopOnSignal(), trainer()
    run.strategy.reduce_boolean_decision = lambda told, all: True
    stop.on_train_batch_end(run, None, None, SimpleNamespace(index=2), 2)
    assert run.should_stop
    assert run.limit_val_batches == 1.0, "validation is due after the third batch"
    assert stop.exit_code == 143


def test_handlers_are_given_back_and_ignored_signals_stay_so():
    before = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopOnSignal().taken():
            os.kill(os.getpid(), signal.SIGHUP)
        signal.signal(signal.SIGHUP, before[signal.SIGHUP])
        assert {number: signal.getsignal(number) for number in SIGNALS} == before
    finally:
        signal.signal(signal.SIGHUP, before[signal.SIGHUP])
