"""The DAGs in Airflow itself; `make test-airflow` runs these in Airflow's own environment."""

import itertools
import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.airflow

CURATE = ["ingest", "split", "score", "embed", "filter", "caption", "shard"]
CHECKS = {f"check_{kind}" for kind in ("parts", "schema", "queries", "shards", "rows", "funnel")}
DAGS = {"curate_videos", "curate_days", "curate_audio", "curate_personal", "curate_edits", "lake_stats", "train_stages"}

RUN = """
import json, os, sys
from pathlib import Path
from airflow.dag_processing.dagbag import BundleDagBag

folder = os.environ["AIRFLOW__CORE__DAGS_FOLDER"]
bag = BundleDagBag(folder, bundle_path=Path(folder), bundle_name="dags-folder")
found = {"errors": bag.import_errors, "dags": sorted(bag.dags), "tasks": {}, "states": {}}
for name, dag in bag.dags.items():
    found["tasks"][name] = [task.task_id for task in dag.topological_sort()]
for name, conf in json.loads(sys.argv[1]):
    found["states"][name] = str(bag.dags[name].test(run_conf=conf).state)
print("RESULT", json.dumps(found))
"""


@pytest.fixture(scope="module")
def airflow_home(tmp_path_factory, repo_root):
    """An Airflow with an empty database that reads our DAG folder."""
    home = tmp_path_factory.mktemp("airflow")
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(repo_root / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(repo_root / "dags" / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "MOVIEGEN_RETRIES": "0",
        "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}",
    }
    environment = os.environ | settings
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], env=environment, check=True, capture_output=True)
    return environment


@pytest.fixture(scope="module")
def run_dags(airflow_home, noting):
    """What the DAG folder holds, how runs ended, and every command that was typed."""

    def run(folder, runs, **more):
        binary, calls = noting(folder)
        done = subprocess.run(
            [sys.executable, "-c", RUN, json.dumps(runs)], cwd=folder, capture_output=True, text=True, check=False,
            env=airflow_home | {"MOVIEGEN_BIN": str(binary), **more},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        said = next(line for line in done.stdout.splitlines() if line.startswith("RESULT"))
        return json.loads(said.partition(" ")[2]), calls()

    return run


@pytest.fixture(scope="module")
def typed(run_dags, tmp_path_factory):
    """All DAGs, run with odd names; what they typed."""
    folder = tmp_path_factory.mktemp("typed")
    conf = {"batches": {"b": "in; touch pwned", "a": "A"}, "lake": "L", "more": ["--dedup.threshold", "0.8"]}
    small = {"lake": "L", "subset": "S"}
    runs = [["curate_videos", conf], ["lake_stats", small], ["train_stages", {**small, "output": "R"}]]
    runs += [["curate_days", {"day": "2026-11-21", "inputs": "s3://in", "lake": "D"}]]
    runs += [[f"curate_{kind}", {"batches": {"a": "A"}, "lake": "L"}] for kind in ("audio", "personal", "edits")]
    found, calls = run_dags(folder, runs)
    assert not (folder / "pwned").exists()
    return found, calls


def test_the_folder_imports_without_errors(typed):
    found, _ = typed
    assert found["errors"] == {}
    assert set(found["dags"]) == DAGS
    ids = found["tasks"]["curate_videos"]
    assert [each for each in ids if each in CURATE] == CURATE
    assert set(ids[ids.index("shard") + 1 : ids.index("publish")]) >= CHECKS
    assert ids[-1] == "report"


def test_every_dag_ends_well_where_its_commands_do(typed):
    found, _ = typed
    assert set(found["states"].values()) == {"success"}


def test_nightly_runs_are_told_by_the_environment(run_dags, tmp_path):
    """Nobody fills the form of a scheduled run; what is not known breaks the DAG with the variable's name."""
    told = {"inputs": "s3://days", "lake": "N", "config": "my.yaml", "more": ["--limits.max_failed_fraction", "0.2"]}
    found, calls = run_dags(tmp_path, [["curate_days", {"day": "2026-11-21"}]], MOVIEGEN_DAYS=json.dumps(told))
    assert found["states"] == {"curate_days": "success"}
    [ingest] = [call for call in calls if call[:2] == ["curate", "ingest"]]
    flags = ("--input", "--lake", "--config", "--batch", "--limits.max_failed_fraction")
    assert [value(ingest, flag) for flag in flags] == ["s3://days/2026-11-21", "N", "my.yaml", "2026-11-21", "0.2"]
    for wrong, said in (("{", "MOVIEGEN_DAYS is no JSON"), ('{"lak": "N"}', "got lak")):
        found, _ = run_dags(tmp_path, [], MOVIEGEN_DAYS=wrong)
        [error] = found["errors"].values()
        assert said in error


def test_batches_and_detectors_are_mapped_and_come_in_order(typed):
    calls = [call for call in typed[1] if call[0] == "curate" and "L" in call]
    first = calls[: next(n for n, call in enumerate(calls) if call[1] == "report")]
    jobs = [call[1] for call in first if call[1] in CURATE]
    assert [job for job, _ in itertools.groupby(jobs)] == CURATE
    batches = {(call[1], value(call, "--batch")) for call in first if call[1] in CURATE}
    assert batches == {*itertools.product(CURATE, ("a", "b"))}
    assert [value(call, "--batch") for call in first if call[1] == "filter"] == ["a", "b"]
    scored = {(value(call, "--batch"), value(call, "--until")) for call in first if call[1] == "score"}
    assert scored == {(batch, detector) for batch in ("a", "b") for detector in ("motion", "ocr")}
    [b] = [call for call in first if call[1] == "ingest" and value(call, "--batch") == "b"]
    assert value(b, "--input") == "in; touch pwned"
    assert value(b, "--dedup.threshold") == "0.8"
    assert {value(call, "--only") for call in first if call[1] == "check"} == {each[6:] for each in CHECKS}


def test_a_day_can_be_named_where_the_run_has_no_date(typed):
    [ingest] = [call for call in typed[1] if call[:2] == ["curate", "ingest"] and value(call, "--lake") == "D"]
    assert (value(ingest, "--batch"), value(ingest, "--input")) == ("2026-11-21", "s3://in/2026-11-21")


def test_a_command_that_does_not_end_is_killed(airflow_home, tmp_path, repo_root):
    code = """
import subprocess, sys
import moviegen_command

moviegen_command.STOP_S = 0.2
task = moviegen_command.Moviegen(task_id="task", words=())
deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(600)"
task._process = subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE)
task._process.stdout.readline()
task.on_kill()
assert task._process.wait(10) == -9
"""
    environment = airflow_home | {"PYTHONPATH": str(repo_root / "dags")}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)


def test_stages_are_mapped(typed):
    stages = [call for call in typed[1] if call[0] == "train"]
    assert {value(call, "--until") for call in stages if "--until" in call} == {"tae_64px", "t2v_64px"}


def test_our_parsers_take_every_command(typed, repo_root):
    moviegen = our_command()
    kinds = {(*call[:2], *sorted(word for word in call if word.startswith("--"))): call for call in typed[1]}
    assert len(kinds) > 12
    for call in kinds.values():
        done = subprocess.run(
            [moviegen, *call, "--print_config"], cwd=repo_root, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (call, done.stderr)


def test_a_failed_check_fails_the_run_and_no_asset_is_published(run_dags, tmp_path):
    found, calls = run_dags(tmp_path, [["curate_videos", {"lake": "L"}]], FAIL_AT="funnel")
    assert found["states"] == {"curate_videos": "failed"}
    assert "report" not in {call[1] for call in calls}


def test_a_run_without_detectors_is_not_green(run_dags, tmp_path):
    found, calls = run_dags(tmp_path, [["curate_videos", {"lake": "L"}]], NO_DETECTORS="1")
    assert found["states"] == {"curate_videos": "failed"}
    assert "score" not in {call[1] for call in calls}


def value(call, flag):
    return call[call.index(flag) + 1]


def our_command():
    moviegen = os.environ.get("MOVIEGEN_BIN")
    if not moviegen:
        pytest.skip("MOVIEGEN_BIN is not set: make test-airflow sets it")
    return moviegen
