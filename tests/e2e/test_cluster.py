"""The same command on a standalone master with two workers: the bytes of a run in one process; and GPUs."""

import ast
import itertools
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import psutil
import pytest

import curation.spark
from curation.rows import read_files
from curation.shipping import FOLDER, pack_code
from curation.spark_config import SparkConfig
from moviegen.contracts.tables import TABLES

pytestmark = pytest.mark.spark


LOOKING = """
import os
import time


def look(task):
    from pyspark import TaskContext

    given = TaskContext.get().resources()
    begun = time.time()
    time.sleep(0.5)
    seen = [sorted(given["gpu"].addresses) if given else None, os.environ.get("CUDA_VISIBLE_DEVICES"), begun, time.time()]
    return {"failures": [{"stage": "look", "input_id": task.keys[0], "error": "", "message": repr(seen)}]}
"""
"""A task that says which GPUs it was given, what CUDA would see, and when it ran."""

TYPED = """
import json
import sys

from curation.jobs.parts import Operation, encode_task, make_task
from curation.spark import SparkRunner
from curation.spark_config import SparkConfig
from moviegen.cli import main
from moviegen.contracts.lake import lake_at


def task(key, device):
    operation = Operation("look", "1", ("failures",), "looking:look", {"params": {"device": device}})
    return encode_task(make_task(lake_at("looked"), "b", operation, [key], {key: {}}))


def look(master, options):
    tasks = [*(task(f"gpu{n}", "cuda") for n in range(4)), task("cpu", "cpu")]
    with SparkRunner(SparkConfig(master, gpus_per_task=1.0, options=options), lake_at("looked").root / "spark.log") as runner:
        return [json.loads(text)[0][1]["path"] for text in runner.begin(tasks, "look")()]


master, options, *words = json.loads(sys.argv[1])
code = main(words)
print(json.dumps(look(master, options)))
sys.exit(code)
"""
"""The command, then tasks that look, in one process: one cluster and one JVM for all tests here."""


@pytest.fixture(scope="module")
def on_cluster(repo_root, tiny, tmp_path_factory):
    """The folder with the lake of a run on a cluster with speculation on, what was said, and the processes that are left behind."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "looking.py").write_text(LOOKING)
    options = "{spark.speculation: 'true', spark.executor.memory: 512m}"
    looking = {"spark.executor.memory": "512m", "spark.executorEnv.PYTHONPATH": f"{FOLDER}{os.pathsep}{folder}"}
    # a relative path of the lake, from a folder that is not the workers'
    words = ["{master}", looking, *tiny.words("lake"), "--spark.master", "{master}", "--spark.options", options]
    command = [sys.executable, "-m", "curation.cluster", "--workers", "2", "--memory", "512m", "--gpus", "2"]
    command += ["--", sys.executable, "-c", TYPED, json.dumps(words)]
    environment = os.environ | {"PYTHONPATH": str(repo_root), "TMPDIR": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    left = [p.info for p in psutil.process_iter(["pid", "cmdline"]) if str(folder) in " ".join(p.info["cmdline"] or ())]
    return folder, done, left


def test_a_cluster_gives_the_bytes_of_a_run_in_one_process(on_cluster, tiny):
    folder, done, _ = on_cluster
    assert done.returncode == 0, done.stderr
    assert tiny.fates in done.stdout
    assert tiny.contents(folder / "lake") == tiny.contents(tiny.lake)


def test_it_leaves_nothing_behind(on_cluster):
    folder, _, processes = on_cluster
    assert processes == []
    assert [path.name for path in folder.iterdir() if path.name.startswith("moviegen-")] == []


def test_a_task_that_wants_a_gpu_gets_one_that_no_other_has(on_cluster):
    folder, done, _ = on_cluster
    parts = json.loads(done.stdout.splitlines()[-1])
    rows = read_files([folder / "looked" / part for part in parts], TABLES["failures"])
    seen = {row["input_id"]: ast.literal_eval(row["message"]) for row in rows}
    assert sorted(seen) == ["cpu", "gpu0", "gpu1", "gpu2", "gpu3"]
    assert seen.pop("cpu")[0] is None
    assert all([visible] == given for given, visible, _, _ in seen.values())
    assert {visible for _, visible, _, _ in seen.values()} <= {"0", "1"}
    spans = sorted((visible, begun, ended) for _, visible, begun, ended in seen.values())
    assert all(a != b or ended <= begun for (a, _, ended), (b, begun, _) in itertools.pairwise(spans))


def test_gpus_are_for_clusters():
    with pytest.raises(ValueError, match=r"spark\.gpus_per_task needs a cluster"):
        SparkConfig(gpus_per_task=1.0)
    with pytest.raises(ValueError, match=r"wanted 0\.\.1"):
        SparkConfig("spark://h:7077", gpus_per_task=1.5)


def test_the_code_that_is_shipped_is_the_code_that_runs(tmp_path):
    with zipfile.ZipFile(pack_code(tmp_path)) as archive:
        names = set(archive.namelist())
        assert {"moviegen/contracts/lake.py", "curation/spark.py", "curation/stats/sql/views/funnel.sql"} <= names
        assert archive.read("curation/spark.py") == Path(curation.spark.__file__).read_bytes()
        assert not any("__pycache__" in name for name in names)
