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
from curation.cluster import ClusterConfig, cluster
from curation.jobs.parts import Operation, encode_task, make_task
from curation.rows import read_files
from curation.shipping import FOLDER, pack_code
from curation.spark import SparkConfig, SparkRunner
from moviegen.contracts.lake import Lake, Part
from moviegen.contracts.tables import TABLES

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def on_cluster(repo_root, tiny, tmp_path_factory):
    """The lake of a run on a cluster with speculation on, what the run said, and the processes it has left behind."""
    folder = tmp_path_factory.mktemp("cluster")
    options = "{spark.speculation: 'true', spark.executor.memory: 512m}"
    # a relative path of the lake, from a folder that is not the workers'
    run = [*tiny.words("lake"), "--spark.master", "{master}", "--spark.options", options]
    command = [sys.executable, "-m", "curation.cluster", "--workers", "2", "--memory", "512m"]
    command += ["--", sys.executable, "-m", "moviegen.cli", *run]
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


LOOKING = """
import os
import time

from moviegen.contracts.tables import TABLES


def look(task):
    from pyspark import TaskContext

    given = TaskContext.get().resources()
    begun = time.time()
    time.sleep(1)
    seen = [sorted(given["gpu"].addresses) if given else None, os.environ.get("CUDA_VISIBLE_DEVICES"), begun, time.time()]
    return {"failures": [{"stage": "look", "input_id": task.keys[0], "error": "", "message": repr(seen)}]}
"""


def test_a_task_that_wants_a_gpu_gets_one_that_no_other_has(tmp_path):
    (tmp_path / "looking.py").write_text(LOOKING)
    options = {"spark.executor.memory": "512m", "spark.executorEnv.PYTHONPATH": f"{FOLDER}{os.pathsep}{tmp_path}"}
    lake = Lake(tmp_path / "lake")
    tasks = [_task(lake, f"gpu{n}", {"device": "cuda"}) for n in range(4)] + [_task(lake, "cpu", {"device": "cpu"})]
    with cluster(ClusterConfig(workers=2, memory="512m", gpus=2)) as running:
        config = SparkConfig(running.master, gpus_per_task=1.0, options=options)
        with SparkRunner(config, tmp_path / "spark.log") as runner:
            parts = [Part(**json.loads(text)[0][1]) for text in runner.begin([encode_task(t) for t in tasks], "look")()]
    rows = read_files([lake.root / part.path for part in parts], TABLES["failures"])
    seen = {row["input_id"]: ast.literal_eval(row["message"]) for row in rows}
    assert seen.pop("cpu")[0] is None
    assert all([visible] == given for given, visible, _, _ in seen.values())
    assert {visible for _, visible, _, _ in seen.values()} <= {"0", "1"}
    spans = sorted((visible, begun, ended) for _, visible, begun, ended in seen.values())
    assert all(a != b or ended <= begun for (a, _, ended), (b, begun, _) in itertools.pairwise(spans))


def _task(lake, key, params):
    operation = Operation("look", "1", ("failures",), "looking:look", {"params": params})
    return make_task(lake, "b", operation, [key], {key: {}})


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
