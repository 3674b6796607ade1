"""A batch through Airflow, its scheduler and `spark-submit` on a standalone cluster: killed in the middle, tried again, run again; the
tars of the same command on `local[*,4]` and on the cluster without Airflow."""

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

VIDEOS = 4
MORE = ["--score.detectors", "{probe: {}, motion: {}, audio: {}}", "--spark.start_above_s", "0", "--shard.max_samples", "2",
        "--spark.options", "{spark.executor.memory: 512m}", "--spark.max_inputs_per_task", "1"]  # fmt: skip
RULES = "rules:\n  - {name: moves, metric: motion.vmaf, min: 0}\n"


@pytest.fixture(scope="module")
def standalone(repo_root):
    sys.path.insert(0, str(repo_root / "tools"))
    import airflow_standalone

    return airflow_standalone


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


def test_the_tars_are_the_same_everywhere(standalone, moviegen, videos, more, master, repo_root, tmp_path):
    for name, where in (("local", "local[*,4]"), ("cluster", master)):
        for batch in ("a", "b"):
            subprocess.run([moviegen, *words(videos, tmp_path / name, repo_root, batch, where, more)], check=True)
    wanted = tars(tmp_path / "local")
    assert len(wanted) >= 4
    assert tars(tmp_path / "cluster") == wanted

    lake = tmp_path / "airflow"
    conf = {"batches": {"a": str(videos / "a"), "b": str(videos / "b")}, "lake": str(lake), "more": more, "master": master,
            "config": str(repo_root / "configs" / "curation" / "demo.yaml")}  # fmt: skip
    airflow = Path(sys.executable).parent
    environment = standalone.settings(
        airflow.parent, tmp_path / "home", standalone.free_port(), master, moviegen.with_name("python"), tmp_path
    )
    environment |= {"MOVIEGEN_RETRY_DELAY_S": "5"}
    with standalone.airflow(airflow / "airflow", environment) as running:
        running.unpause("curate_videos")
        killed = kill_in_the_middle(lake, "shard")
        assert running.run("curate_videos", conf, "first") == "success"
        assert killed(), "the driver of the job was never seen at work"
        tries = {
            row["task_id"]: row["try_number"]
            for row in running.tasks("curate_videos", "first")
            if row["try_number"] > 1
        }
        assert set(tries) == {"shard"}
        assert tars(lake) == wanted
        before = every_file(lake)
        assert running.run("curate_videos", conf, "again") == "success"
        changed = {name for name, content in every_file(lake).items() if before.get(name) != content}
        assert changed == set()
        assert running.call("GET", "assets/events")["total_entries"] >= 2
        check_report(running, lake)


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
    """Kills, once, the driver of a job when a first tar of its second batch is being written; `killed()` says whether it was."""
    found = threading.Event()

    def watch():
        deadline = time.monotonic() + 3600
        while time.monotonic() < deadline:
            if any(lake.glob("shards/**/*.tar")):
                for process in psutil.process_iter(["cmdline"]):
                    line = process.info["cmdline"] or []
                    if verb in line and str(lake) in line and any(word.endswith("moviegen_driver.py") for word in line):
                        process.kill()
                        found.set()
                if found.is_set():
                    return
            time.sleep(0.02)

    threading.Thread(target=watch, daemon=True).start()
    return found.is_set
