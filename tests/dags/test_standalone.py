"""Batches through Airflow and its scheduler: killed in the middle, tried again, run again; by `spark-submit` on a standalone cluster. The
tars are those of the same command on `local[*,4]` and on the cluster without Airflow."""

import hashlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.airflow

VIDEOS = 2
MORE = ["--score.detectors", "{probe: {}, audio: {}}", "--shard.max_samples", "1", "--spark.max_inputs_per_task", "1"]  # fmt: skip
RULES = "rules:\n  - {name: wide, metric: probe.width, min: 0}\n"


@pytest.fixture(scope="module")
def moviegen():
    command = os.environ.get("MOVIEGEN_BIN")
    if not command:
        pytest.skip("MOVIEGEN_BIN is not set: make test-airflow sets it")
    return Path(command)


@pytest.fixture(scope="module")
def videos(moviegen, tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    for name, seed in (("a", 0), ("b", 1)):
        words = ["world", folder / name, "--num_clips", VIDEOS, "--seed", seed, "--faults", "false"]
        subprocess.run([moviegen, *map(str, words)], check=True)
    (folder / "rules.yaml").write_text(RULES)
    return folder


@pytest.fixture(scope="module")
def more(videos):
    return [*MORE, "--filter.rules", str(videos / "rules.yaml")]


@pytest.fixture(scope="module")
def master(moviegen, repo_root):
    """A standalone master with two workers."""
    command = [moviegen.with_name("python"), "-m", "curation.cluster", "--workers", "2", "--memory", "512m"]
    with subprocess.Popen(command, cwd=repo_root, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().strip()
        process.terminate()


def words(videos, lake, repo_root, batch, master, more):
    config = repo_root / "configs" / "curation" / "demo.yaml"
    return ["curate", "run", "--config", str(config), "--input", str(videos / batch), "--lake", str(lake), "--batch", batch,
            "--subset", "demo", "--spark.master", master, *more]  # fmt: skip


def tars(lake):
    return {
        p.relative_to(lake).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in lake.glob("shards/**/*.tar")
    }


def every_file(lake):
    return {
        p.relative_to(lake).as_posix(): p.read_bytes()
        for p in lake.rglob("*")
        if p.is_file() and "_logs" not in p.parts
    }


@pytest.fixture(scope="module")
def local(moviegen, videos, more, repo_root, tmp_path_factory):
    """Tars of both batches by hand, on Spark in this machine's own processes."""
    lake = tmp_path_factory.mktemp("local") / "lake"
    for batch in ("a", "b"):
        typed = words(videos, lake, repo_root, batch, "local[*,4]", [*more, "--spark.start_above_s", "0"])
        subprocess.run([moviegen, *typed], check=True)
    assert list((lake / "_logs" / "spark-events").iterdir())
    assert len(tars(lake)) >= 4
    return tars(lake)


def form(videos, lake, repo_root, more, master, *batches):
    config = str(repo_root / "configs" / "curation" / "demo.yaml")
    return {
        "batches": {name: str(videos / name) for name in batches},
        "lake": str(lake),
        "more": more,
        "master": master,
        "config": config,
    }


def airflow_here(standalone, moviegen, folder, master):
    airflow = Path(sys.executable).parent
    python = moviegen.with_name("python")
    environment = standalone.settings(airflow.parent, folder / "home", standalone.free_port(), master, python, folder)
    return standalone.airflow(airflow / "airflow", environment | {"MOVIEGEN_RETRY_DELAY_S": "5"})


def test_a_task_that_is_killed_is_tried_again_and_a_run_run_again_changes_nothing(
    standalone, moviegen, videos, more, local, repo_root, tmp_path
):
    lake = tmp_path / "lake"
    conf = form(videos, lake, repo_root, more, "local[*,4]", "a", "b")
    with airflow_here(standalone, moviegen, tmp_path, None) as running:
        running.unpause("curate_videos")
        killed = kill_in_the_middle(lake, "shard")
        assert running.run("curate_videos", conf, "first") == "success"
        assert killed(), "the job was never seen at work"
        tries = {row["task_id"] for row in running.tasks("curate_videos", "first") if row["try_number"] > 1}
        assert "shard" in tries
        assert tars(lake) == local
        before = every_file(lake)
        assert running.run("curate_videos", conf, "again") == "success"
        assert {name for name, content in every_file(lake).items() if before.get(name) != content} == set()
        assert running.call("GET", "assets/events")["total_entries"] == 2
        check_report(running, lake)


def test_a_cluster_gives_the_same_tars_with_and_without_airflow(
    standalone, moviegen, videos, more, local, master, repo_root, tmp_path
):
    wanted = {
        path: sha256
        for path, sha256 in local.items()
        if path in tars_of_a(moviegen, videos, more, master, repo_root, tmp_path)
    }
    more = [*more, "--spark.options", "{spark.executor.memory: 512m}"]
    with airflow_here(standalone, moviegen, tmp_path, master) as running:
        running.unpause("curate_videos")
        conf = form(videos, tmp_path / "airflow", repo_root, more, master, "a")
        assert running.run("curate_videos", conf, "cluster") == "success"
    assert tars(tmp_path / "airflow") == tars(tmp_path / "cluster") == wanted


def tars_of_a(moviegen, videos, more, master, repo_root, folder):
    """Those that the command leaves on the cluster, of the first batch."""
    options = ["--spark.options", "{spark.executor.memory: 512m}"]
    subprocess.run(
        [moviegen, *words(videos, folder / "cluster", repo_root, "a", master, [*more, *options])], check=True
    )
    return tars(folder / "cluster")


def check_report(running, lake):
    """The button of the report's task opens the page, for who is logged in alone."""
    import urllib.error
    import urllib.request

    links = running.call("GET", "dags/curate_videos/dagRuns/again/taskInstances/report/links")
    url = running.url + links["extra_links"]["Report"]
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(url)
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {running.token}"})
    with urllib.request.urlopen(request) as answer:
        assert answer.read() == (lake / "report.html").read_bytes()
        assert "sandbox" in answer.headers["Content-Security-Policy"]
    outside = urllib.request.Request(url.partition("?")[0] + "?lake=/etc", headers=dict(request.headers))
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(outside)


def kill_in_the_middle(lake, verb):
    """Kills, once, the command of a job as soon as its first tar is there; `killed()` says whether it did."""
    found = threading.Event()

    def watch():
        deadline = time.monotonic() + 3600
        while time.monotonic() < deadline and not found.is_set():
            if any(lake.glob("shards/**/*.tar")):
                for process in psutil.process_iter(["cmdline"]):
                    line = process.info["cmdline"] or []
                    if "curate" in line and verb in line and str(lake) in line:
                        process.kill()
                        found.set()
            time.sleep(0.01)

    threading.Thread(target=watch, daemon=True).start()
    return found.is_set
