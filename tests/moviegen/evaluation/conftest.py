"""Small clips to measure."""

from pathlib import Path

import pytest

from moviegen.testing.pairs import write_clips


@pytest.fixture(scope="session")
def pairs(tmp_path_factory) -> tuple[Path, Path]:
    """(generated, reference): four clips of the same names, the first with noise."""
    root = tmp_path_factory.mktemp("pairs")
    names = {f"clip_{i}": i for i in range(4)}
    return write_clips(root / "generated", names, noise=12), write_clips(root / "reference", names)
