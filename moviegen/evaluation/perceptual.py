"""LPIPS of a clip beside its reference, frame by frame, by the weights of a file. `T` frames, `H W` rows and columns."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from moviegen.contracts.clip import hash_id
from moviegen.evaluation.cache import FromFile
from moviegen.evaluation.inside import pixels_of
from moviegen.media.worker import guarded_call

VERSION = 1

STEP = 8
"""Frames that the network sees at once."""


@dataclass(frozen=True)
class Perceptual(FromFile):
    """LPIPS of a safetensors file."""

    path: Path
    device: str = "cpu"
    timeout_s: float = 300.0

    @property
    def version(self) -> str:
        """Stands for the network and how it is asked."""
        return hash_id("lpips", VERSION, self.sha256)[:16]

    def distances(self, path: Path, reference: Path) -> np.ndarray:
        """(T,) of two files. Raises a MediaError, or ValueError where they are not of one shape."""
        clips = [
            guarded_call("moviegen.evaluation.clips.read_clip", file, timeout_s=self.timeout_s).frames
            for file in (path, reference)
        ]
        return self.of_frames(*clips)

    def of_frames(self, frames: np.ndarray, reference: np.ndarray) -> np.ndarray:
        """(T,) of two clips (T, H, W, 3) uint8. Raises ValueError where they are not of one shape."""
        import torch

        if frames.shape != reference.shape:
            raise ValueError(f"{frames.shape[:3]} frames, rows, columns beside a reference of {reference.shape[:3]}")
        found = []
        with torch.inference_mode():
            for start in range(0, len(frames), STEP):
                pair = (pixels_of(clip[start : start + STEP]).to(self.device) for clip in (frames, reference))
                found.append(self._network.distances(*pair).double().cpu().numpy())
        return np.concatenate(found)

    @cached_property
    def _network(self) -> Any:
        from moviegen.models.lpips import LPIPS

        return LPIPS.from_file(self.path).to(self.device)
