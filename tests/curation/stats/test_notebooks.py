"""The notebooks run from top to bottom on a small lake."""

import subprocess
import sys
from pathlib import Path

import pytest

from curation.stats.notebook import find_lake
from moviegen.errors import UsageError


@pytest.fixture(autouse=True)
def lake(known_lake, monkeypatch, repo_root):
    monkeypatch.setenv("MOVIEGEN_LAKE", str(known_lake))
    monkeypatch.setenv("PYTHONPATH", str(repo_root))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    return known_lake


def test_the_marimo_notebook_runs_as_a_script(repo_root):
    pytest.importorskip("marimo")
    pytest.importorskip("altair")
    done = subprocess.run(
        [sys.executable, "notebooks/analyst.py"], cwd=repo_root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_lake_is_the_named_one_else_the_usual_ones(lake, monkeypatch):
    assert find_lake() == lake
    monkeypatch.delenv("MOVIEGEN_LAKE")
    (lake.parent / "notebooks").mkdir()
    for folder, found in ((lake.parent, "lake"), (lake.parent / "notebooks", "../lake")):
        monkeypatch.chdir(folder)
        assert find_lake() == Path(found)
    lake.rename(lake.parent / "other")
    with pytest.raises(UsageError, match="set MOVIEGEN_LAKE"):
        find_lake()


def test_without_a_lake_the_marimo_notebook_says_so_in_a_line(repo_root, monkeypatch, tmp_path):
    pytest.importorskip("marimo")
    monkeypatch.setenv("MOVIEGEN_LAKE", str(tmp_path / "none"))
    done = subprocess.run(
        [sys.executable, "notebooks/analyst.py"], cwd=repo_root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "no such folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_jupyter_notebook_runs(repo_root):
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    pytest.importorskip("altair")
    notebook = nbformat.read(repo_root / "notebooks" / "lake_tour.ipynb", as_version=4)
    assert not [cell for cell in notebook.cells if cell.get("outputs")], "outputs are not committed"
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(repo_root)}}).execute()
    shown = [
        output["data"].get("text/plain", "")
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if "data" in output
    ]
    assert "duplicate_file" in shown[0]
    assert any("motion.vmaf" in text for text in shown)
