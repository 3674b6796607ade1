"""Does the sound belong to the picture: the cosine between an embedding of each, by a model in a TorchScript file.

The paper's is CAVTP, not published [S §6.2.2]; the thresholds of its Table 23 are on that model's cosine, and another model wants its
own. `module(frames, samples)` takes (1, T, 3, side, side) float32 in 0..1, RGB, and (1, N) float32 in -1..1 at `sample_rate`, both of
the same span, and gives the two embeddings, (1, D) each.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from curation.detectors.base import AudioRequest, ClipInput, FrameRequest
from curation.detectors.torchscript import check_torchscript, load_torchscript, run_torchscript
from moviegen.errors import UsageError

INTERFACE = "frames (1, T, 3, side, side) in 0..1 and samples (1, N) at `sample_rate` -> two embeddings (1, D)"


@dataclass(frozen=True)
class SyncDetector:
    """Cosine between what is seen and what is heard."""

    weights: Path
    """TorchScript module: frames (1, T, 3, side, side) and samples (1, N) -> two embeddings (1, D)."""
    sample_rate: int = 16000
    """Hz that the module hears at."""
    count: int = 32
    """Frames shown, spread evenly: T."""
    side_px: int = 224
    """Frames are shown as squares of this side, their middle cut out: side."""

    name: ClassVar[str] = "sync"
    version: ClassVar[int] = 1
    metrics: ClassVar[dict[str, str]] = {"sync.cosine": "cosine"}
    cost: ClassVar[float] = 2000.0
    packages: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        if min(self.count, self.side_px, self.sample_rate) < 1:
            raise ValueError("detector sync: count, side_px and sample_rate are at least 1")
        check_torchscript(f"detector {self.name}", "weights", self.weights, INTERFACE)

    @property
    def frames(self) -> FrameRequest:
        """Frames spread over the clip, and its sound."""
        return FrameRequest("spread", self.count, audio=AudioRequest(self.sample_rate, is_mono=True))

    def score(self, clip: ClipInput) -> dict[str, float]:
        """The cosine; nothing where the file has no audio stream, or where an embedding is all 0 and points nowhere."""
        if clip.audio is None:
            return {}
        seen, heard = self.embed(clip.frames, clip.audio.samples[0])
        length = float(np.linalg.norm(seen) * np.linalg.norm(heard))
        return {"sync.cosine": float(seen @ heard) / length} if length else {}

    def embed(self, frames: list[np.ndarray], samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(D,) of frames (H, W, 3) uint8 RGB, and (D,) of (N,) samples. Raises UsageError when the module answers anything else."""
        import torch

        pictures = np.stack([middle_square(frame, self.side_px) for frame in frames]).transpose(0, 3, 1, 2)
        inputs = torch.from_numpy(pictures.astype(np.float32) / 255)[None], torch.from_numpy(samples.copy())[None]
        answer = run_torchscript(f"detector {self.name}", self.weights, self._module, *inputs)
        shapes = [tuple(part.shape) for part in answer] if isinstance(answer, tuple | list) else [tuple(answer.shape)]
        if len(shapes) != 2 or shapes[0] != shapes[1] or len(shapes[0]) != 2:
            raise UsageError(f"detector {self.name}: {self.weights} gives {shapes}; wanted {INTERFACE}")
        return answer[0][0].double().numpy(), answer[1][0].double().numpy()

    @cached_property
    def _module(self):
        return load_torchscript(f"detector {self.name}", self.weights)


def middle_square(frame: np.ndarray, side_px: int) -> np.ndarray:
    """(side, side, 3) of the largest square in the middle of (H, W, 3)."""
    import cv2

    height, width = frame.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = frame[top : top + side, left : left + side]
    return cv2.resize(square, (side_px, side_px), interpolation=cv2.INTER_AREA)
