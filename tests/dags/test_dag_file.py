"""What can be said of the DAGs without Airflow."""

import ast
import importlib.util
import json
import os
import signal
import subprocess
import sys

import pytest

from curation.cli import VERBS

OURS = {"moviegen_command", "moviegen_events", "moviegen_runs", "moviegen_links", "moviegen_spark"}
DRIVER = "moviegen_driver.py"
"""Runs in the other environment: `spark-submit` starts it there."""


def sources(repo_root):
    return [path for path in (repo_root / "dags").rglob("*.py") if path.name != DRIVER]


def test_they_import_airflow_and_the_standard_library_alone(repo_root):
    for path in sources(repo_root):
        tree = ast.parse(path.read_text())
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        server = {"fastapi"} if path.parent.name == "plugins" else set()  # Airflow's own server
        assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names | {"airflow"} | OURS | server, path


def test_their_words_are_our_verbs(repo_root):
    """Every job of a task is a verb of `moviegen curate`, and none of `run` is left out."""
    jobs, checked = set(), set()
    for path in sources(repo_root):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("job", "job_in_order"):
                jobs |= {argument.value for argument in node.args[1:2] if isinstance(argument, ast.Constant)}
            if isinstance(node, ast.Tuple) and node.elts and ast.unparse(node.elts[0]) == "'curate'":
                checked |= {element.value for element in node.elts[1:2] if isinstance(element, ast.Constant)}
    by_hand = {"run", "timeline", "find", "explain", "whatif", "gc", "replay", "card"}
    sets = {"personal", "edits"}  # named by a variable
    assert jobs | checked | sets == {*VERBS} - by_hand


def test_they_use_no_shell(repo_root):
    for path in sources(repo_root):
        assert "shell=True" not in path.read_text()
        assert "BashOperator" not in path.read_text()


def test_no_dag_is_named_as_a_package(repo_root):
    assert {path.stem for path in sources(repo_root)}.isdisjoint({"moviegen", "curation", "training"})


def test_helpers_are_not_read_as_dags(repo_root):
    ignored = (repo_root / "dags" / ".airflowignore").read_text().split()
    assert ignored == ["moviegen_*.py", "plugins/"]


@pytest.mark.parametrize("name", ["apache-airflow", "apache-airflow-providers-apache-spark", "pytest"])
def test_what_airflow_s_environment_is_made_of_is_pinned(repo_root, name):
    lines = (repo_root / "dags" / "constraints.txt").read_text().splitlines()
    assert [line for line in lines if line.startswith(f"{name}==")]


@pytest.fixture(scope="module")
def events(repo_root):
    spec = importlib.util.spec_from_file_location("moviegen_events", repo_root / "dags" / "moviegen_events.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FIRST = {"batches": {"day1": "in/day1"}, "lake": "lake", "config": "a.yaml", "subset": "demo", "master": "local[*,4]"}
SECOND = FIRST | {"batches": {"day2": "in/day2"}}


def test_a_run_takes_the_batches_of_all_events(events):
    assert events.merged([FIRST, SECOND]) == FIRST | {"batches": {"day1": "in/day1", "day2": "in/day2"}}
    assert events.merged([]) == {}


@pytest.mark.parametrize("name", ["lake", "config", "subset"])
def test_events_of_two_lakes_or_configs_are_no_one_run(events, name):
    with pytest.raises(ValueError, match=f"more than one {name}: .*other"):
        events.merged([FIRST, SECOND | {name: "other"}])
    assert name not in events.merged([FIRST, SECOND | {name: "other"}], own=(name,))


def test_a_batch_with_two_folders_is_refused(events):
    with pytest.raises(ValueError, match="more than one folder of batch day1: elsewhere, in/day1"):
        events.merged([FIRST, FIRST | {"batches": {"day1": "elsewhere"}}])


def test_airflow_is_ready_when_the_dags_that_run_are_listed(repo_root, monkeypatch):
    """Not when as many are as there are files: one file makes several."""
    monkeypatch.syspath_prepend(str(repo_root / "tools"))
    import airflow_api
    import airflow_standalone

    listed = ["curate_personal", "curate_edits", "curate_audio", "curate_days", "lake_stats"]
    monkeypatch.setattr(airflow_api, "request", lambda *asked: {"dags": [{"dag_id": name} for name in listed]})
    running = airflow_api.Airflow("", "")
    assert not running.has(*airflow_standalone.DAGS)
    listed.append("curate_videos")
    assert running.has(*airflow_standalone.DAGS)


def test_a_failed_task_is_told_with_the_end_of_what_its_command_printed(repo_root, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(repo_root / "tools"))
    import airflow_api

    log = tmp_path / "dag_id=d" / "run_id=r" / "task_id=score" / "map_index=1" / "attempt=2.log"
    log.parent.mkdir(parents=True)
    printed = [{"logger": "task.stdout", "event": f"line {n}"} for n in range(20)]
    error = {"logger": "task", "level": "error", "event": "Task failed", "error_detail": [{"exc_value": "exit code 4"}]}
    log.write_text("\n".join(map(json.dumps, [*printed, {"logger": "task", "level": "info", "event": "::"}, error])))
    rows = [
        {"task_id": "score", "map_index": n, "try_number": 2, "state": s} for n, s in ((0, "success"), (1, "failed"))
    ]
    monkeypatch.setattr(airflow_api, "request", lambda *asked: {"task_instances": rows})
    told = airflow_api.Airflow("", "").failures("d", "r", tmp_path).splitlines()
    assert told[0] == f"score failed: {log}"
    assert [line.strip() for line in told[1:]] == [f"line {n}" for n in range(9, 20)] + ["Task failed: exit code 4"]


def test_a_driver_ends_with_the_task_that_submitted_it(repo_root):
    code = "import moviegen_driver, sys, time; moviegen_driver.end_with(int(sys.argv[1])); print(flush=True); time.sleep(600)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(repo_root / "dags"), str(repo_root)])}
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as task:
        command = [sys.executable, "-c", code, str(task.pid)]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as driver:
            driver.stdout.readline()
            assert driver.poll() is None
            task.kill()
            assert driver.wait() == -signal.SIGTERM
