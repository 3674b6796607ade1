"""What mistakes are made with, built once: videos, a lake, model folders that lack something, files that are not what they say."""

import json
import shutil
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from moviegen.media.write import write_video
from moviegen.testing.lake import write_toy_lake

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def things(tmp_path_factory) -> SimpleNamespace:
    """Paths by name; none may be written to."""
    root = tmp_path_factory.mktemp("mistakes")
    frames = np.random.default_rng(0).integers(0, 255, (8, 32, 48, 3), np.uint8)
    for name, fps, count in (("ours/a", 8, 8), ("theirs/b", 8, 8), ("faster/a", 16, 6)):
        (root / name).parent.mkdir()
        write_video(root / f"{name}.mp4", frames[:count], Fraction(fps))
    write_toy_lake(root / "lake", 0, 2, width=64, height=64, fps=8)
    shutil.copytree(root / "lake", root / "broken_lake")
    next((root / "broken_lake").rglob("*.tar")).unlink()
    (root / "empty").mkdir()
    for name, text in FILES.items():
        (root / name).write_text(text)
    models(root)
    return SimpleNamespace(root=root, configs=ROOT / "configs")


FILES = {
    "typo.yaml": "spilt: {max_clip_s: 9}\n",
    "bad.yaml": "split: {max_clip_s: [1\n",
    "list.yaml": "- 1\n- 2\n",
    "rules.yaml": "rules:\n  - {name: moves, metrik: motion.vmaf, min: 1}\n",
    "unmeasured.yaml": "rules:\n  - {name: pretty, metric: beauty.score, min: 1}\n",
    "prompts.txt": "\n\n",
    "note.txt": "no video\n",
    "fake.mp4": "no video\n",
}
"""Name -> what it holds."""


def models(root: Path) -> None:
    """`upsampler`: a folder of another product; `no_weights`: an index and nothing else; `torn`: an index that is cut off."""
    for name, product in (("upsampler", "UpsamplePipeline"), ("no_weights", "VideoPipeline")):
        (root / name).mkdir()
        index = {
            "format": 1,
            "pipeline": product,
            "networks": [],
            "text_encoders": [],
            "values": {},
            "defaults": DEFAULTS,
        }
        (root / name / "model_index.json").write_text(json.dumps(index))
    (root / "torn").mkdir()
    (root / "torn" / "model_index.json").write_text('{"format": 1, "pipel')


DEFAULTS = {"num_frames": 8, "width": 32, "height": 32, "fps": "8", "num_inference_steps": 2, "guidance_scale": 1.0}
"""As a video model's index has them."""
