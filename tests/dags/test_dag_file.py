"""What can be said of the DAG without Airflow."""

import ast
import sys

from curation.cli import VERBS


def constant(tree, name):
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f"no {name}")


def test_it_imports_airflow_and_the_standard_library_alone(repo_root):
    for path in (repo_root / "dags").glob("*.py"):
        tree = ast.parse(path.read_text())
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names | {"airflow"}


def test_its_jobs_are_the_commands_in_order(repo_root):
    tree = ast.parse((repo_root / "dags" / "curate_videos.py").read_text())
    jobs = constant(tree, "JOBS")
    assert [verb for verb in VERBS if verb in jobs] == list(jobs)
    assert {*VERBS} - {"personal", "edits", "timeline", "find", "explain", "whatif", "gc", "replay"} == {
        "run",
        *jobs,
        "check",
        "report",
    }, "the others are sets beside the shards, and for a person who asks"


def test_it_uses_no_shell(repo_root):
    text = (repo_root / "dags" / "curate_videos.py").read_text()
    assert "shell=True" not in text
    assert "BashOperator" not in text


def test_no_dag_is_named_as_a_package(repo_root):
    assert {path.stem for path in (repo_root / "dags").glob("*.py")}.isdisjoint({"moviegen", "curation", "training"})
