"""Folders of small clips and of the same clips made worse, for tests and benchmarks of evaluation."""

from fractions import Fraction
from pathlib import Path

import numpy as np

from moviegen.media.write import write_video


def make_clip(seed: int, frames: int = 8, size: int = 64, noise: float = 0.0) -> np.ndarray:
    """(T, H, W, 3) uint8: coarse patches that drift, with noise; the same seed gives the same scene."""
    scene = np.random.default_rng(seed).uniform(0, 255, (size // 8, size // 8, 3))
    patches = np.kron(scene, np.ones((8, 8, 1)))
    clip = np.stack([np.roll(patches, 2 * t, axis=1) for t in range(frames)])
    clip = clip + np.random.default_rng(1000 + seed).normal(0, noise or 1e-9, clip.shape)
    return np.clip(clip.round(), 0, 255).astype(np.uint8)


def write_clips(folder: Path, names: dict[str, int], noise: float = 0.0, **shape: int) -> Path:
    """A folder with a clip of that seed for each name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, seed in names.items():
        write_video(folder / f"{name}.mp4", make_clip(seed, noise=noise, **shape), Fraction(8))
    return folder
