"""The rules of the house that a machine can check."""

import subprocess
import sys
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml


def test_import_rules(repo_root):
    done = subprocess.run(
        [sys.executable, "tools/lint_imports.py"], cwd=repo_root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("arguments", [["check", "."], ["format", "--check", "."]])
def test_ruff(repo_root, arguments):
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *arguments], cwd=repo_root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["moviegen", "curation", "training"])
def test_nobody_else_installs_our_packages(repo_root, name):
    # open-clip-torch <= 2.24 brought a top-level `training` of its own.
    assert set(packages_distributions().get(name, [])) <= {"moviegen"}
    assert Path(find_spec(name).origin).parent == repo_root / name


def test_no_test_folder_hides_a_package(repo_root):
    assert not list((repo_root / "tests").rglob("__init__.py"))


HEAVY = ("torch", "pyspark", "lightning", "duckdb", "transformers", "cv2", "av", "jsonargparse", "pyarrow")


@pytest.mark.parametrize(
    "line", ["import moviegen", "from moviegen.cli import commands; commands()", "import moviegen.contracts.lake"]
)
def test_light_imports_stay_light(line):
    code = f"{line}\nimport sys\nprint([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_hooks_of_pre_commit_are_commands_of_the_makefile(repo_root):
    config = yaml.safe_load((repo_root / ".pre-commit-config.yaml").read_text())
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    assert {repo["repo"] for repo in config["repos"]} == {"local"}, "versions are pinned in constraints.txt alone"
    assert {hook["id"] for hook in hooks} == {"ruff", "ruff-format", "imports"}
    makefile = (repo_root / "Makefile").read_text()
    for hook in hooks:
        assert hook["entry"].replace(".venv/bin/", "$(BIN)/") in makefile, hook["entry"]
        assert hook["language"] == "system"
