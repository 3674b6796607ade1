"""The DAG in Airflow itself; `make test-airflow` runs these in Airflow's own environment."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.airflow

IDS = ["ingest", "split", "score", "embed", "filter", "caption", "shard", "check", "report"]

FAKE = """#!{python}
import json, os, sys
with open({log!r}, "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
sys.exit(4 if os.environ.get("FAIL_AT") in sys.argv else 0)
"""


@pytest.fixture(scope="module")
def airflow_home(tmp_path_factory, repo_root):
    """An Airflow with an empty database that reads our DAG folder."""
    home = tmp_path_factory.mktemp("airflow")
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(repo_root / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}",
    }
    environment = os.environ | settings
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], env=environment, check=True, capture_output=True)
    return environment


def test_the_folder_imports_without_errors(airflow_home, repo_root):
    script = (
        "from airflow.dag_processing.dagbag import DagBag; import json, os;"
        "bag = DagBag(os.environ['AIRFLOW__CORE__DAGS_FOLDER']);"
        "dag = bag.dags['curate_videos'];"
        "print('RESULT', json.dumps([bag.import_errors, [t.task_id for t in dag.topological_sort()], sorted(dag.params)]))"
    )
    done = subprocess.run([sys.executable, "-c", script], env=airflow_home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT"))
    errors, ids, params = json.loads(line.partition(" ")[2])
    assert errors == {}
    assert ids == IDS
    assert params == ["batch", "config", "input", "lake", "master"]


def test_each_task_types_its_command(airflow_home, tmp_path):
    calls = run_dag(airflow_home, tmp_path, 0)
    assert [call[:2] for call in calls] == [["curate", name] for name in IDS]
    assert calls[0][calls[0].index("--input") + 1] == "in; touch pwned"
    assert all(call[call.index("--lake") + 1] == "L" for call in calls[:7])
    assert calls[7] == ["curate", "check", "L"]


def test_a_failed_command_fails_the_run_and_nothing_follows(airflow_home, tmp_path):
    calls = run_dag(airflow_home | {"FAIL_AT": "score"}, tmp_path, 1)
    assert {call[1] for call in calls} == {"ingest", "split", "score"}


def run_dag(environment, folder, code):
    """Runs the DAG with a command that only writes down how it was called."""
    log, binary = folder / "calls.jsonl", folder / "moviegen"
    binary.write_text(FAKE.format(python=sys.executable, log=str(log)))
    binary.chmod(0o755)
    conf = json.dumps({"input": "in; touch pwned", "lake": "L"})
    command = [sys.executable, "-m", "airflow", "dags", "test", "curate_videos", "--conf", conf]
    done = subprocess.run(
        command,
        env=environment | {"MOVIEGEN_BIN": str(binary)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode != 0) == bool(code), done.stdout[-3000:] + done.stderr[-3000:]
    assert not (folder / "pwned").exists()
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_real_videos_become_shards(airflow_home, tmp_path, repo_root):
    moviegen = os.environ.get("MOVIEGEN_BIN")
    if not moviegen:
        pytest.skip("MOVIEGEN_BIN is not set: make test-airflow sets it")
    subprocess.run(
        [moviegen, "world", "--output", tmp_path / "videos", "--num_clips", "2", "--faults", "false"], check=True
    )
    conf = {
        "input": str(tmp_path / "videos"),
        "lake": str(tmp_path / "lake"),
        "config": str(repo_root / "configs" / "curation" / "demo.yaml"),
    }
    command = [sys.executable, "-m", "airflow", "dags", "test", "curate_videos", "--conf", json.dumps(conf)]
    done = subprocess.run(command, env=airflow_home, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert list((tmp_path / "lake").glob("shards/*/*/*.tar"))
    assert (tmp_path / "lake" / "report.html").exists()
