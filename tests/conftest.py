"""Fixtures that every folder of tests may use, and the order in which two processes share the files."""

import gc
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

with suppress(ModuleNotFoundError):  # Airflow's environment has none
    from hypothesis import settings

    # a busy machine is no failed property, and the same commit passes or fails alike everywhere
    settings.register_profile("moviegen", deadline=None, derandomize=True)
    settings.register_profile("search", deadline=None, max_examples=1000)  # new examples at every run
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "moviegen"))

os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # before torch is imported: as many test processes as cores, one thread each

ROOT = Path(__file__).resolve().parents[1]
LONGEST = ("e2e", "training", "docs")
"""Folders whose files take longest, few tests though they have: begun first, so that no process waits for the other's last file."""


def pytest_configure(config: pytest.Config) -> None:
    """Files in the order they are collected in, where xdist would begin with those of many tests."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; and what was imported to collect them all is never looked through again for garbage."""
    folders = [item.path.relative_to(ROOT / "tests").parts[0] for item in items]
    ranks = [LONGEST.index(folder) if folder in LONGEST else len(LONGEST) for folder in folders]
    items[:] = [item for _, item in sorted(zip(ranks, items, strict=True), key=lambda pair: pair[0])]
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _no_wait_for_the_disk() -> Iterator[None]:
    """Syncing takes a hundredth of a second each time and shows only when the power goes; processes that tests start do sync."""
    patch = pytest.MonkeyPatch()
    patch.setattr(os, "fsync", lambda descriptor: None)
    yield
    patch.undo()


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
