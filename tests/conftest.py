"""Fixtures that every folder of tests may use."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("moviegen", deadline=None)  # a busy machine is no failed property
settings.load_profile("moviegen")

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
