"""The commands a person types, on Spark: killed in the middle, typed again, and asked."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def run(tiny):
    """Types `moviegen curate run` about the tiny world; extra environment and flags as given."""
    return lambda lake, *flags, **environment: moviegen(*tiny.words(lake), *flags, **environment)


def moviegen(*words, **environment):
    command = [sys.executable, "-m", "moviegen.cli", *map(str, words)]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def lake(run, tiny, tmp_path_factory):
    """A lake whose first run died at a commit, whose second run lost a task's worker, and whose third run ended."""
    path = tmp_path_factory.mktemp("spark") / "lake"
    always = "--spark.start_above_s", "0"
    died = run(path, "--spark.master", "local[2,4]", *always, FAULT_AT="commit.renamed#2")
    assert died.returncode == -9, died.stderr
    crashed = run(path, "--spark.master", "local[2,1]", *always, FAULT_AT="part.synced#2")
    assert crashed.returncode != 0
    done = run(path, *always)
    assert done.returncode == 0, done.stderr
    assert tiny.fates in done.stdout
    return path


def test_killed_twice_it_ends_with_the_bytes_of_a_run_in_one_process(lake, tiny):
    assert tiny.contents(lake) == tiny.contents(tiny.lake)


def test_a_small_run_starts_no_spark_and_ends_with_the_same_bytes(lake, run, tiny, tmp_path):
    done = run(tmp_path / "lake", "--spark.start_above_s", "1e9")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "lake" / "_logs" / "spark.log").exists()
    assert (lake / "_logs" / "spark.log").exists()
    assert tiny.contents(tmp_path / "lake") == tiny.contents(lake)


def test_nothing_half_written_is_left(lake):
    assert list(lake.rglob(".*.tmp")) == []


def test_a_second_run_does_no_work_and_says_so(lake, run, tiny):
    before = tiny.contents(lake)
    done = run(lake)
    assert done.returncode == 0
    assert "nothing to do: all of it is committed" in done.stderr
    assert tiny.contents(lake) == before


def test_too_many_failures_end_with_three(lake, run):
    done = run(lake, "--limits.max_failed_fraction", "0.1")
    assert done.returncode == 3
    assert "1 of 3 files failed" in done.stderr
    assert done.stderr.index("1 of 3 files could not be opened: 33.3%") < done.stderr.index("1 of 3 files failed")
    assert "failed_inputs" in done.stderr


def test_check_finds_a_tar_that_was_changed(lake, tmp_path):
    assert moviegen("curate", "check", lake).returncode == 0
    tar = next(lake.glob("shards/*/*/*.tar"))
    content = tar.read_bytes()
    try:
        tar.write_bytes(content[:-1] + b"x")
        done = moviegen("curate", "check", lake)
        assert done.returncode == 4
        assert "sha256 differs" in done.stderr
    finally:
        tar.write_bytes(content)


def test_stats_answers_in_json(lake):
    rows = json.loads(moviegen("stats", lake, "select uri, state from inputs", "--json").stdout)
    assert len(rows) == 3
    assert {row["state"] for row in rows} == {"accepted", "rejected", "failed"}


def test_the_report_needs_nothing_else(lake):
    text = (lake / "report.html").read_text()
    assert "data:image/jpeg;base64," in text
    assert len(text) < 10_000_000
    for word in ("<script ", "http://", "https://", "src='", 'src="/'):
        assert word not in text, word


def test_a_lake_that_is_written_to_is_locked(lake, run):
    from curation.jobs.session import hold_lock

    with hold_lock(lake):
        done = run(lake)
    assert done.returncode == 6
    assert f"process {os.getpid()} on" in done.stderr


def test_a_signal_while_the_jvm_starts_leaves_none_behind(tiny, tmp_path):
    words = [*tiny.words(tmp_path / "lake"), "--spark.start_above_s", "0"]
    command = [sys.executable, "-m", "moviegen.cli", *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        jvm = []
        while not jvm and process.poll() is None:
            time.sleep(0.02)
            with contextlib.suppress(psutil.Error):  # a child may end while it is asked
                jvm = [each for each in psutil.Process(process.pid).children() if "spark" in " ".join(each.cmdline())]
        assert jvm
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)  # as `timeout` does: the process, then its group
        assert process.wait(20) == 130
    _, alive = psutil.wait_procs(jvm, timeout=10)
    assert not alive


def test_a_dry_run_touches_nothing(run, tmp_path):
    done = run(tmp_path / "lake", "--dry-run")
    assert done.returncode == 0
    assert "ingest: would do 3 of 3 files" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--lake", "L"], "which videos? --input FOLDER"),
        (["--lake", "L", "--input", "nowhere"], "nowhere: no such folder"),
        (["--lake", "L", "--shard.max_simples", "3"], "did you mean 'shard.max_samples'"),
        (["--lake", "L", "--batch", "a/b"], "batch 'a/b'"),
        (["--lake", "L", "--filter.rules", "none.yaml"], "no file none.yaml"),
    ],
)
def test_what_is_typed_wrong_is_said(words, said, repo_root, tmp_path):
    demo = repo_root / "configs" / "curation" / "demo.yaml"
    words = [str(tmp_path / "lake") if word == "L" else word for word in words]
    done = moviegen("curate", "run", "--config", demo, *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
