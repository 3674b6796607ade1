"""Two folders of tiny generated clips, alike in name and in nothing else."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

NUM_PAIRS = 4


def clip(number: int, height: int, width: int, num_frames: int, background: int) -> np.ndarray:
    frames = np.full((num_frames, height, width, 3), background, np.uint8)
    for t, frame in enumerate(frames):
        frame[4:20, 2 + 2 * t : 14 + 2 * t] = (250, 40 * number, 30)
    return frames


@pytest.fixture(scope="session")
def generated(tmp_path_factory) -> Path:
    """`ours/` and `theirs/`: theirs are larger and longer; both with sound and with a recipe in their metadata; `prompts.csv`."""
    from moviegen.media.write import write_video

    root = tmp_path_factory.mktemp("generated")
    seconds = np.arange(48000) / 48000
    for name, height, width, num_frames, background in (("ours", 48, 64, 8, 60), ("theirs", 60, 80, 12, 140)):
        for i in range(NUM_PAIRS):
            tone = 0.3 * np.sin(2 * np.pi * (220 + 60 * i + background) * seconds[: num_frames * 4000])
            path = root / name / f"{i:04d}_prompt_{i}.mp4"
            path.parent.mkdir(exist_ok=True)
            write_video(
                path, clip(i, height, width, num_frames, background), Fraction(12), audio=tone[None].astype(np.float32)
            )
    rows = [f'prompt {i},"animal,scene,animal",{"low" if i < 2 else "high"}' for i in range(NUM_PAIRS)]
    (root / "prompts.csv").write_text("prompt,concept,motion_level\n" + "\n".join(rows) + "\n")
    return root
