"""The queue: one job at a time a model, in order; progress, cancelling, errors, and how many may wait."""

import threading

import pytest

from moviegen.errors import UsageError
from moviegen.serve.jobs import JobQueue
from moviegen.serve.markup import duration_words, state_words


class Gate:
    """Work that goes on when it is told to, step by step."""

    def __init__(self) -> None:
        self.may, self.begun = threading.Semaphore(0), threading.Event()

    def __call__(self, job) -> str:
        self.begun.set()
        with job.progress(3) as advance:
            for step in range(3):
                self.may.acquire()
                advance(step + 1, 3)
        return "made"


def ended(queue: JobQueue, job) -> str:
    with queue._turn:
        assert queue._turn.wait_for(lambda: not job.is_open, 10)
    return job.state


def test_one_job_at_a_time_a_model_and_others_know_their_place():
    queue, first, third = JobQueue(), Gate(), Gate()
    one = queue.submit("one", ["a"], first)
    assert first.begun.wait(10)
    two = queue.submit("two", ["a", "b"], lambda job: "")
    other = queue.submit("other", ["c"], third)
    assert third.begun.wait(10)  # another model does not wait
    last = queue.submit("last", ["b"], lambda job: "")
    assert [queue.num_before(job) for job in (one, two, last, other)] == [0, 1, 1, 0]
    assert (two.state, last.state) == ("waiting", "waiting")
    assert state_words(two, 1) == "Waiting: 1 job before it"
    first.may.release(3)
    assert [ended(queue, job) for job in (one, two, last)] == ["done"] * 3
    assert one.message == "made"
    queue.close(0.1)
    assert other.state == "running"  # it sleeps: asked to stop, it has not come to a step yet
    third.may.release()
    assert ended(queue, other) == "cancelled"


def test_a_waiting_job_goes_at_once_a_running_one_at_its_next_step():
    queue, gate = JobQueue(), Gate()
    one, two = queue.submit("one", ["a"], gate), queue.submit("two", ["a"], lambda job: "")
    assert gate.begun.wait(10)
    queue.cancel(two.number)
    assert ended(queue, two) == "cancelled"
    queue.cancel(one.number)
    assert one.state == "running"
    assert state_words(one, 0) == "Cancelling: stops at its next step"
    gate.may.release()
    assert ended(queue, one) == "cancelled"
    assert one.step == 1
    queue.cancel(one.number)
    assert one.state == "cancelled"


def test_time_left_is_that_of_the_steps_before():
    now = [100.0]
    queue = JobQueue(clock=lambda: now[0])
    seen = []

    def work(job) -> str:
        with job.progress(10) as advance:
            seen.append(job.left_s())
            now[0] += 8
            for _ in range(4):
                advance(0, 0)
            seen.append((job.left_s(), state_words(job, 0)))
            for _ in range(6):
                advance(0, 0)
            queue.cancel(job.number)
            seen.append(state_words(job, 0))  # no step is left at which it could stop
        return ""

    job = queue.submit("job", [], work)
    assert ended(queue, job) == "done"
    assert seen == [None, (12.0, "Step 4 of 10, about 12 s left"), "Decoding and writing"]
    assert [duration_words(s) for s in (0.2, 89, 100, 7500)] == ["1 s", "89 s", "2 min", "2 h 5 min"]


def test_errors_are_sentences_and_a_bug_does_not_end_the_queue(capsys):
    queue = JobQueue()

    def fails(error):
        def work(job):
            raise error

        return work

    wrong = queue.submit("wrong", ["a"], fails(UsageError("frames is 0, wanted at least 1")))
    bug = queue.submit("bug", ["a"], fails(ZeroDivisionError("x")))
    full = queue.submit("full", ["a"], fails(MemoryError()))
    assert [ended(queue, job) for job in (wrong, bug, full)] == ["failed"] * 3
    assert wrong.message == "frames is 0, wanted at least 1"
    assert "ZeroDivisionError" in bug.message
    assert "Traceback" not in bug.message
    assert "Traceback" in capsys.readouterr().err
    assert "not enough memory" in full.message
    assert ended(queue, queue.submit("fine", ["a"], lambda job: "")) == "done"


def test_no_more_than_a_number_may_wait():
    queue, gate = JobQueue(max_waiting=1), Gate()
    queue.submit("one", ["a"], gate)
    assert gate.begun.wait(10)
    queue.submit("two", ["a"], lambda job: "")
    with pytest.raises(UsageError, match="1 jobs wait already"):
        queue.submit("three", ["a"], lambda job: "")
    gate.may.release(3)
