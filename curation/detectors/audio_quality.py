"""How good a sound is, by a predictor in a TorchScript file [S §6.2.3: a LAION-aesthetics-like predictor of audio, 1 to 10].

The paper's is not published; facebookresearch/audiobox-aesthetics is the public stand-in: export its production quality (PQ) so that
`module(samples)` takes (1, N) float32 in -1..1 at `sample_rate` and gives one number, (1,) or (1, 1).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from curation.detectors.audio_tagger import MIN_WINDOW_S, WINDOW_S, cut_windows
from curation.detectors.base import AudioRequest, ClipInput, FrameRequest
from curation.detectors.torchscript import check_torchscript, load_torchscript, run_torchscript
from moviegen.errors import UsageError

INTERFACE = "samples (1, N) float32 in -1..1 at `sample_rate` -> one number, 1 (bad) to 10 (good)"


@dataclass(frozen=True)
class AudioQualityDetector:
    """One number for a clip's sound."""

    weights: Path
    """TorchScript module: samples (1, N) float32 in -1..1 -> one number, 1 (bad) to 10 (good)."""
    sample_rate: int = 16000
    """Hz that the module hears at; 16 kHz is audiobox-aesthetics'."""

    name: ClassVar[str] = "audio_quality"
    version: ClassVar[int] = 1
    metrics: ClassVar[dict[str, str]] = {"audio_quality.score": "1..10"}
    cost: ClassVar[float] = 900.0
    packages: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        check_torchscript(f"detector {self.name}", "weights", self.weights, INTERFACE)

    @property
    def frames(self) -> FrameRequest:
        """The sound, at the module's rate."""
        return FrameRequest(audio=AudioRequest(self.sample_rate, is_mono=True))

    def score(self, clip: ClipInput) -> dict[str, float]:
        """Mean over windows of 10 s that cover the clip; nothing where the file has no audio stream."""
        return {} if clip.audio is None else {"audio_quality.score": self._rate(clip.audio.samples[0])}

    @cached_property
    def _rate(self) -> Callable[[np.ndarray], float]:
        return load_quality(f"detector {self.name}", self.weights, self.sample_rate)


def load_quality(who: str, weights: Path, sample_rate: int) -> Callable[[np.ndarray], float]:
    """(N,) samples at `sample_rate` -> one number, the mean over windows of 10 s. Raises UsageError on a module that will not do."""
    import torch

    module = load_torchscript(who, weights)

    def rate(samples: np.ndarray) -> float:
        windows = cut_windows(samples, round(WINDOW_S * sample_rate), round(MIN_WINDOW_S * sample_rate))
        inputs = [torch.from_numpy(np.ascontiguousarray(window))[None] for window in windows]
        answers = [run_torchscript(who, weights, module, samples) for samples in inputs]
        if any(not isinstance(answer, torch.Tensor) or answer.numel() != 1 for answer in answers):
            raise UsageError(f"{who}: {weights} does not answer one number; wanted {INTERFACE}")
        return float(np.mean([float(answer) for answer in answers]))

    return rate
