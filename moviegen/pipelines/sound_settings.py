"""What of a sound is asked for, and what comes back.

Axis letters: B candidates, N audio samples.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

NUM_STEPS, GUIDANCE = 64, 3.0
"""Of the midpoint method [S §6.4.1]."""

WINDOW_S, CONTEXT_S = 30.0, 10.0
"""The paper's windows of 40 with a context of 10 are longer than the 30 s it trained on [S §6.4.1, spec 8]; 30 is our decision."""

Mode = Literal["multidiffusion", "autoregressive"]

Rerank = Literal["whole", "segments"]

Score = Callable[[np.ndarray, int], float]
"""(samples (N,), Hz) -> how good, higher is better."""

Choose = Callable[[Sequence[np.ndarray], float], int]
"""(a segment's samples of every candidate, second at which it begins) -> number of the best."""


@dataclass(frozen=True)
class SoundSettings:
    """What is made: nothing left to a default."""

    num_samples: int
    text: str = ""
    """What the network reads, six fields or nothing."""
    num_inference_steps: int = NUM_STEPS
    guidance_scale: float = GUIDANCE
    mode: Mode = "multidiffusion"
    window_s: float = WINDOW_S
    context_s: float = CONTEXT_S
    """Of a window, what it shares with the one before."""
    num_candidates: int = 1
    seed: int = 0
    """Of the first candidate; the i-th has seed + i."""
    rerank: Rerank = "whole"
    """`segments`: after each segment all candidates go on from the best one [S §6.1.5]; else each goes on by itself."""

    def __post_init__(self) -> None:
        for name in ("num_samples", "num_inference_steps", "num_candidates"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, wanted at least 1")
        if not 0 <= self.context_s < self.window_s:
            raise ValueError(f"context_s is {self.context_s}, wanted 0 or more, below window_s {self.window_s}")
        if self.rerank == "segments" and (self.mode != "autoregressive" or self.num_candidates < 2):
            raise ValueError("--rerank segments wants --mode autoregressive and --num_candidates of 2 or more")
        if self.mode not in ("multidiffusion", "autoregressive"):
            raise ValueError(f"mode is {self.mode!r}, wanted multidiffusion or autoregressive")


@dataclass(frozen=True)
class GeneratedSound:
    """Samples (N,) float32 in -1..1, and how they were made."""

    samples: np.ndarray
    sample_rate: int
    text: str
    seed: int
    score: float | None = None
