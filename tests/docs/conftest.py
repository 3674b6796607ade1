"""A place for each page: a temporary folder with the configs and a few small videos, in which its blocks run in order."""

import os
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from moviegen.media.write import write_video
from moviegen.testing.tiny_products import tiny_editor, tiny_soundtrack, tiny_t2v, tiny_upsampler
from moviegen.testing.world import render, sample_scene

ROOT = Path(__file__).resolve().parents[2]

STRICT = "set -euo pipefail\n"


@pytest.fixture(scope="session")
def videos(tmp_path_factory) -> Path:
    """`holiday.mp4`, `other.mp4`: a shot of a moving shape each, long enough for a clip."""
    folder = tmp_path_factory.mktemp("docs") / "videos"
    folder.mkdir()
    for seed, name in enumerate(("holiday", "other")):
        scene = sample_scene(
            np.random.default_rng(seed), width=128, height=128, fps=10, duration=4.3, camera="static", action="moves"
        )
        write_video(folder / f"{name}.mp4", render(scene), Fraction(10))
    return folder


MODELS = {
    "runs/04_t2v_64px/model": tiny_t2v,
    "upsampler/model": tiny_upsampler,
    "audio/model": tiny_soundtrack,
    "edit/model": tiny_editor,
}
"""Where pages have a trained model -> the product that takes its place."""


def save_models(folder: Path) -> None:
    """Writes those that are not there."""
    for name, make in MODELS.items():
        if not (folder / name).exists():
            make().save_pretrained(folder / name)


@pytest.fixture
def session(tmp_path, videos):
    """Runs a block of a page: sh in bash, python in this interpreter; gives the ended process."""
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    shutil.copytree(videos, tmp_path / "my" / "videos")
    bin_dir = tmp_path / ".bin"
    bin_dir.mkdir()
    (bin_dir / "moviegen").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m moviegen.cli "$@"\n')
    (bin_dir / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    for script in bin_dir.iterdir():
        script.chmod(0o755)
    paths = {"PATH": f"{bin_dir}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}

    def run(block) -> subprocess.CompletedProcess:
        if "models" in block.markers:
            save_models(tmp_path)
        command = ["bash", "-c", STRICT + block.text] if block.language == "sh" else [sys.executable, "-c", block.text]
        environment = {**os.environ, **paths, "NO_COLOR": "1"}
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
        )

    return SimpleNamespace(run=run, folder=tmp_path)
