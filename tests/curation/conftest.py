"""Fixtures for the rooms of curation: toy-world films of a kind, and clips with signals made without a file, a tiny CLIP."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from curation.clips import SplitConfig, SplitResult, split_video
from curation.detectors.base import ClipInput
from curation.signals.table import SIGNAL_COLUMNS, slice_signals
from moviegen.contracts.clip import Clip, file_sha256, video_id_of
from moviegen.media.probe import probe
from moviegen.media.write import write_video
from moviegen.testing.footage import FAULTS, GOOD, SAMPLE_RATE, Footage


@dataclass(frozen=True)
class Film:
    """A toy-world video on disk, its truth, and its row of `videos` as far as our rooms read it."""

    path: Path
    footage: Footage

    @property
    def video(self) -> dict:
        about = probe(self.path)
        return {
            "uri": str(self.path),
            "video_id": video_id_of(file_sha256(self.path)),
            "duration": about.duration,
            "has_audio": about.has_audio,
            "source_caption": self.footage.caption,
        }

    def split(self, **config) -> SplitResult:
        settings = SplitConfig(**({"start_trim_s": 0.0} | config))
        return split_video(str(self.path), self.video["video_id"], settings)

    def clips(self, **config) -> list[tuple[Clip, dict[str, np.ndarray]]]:
        """Its clips with their signals."""
        result = self.split(**config)
        clips = [Clip(**row) for row in result.clips]
        return [(clip, slice_signals(result.signals, clip.start_frame, clip.num_frames)) for clip in clips]


@pytest.fixture(scope="session")
def film(tmp_path_factory) -> Callable[..., Film]:
    """`film(kind, seed)`: a film of that kind, written once a session."""
    made: dict[tuple[str, int], Film] = {}
    folder = tmp_path_factory.mktemp("films")

    def make(kind: str = "good", seed: int = 0) -> Film:
        if (kind, seed) not in made:
            footage = (GOOD | FAULTS)[kind].make(np.random.default_rng(seed))
            path = folder / f"{kind}_{seed}.mp4"
            write_video(path, footage.frames, footage.fps, audio=footage.audio, sample_rate=SAMPLE_RATE)
            made[kind, seed] = Film(path, footage)
        return made[kind, seed]

    return make


@pytest.fixture
def clip_input() -> Callable[..., ClipInput]:
    """`clip_input(num_frames=, frames=, audio=, **signals)`: a clip of 24 frames a second without a file behind it."""

    def make(
        num_frames: int = 48, frames=(), width: int = 320, height: int = 180, video=None, audio=None, **signals
    ) -> ClipInput:
        clip = Clip("0" * 32, "1" * 32, 0, 0, num_frames, 1, 24, 0, num_frames, 24, 1, width, height)
        columns = {name: np.zeros(num_frames, np.float32) for name in SIGNAL_COLUMNS}
        columns["pts"] = np.arange(num_frames)
        columns["pts_s"] = np.arange(num_frames, dtype=np.float32) / 24
        columns |= {name: np.asarray(values, np.float32) for name, values in signals.items()}
        return ClipInput(clip, video or {}, columns, list(frames), audio)

    return make


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory) -> dict[str, str]:
    """A tiny CLIP of random weights known to open_clip: `clip_model` and `clip_weights`, as the detectors' parameters name them."""
    import json

    import torch

    open_clip = pytest.importorskip("open_clip")
    folder = tmp_path_factory.mktemp("clip")
    config = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 8},
        "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
    }
    (folder / "tiny-test.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder / "tiny-test.json")
    torch.manual_seed(0)
    torch.save(open_clip.create_model("tiny-test", pretrained=None).state_dict(), folder / "clip.pt")
    return {"clip_model": "tiny-test", "clip_weights": str(folder / "clip.pt")}
