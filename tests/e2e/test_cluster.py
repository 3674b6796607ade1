"""The same command on a standalone master with two workers, one of them lost on the way: the bytes of a run in one process."""

import os
import subprocess
import sys

import psutil
import pytest

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def on_cluster(repo_root, mini, mini_world, tmp_path_factory):
    """The lake of a run on a cluster with speculation on, what the run said, and the processes it has left behind."""
    folder = tmp_path_factory.mktemp("cluster")
    options = "{spark.speculation: 'true', spark.executor.memory: 512m}"
    run = [
        "curate",
        "run",
        "--config",
        repo_root / "configs/curation/demo.yaml",
        "--input",
        mini_world,
        "--lake",
        "lake",
    ]
    run += [*mini.flags, "--spark.master", "{master}", "--spark.options", options]
    command = [sys.executable, "-m", "curation.cluster", "--workers", "2", "--memory", "512m"]
    command += ["--", sys.executable, "-m", "moviegen.cli", *map(str, run)]
    environment = os.environ | {"PYTHONPATH": str(repo_root)}
    # a relative path of the lake, from a folder that is not the workers'
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    left = [p.info for p in psutil.process_iter(["pid", "cmdline"]) if str(folder) in " ".join(p.info["cmdline"] or ())]
    return folder / "lake", done, left


def test_a_cluster_gives_the_bytes_of_a_run_in_one_process(on_cluster, local_lake, mini):
    lake, done, _ = on_cluster
    assert done.returncode == 0, done.stderr
    assert "files: 12 = 4 accepted + 5 rejected + 3 failed" in done.stdout
    assert mini.contents(lake) == mini.contents(local_lake)


def test_it_leaves_no_process_behind(on_cluster):
    assert on_cluster[2] == []
