"""Fixtures that every folder of tests may use."""

import json
import os
from contextlib import suppress
from pathlib import Path

import pytest

with suppress(ModuleNotFoundError):  # Airflow's environment has none
    from hypothesis import settings

    # a busy machine is no failed property, and the same commit passes or fails alike everywhere
    settings.register_profile("moviegen", deadline=None, derandomize=True)
    settings.register_profile("search", deadline=None, max_examples=1000)  # new examples at every run
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "moviegen"))

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """Root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def media_dir() -> Path:
    """Folder of real media with ground truth; the test is skipped where it is absent."""
    folder = Path(os.environ.get("MOVIEGEN_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "truth.json").exists():
        pytest.skip(f"real media not found in {folder}; set MOVIEGEN_TEST_DATA to a folder with truth.json")
    return folder


@pytest.fixture(scope="session")
def media_truth(media_dir: Path) -> dict[str, dict]:
    """Ground truth of the real media, by file name below `media_dir`."""
    return json.loads((media_dir / "truth.json").read_text())


@pytest.fixture(scope="session")
def media_manifest(media_dir: Path) -> dict[str, dict]:
    """Measured facts of the real media, by file name below `media_dir`."""
    return {row["file"]: row for row in json.loads((media_dir / "manifest.json").read_text())}
