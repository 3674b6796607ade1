import json
import multiprocessing
import os
import time

import pytest

from curation.config import CurateConfig
from curation.jobs.parts import LocalRunner, Operation
from curation.jobs.session import LOCK_FILE, SECONDS_PER_GIGAPIXEL, Session, Work, hold_lock
from curation.progress import Progress
from curation.spark_config import SparkConfig
from moviegen.errors import UsageError


def hold_and_die(lake):
    with hold_lock(lake):
        os._exit(9)


def test_one_run_at_a_time_and_the_other_says_who(tmp_path):
    with (
        hold_lock(tmp_path / "lake"),
        pytest.raises(UsageError, match=f"process {os.getpid()} on"),
        hold_lock(tmp_path / "lake"),
    ):
        pass
    with hold_lock(tmp_path / "lake"):
        pass


def test_the_lock_of_a_dead_run_is_no_lock(tmp_path):
    child = multiprocessing.get_context("fork").Process(target=hold_and_die, args=(tmp_path,))
    child.start()
    child.join()
    assert json.loads((tmp_path / f"{LOCK_FILE}.json").read_text())["pid"] == child.pid
    with hold_lock(tmp_path):
        pass


def test_half_written_files_go_and_whole_ones_stay(tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / ".part.parquet.123.tmp").write_text("half")
    (tmp_path / "videos" / "part.parquet").write_text("whole")
    with hold_lock(tmp_path):
        assert [path.name for path in (tmp_path / "videos").iterdir()] == ["part.parquet"]


def test_plain_lines_come_now_and_then(capsys):
    now = iter(range(0, 1000, 4))
    progress = Progress(clock=lambda: float(next(now)))
    progress.start("split", 10)
    for _ in range(5):
        progress.advance(2)
    assert progress.end() > 0
    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert all(line.startswith("  split: ") and " of 10" in line for line in lines)
    assert "10 of 10" not in lines[-1]


def test_quiet_is_quiet(capsys):
    Progress(quiet=True).say("hello")
    assert capsys.readouterr().err == ""


class TestWhoDoesTheWork:
    """Spark is started when the work is worth its start."""

    def session(self, tmp_path, runner, **spark):
        return Session(CurateConfig(lake=tmp_path, spark=SparkConfig(**spark)), runner, Progress(quiet=True))

    class Idle(LocalRunner):
        is_started = False

    def test_small_work_is_done_here_until_it_adds_up(self, tmp_path):
        spark = self.Idle()
        session = self.session(tmp_path, spark, start_above_s=10)
        assert session._runner(6) is not spark
        assert session._runner(3) is not spark
        assert session._runner(6) is spark, "15 s in all"
        assert session._runner(0.5) is not spark, "what is left is small, and no session runs yet"

    @pytest.mark.parametrize("settings", [{"start_above_s": 0}, {"master": "spark://head:7077"}])
    def test_always_spark(self, tmp_path, settings):
        spark = self.Idle()
        assert self.session(tmp_path, spark, **settings)._runner(0.1) is spark

    def test_a_session_that_runs_is_used(self, tmp_path):
        spark = LocalRunner()
        assert self.session(tmp_path, spark)._runner(0.1) is spark

    def test_what_it_costs_is_decoding_and_the_rest(self):
        work = Work(Operation("x", "1", (), ""), {}, cost=lambda key: 2.0, extra_s=0.5)
        assert work.seconds(["a", "b"]) == pytest.approx(2 * (2 * SECONDS_PER_GIGAPIXEL + 0.5))


def test_a_silent_job_is_heard_of_and_a_talking_one_is_left_alone(capsys):
    progress = Progress(heartbeat_s=0.05)
    with progress.heartbeat():
        progress.start("split", 10)
        progress.advance(4)
        time.sleep(0.2)
        progress.doing("check")
        time.sleep(0.12)
    lines = capsys.readouterr().err.splitlines()
    assert "  split: 4 of 10 committed, at it for 0 s" in lines
    assert "  check: at it for 0 s" in lines
    time.sleep(0.1)
    assert capsys.readouterr().err == ""
    with Progress(quiet=True, heartbeat_s=0.01).heartbeat():
        time.sleep(0.05)
    assert capsys.readouterr().err == ""


def test_what_begins_in_silence_does_not_put_the_first_line_off(capsys):
    """Half a minute means half a minute, also when a job began a moment ago."""
    progress = Progress(heartbeat_s=0.2)
    with progress.heartbeat():
        for _ in range(10):
            progress.doing("filter")
            time.sleep(0.05)
    assert capsys.readouterr().err.count("filter") >= 1
