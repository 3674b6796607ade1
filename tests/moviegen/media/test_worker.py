"""The worker: results come back, errors keep their class, and nothing a call does outlives it."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from moviegen.errors import UsageError
from moviegen.media.limits import DecodeCrashError, DecodeMemoryError, DecodeTimeoutError, UnreadableMediaError
from moviegen.media.probe import MediaProbe, probe
from moviegen.media.read import read_frames_at, read_video
from moviegen.media.worker import DecodeWorker, WorkerCallError, guarded_call, own_worker

MODULE = """
    import ctypes, os, signal, sys, time
    from pathlib import Path
    import numpy as np
    from moviegen.errors import UsageError

    def echo(*args, **kwargs): return [list(args), kwargs]
    def chatter(): print("words on stdout"); return "kept apart"
    def stdin(): return sys.stdin.read()
    def sleep(seconds): time.sleep(seconds); return seconds
    def spin_in_c(): ctypes.CDLL(None).pause()
    def eat(num_bytes): return int(np.ones(num_bytes, np.uint8).sum())
    def die(how): os.kill(os.getpid(), getattr(signal, how))
    def die_once(flag):
        if not Path(flag).exists():
            Path(flag).touch()
            os.abort()
        return "second time"
    def leave(code): os._exit(code)
    def wrong(): raise KeyError("a bug")
    def usage(): raise UsageError("type something else")
    def send_object(): return object()
    def big(num_bytes): return np.zeros(num_bytes, np.uint8)
    def count(array): return int(array.sum())
    def pid(): return os.getpid()
    def garbage():
        for descriptor in range(3, 32):
            try: os.write(descriptor, b"\\xff" * 64)
            except OSError: pass
        time.sleep(60)
"""


@pytest.fixture(scope="module", autouse=True)
def deeds(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A module `deeds` on the import path with functions that misbehave."""
    folder = tmp_path_factory.mktemp("deeds")
    (folder / "deeds.py").write_text(textwrap.dedent(MODULE))
    sys.path.append(str(folder))
    yield
    sys.path.remove(str(folder))


@pytest.fixture
def worker():
    with DecodeWorker(timeout_s=20, memory_bytes=1 << 30) as started:
        yield started


def test_values_go_through(worker: DecodeWorker, clip_path: Path) -> None:
    args = [1, "a", None, 2.5, Path("x"), b"\0\1", (1, 2)]
    assert worker.call("deeds.echo", *args, key={"k": [True]}) == [args, {"key": {"k": [True]}}]
    facts = worker.call("moviegen.media.probe.probe", clip_path)
    assert isinstance(facts, MediaProbe)
    assert facts == probe(clip_path)


def test_frames_are_the_same_as_without(worker: DecodeWorker, clip_path: Path, clip_bytes: bytes) -> None:
    assert np.array_equal(worker.call(read_video, clip_path, indices=[0, 9]), read_video(clip_path, indices=[0, 9]))
    assert np.array_equal(worker.call(read_video, clip_bytes, indices=[3]), read_video(clip_path, indices=[3]))
    frames = worker.call(read_frames_at, clip_path, [0])
    assert np.array_equal(frames[0].image, read_frames_at(clip_path, [0])[0].image)


def test_one_child_serves_call_after_call(worker: DecodeWorker) -> None:
    assert worker.pid is None
    pids = {worker.call("deeds.pid") for _ in range(3)}
    assert pids == {worker.pid}
    assert pids != {os.getpid()}


def test_megabytes_both_ways(worker: DecodeWorker) -> None:
    array = np.ones(50_000_000, np.uint8)
    assert worker.call("deeds.count", array) == array.size
    assert worker.call("deeds.big", 50_000_000).shape == array.shape


def test_what_code_prints_does_not_disturb(worker: DecodeWorker) -> None:
    assert worker.call("deeds.chatter") == "kept apart"
    assert worker.call("deeds.stdin") == ""


@pytest.mark.parametrize(("deed", "args"), [("sleep", [60]), ("spin_in_c", [])])
def test_too_long_is_killed_and_the_next_call_works(worker: DecodeWorker, deed: str, args: list) -> None:
    first = worker.call("deeds.pid")
    begun = time.monotonic()
    with pytest.raises(DecodeTimeoutError, match=r"took longer than 0\.5 s"):
        worker.call(f"deeds.{deed}", *args, timeout_s=0.5)
    assert time.monotonic() - begun < 10
    assert not psutil.pid_exists(first)
    assert worker.call("deeds.pid") != first


def test_too_much_memory_is_an_error_of_the_call(worker: DecodeWorker) -> None:
    with pytest.raises(DecodeMemoryError, match="needs more memory than allowed"):
        worker.call("deeds.eat", 2 << 30)
    assert worker.call("deeds.eat", 1 << 20) == 1 << 20


def test_the_errors_name_the_file(worker: DecodeWorker, tmp_path: Path) -> None:
    with pytest.raises(UnreadableMediaError, match=r"none\.mp4: cannot be opened"):
        worker.call("moviegen.media.probe.probe", tmp_path / "none.mp4")
    with pytest.raises(DecodeTimeoutError, match=r"^some/file\.mp4: took"):
        worker.call("deeds.echo", "some/file.mp4", timeout_s=0)


@pytest.mark.parametrize("how", ["SIGSEGV", "SIGKILL", "SIGABRT"])
def test_a_death_is_an_error_of_the_call(worker: DecodeWorker, how: str) -> None:
    with pytest.raises(DecodeCrashError, match=rf"died twice \(signal {how}\)"):
        worker.call("deeds.die", how)
    with pytest.raises(DecodeCrashError, match=r"exit status 7"):
        worker.call("deeds.leave", 7)
    assert worker.call("deeds.echo") == [[], {}]


def test_one_death_is_forgiven(worker: DecodeWorker, tmp_path: Path) -> None:
    assert worker.call("deeds.die_once", tmp_path / "flag") == "second time"


def test_nonsense_from_the_child_is_a_death(worker: DecodeWorker) -> None:
    with pytest.raises(DecodeCrashError, match="sent nonsense: a header of"):
        worker.call("deeds.garbage")
    assert worker.call("deeds.echo") == [[], {}]


def test_errors_keep_their_class_or_say_what_they_were(worker: DecodeWorker) -> None:
    with pytest.raises(UsageError, match=r"^type something else$"):
        worker.call("deeds.usage")
    with pytest.raises(WorkerCallError, match="KeyError: 'a bug'") as caught:
        worker.call("deeds.wrong")
    assert "def wrong()" in caught.value.__notes__[0]
    with pytest.raises(WorkerCallError, match="object cannot be sent"):
        worker.call("deeds.send_object")
    with pytest.raises(WorkerCallError, match="no_such_function"):
        worker.call("deeds.no_such_function")


def test_a_reply_over_the_memory_limit_is_not_read() -> None:
    with (
        DecodeWorker(timeout_s=20, memory_bytes=300 << 20) as small,
        pytest.raises((DecodeCrashError, DecodeMemoryError)),
    ):
        small.call("deeds.big", 400 << 20)


def test_threads_share_a_worker(worker: DecodeWorker) -> None:
    results: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: results.append(worker.call("deeds.echo", n)[0][0])) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == list(range(8))


def test_the_shared_worker_is_one_per_process_and_memory_limit() -> None:
    # os.getpid: an earlier test of this process may have started the shared worker, before `deeds` was on the path
    first = guarded_call("os.getpid")
    assert guarded_call("os.getpid") == first
    assert guarded_call("os.getpid", memory_bytes=1 << 30) != first


def test_a_thread_may_have_a_worker_to_itself() -> None:
    shared, elsewhere = guarded_call("os.getpid"), []
    with own_worker() as worker:
        own = guarded_call("os.getpid")
        assert (own, own != shared) == (worker.pid, True)
        assert guarded_call("os.getpid", memory_bytes=1 << 30) != own, "another limit, another worker"
        thread = threading.Thread(target=lambda: elsewhere.append(guarded_call("os.getpid")))
        thread.start()
        thread.join()
    assert elsewhere == [shared]
    assert guarded_call("os.getpid") == shared
    assert not psutil.pid_exists(own)


def test_a_forked_process_starts_its_own() -> None:
    code = """
        import os
        from moviegen.media.worker import guarded_call
        here = guarded_call("os.getpid")
        child = os.fork()
        if child == 0:
            os._exit(0 if guarded_call("os.getpid") != here else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert guarded_call("os.getpid") == here
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, timeout=60)


def test_children_end_with_their_parent() -> None:
    """Idle, at the end of its input; at work, by its own alarm, when the parent is killed and cannot."""
    code = """
        import sys, threading, time
        from moviegen.media.worker import DecodeWorker
        idle, busy = DecodeWorker(), DecodeWorker(timeout_s=1)
        idle.call("os.getpid"); busy.call("os.getpid")
        threading.Thread(target=busy.call, args=("time.sleep", 60)).start()
        time.sleep(0.3)
        print(idle.pid, busy.pid, flush=True)
        time.sleep(60)
    """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    children = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive


@pytest.mark.spark
def test_inside_spark_python_workers(hostile_dir: Path, tmp_path: Path) -> None:
    """Each Python worker of Spark has a decode worker of its own; a hostile file is a row, not a dead job."""
    spark = pytest.importorskip("curation.spark_session")
    names = ["good.mp4", "bomb.mkv", "concat.mp4", "good.webm"] * 2
    config = spark.SparkConfig(master="local[2,4]")

    def look(name: str) -> str:
        from moviegen.media.limits import MediaError
        from moviegen.media.worker import guarded_call

        try:
            return f"{guarded_call('moviegen.media.probe.probe', hostile_dir / name).width}"
        except MediaError as error:
            return type(error).__name__

    session = spark.start_session(config, tmp_path / "spark.log")
    try:
        ends = session.sparkContext.parallelize(names, 4).map(look).collect()
    finally:
        session.stop()
    assert ends == ["128", "UnreadableMediaError", "RefusedMediaError", "128"] * 2
