"""What our own networks are like inside: a TAE's latents, and a video model's loss at fixed t.

`C` channels, `T` frames, `H W` rows and columns.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from moviegen.contracts.clip import hash_id
from moviegen.errors import UsageError
from moviegen.evaluation.cache import FromFile
from moviegen.media.worker import guarded_call

VERSION = 1

OUTLIER_STD = 3.0
"""Standard deviations from which a latent position is an outlier [S §3.1.1]."""

VALIDATION_T = tuple((i + 0.5) / 10 for i in range(10))
"""Times at which the loss is measured: ten interior points, our decision; the paper does not say."""


class TooShortError(ValueError):
    """The clip has fewer frames than the model makes."""


@dataclass(frozen=True)
class Latents(FromFile):
    """A TAE of a folder, and what its latents of a clip are like."""

    path: Path
    device: str = "cpu"
    timeout_s: float = 300.0

    @property
    def version(self) -> str:
        """Stands for the network and how it is asked."""
        return hash_id("latents", VERSION, self.sha256)[:16]

    def features(self, path: Path) -> np.ndarray:
        """(2,): share of outlier positions, and the farthest one in standard deviations of its frame."""
        return self.of_frames(
            guarded_call("moviegen.evaluation.clips.read_clip", path, timeout_s=self.timeout_s).frames
        )

    def of_frames(self, frames: np.ndarray) -> np.ndarray:
        """(2,) as above of (T, H, W, 3) uint8. Raises ValueError where a side is under one latent."""
        import torch

        step = self._tae.config.spatial_factor
        height, width = (side // step * step for side in frames.shape[1:3])
        if not height or not width:
            raise ValueError(f"a side is under {step} px, one latent")
        with torch.inference_mode():
            z = self._tae.encode(pixels_of(frames[:, :height, :width]).to(self.device)).mean
        return np.array(outliers(z[0].double().cpu().numpy()))

    @cached_property
    def _tae(self) -> Any:
        from moviegen.models.tae import TAE
        from moviegen.weights import load_model

        return load_model(TAE, self.path, self.device)


def outliers(z: np.ndarray, std: float = OUTLIER_STD) -> tuple[float, float]:
    """(share, farthest) of (C, T, H, W) latents: a position's distance from its frame's mean, over the norm of the standard deviations
    of its channels, as Eq. 1 of the paper has it [S §3.1.1]."""
    places = z.transpose(1, 0, 2, 3).reshape(z.shape[1], z.shape[0], -1)
    distance = np.linalg.norm(places - places.mean(-1, keepdims=True), axis=1)
    spread = np.linalg.norm(places.std(-1), axis=1)[:, None]
    ratio = np.divide(distance, spread, out=np.zeros_like(distance), where=spread > 0)
    return float((ratio > std).mean()), float(ratio.max())


def pixels_of(frames: np.ndarray) -> Any:
    """(1, 3, T, H, W) in [-1, 1] of (T, H, W, 3) uint8."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(frames)).permute(3, 0, 1, 2)[None].float() / 127.5 - 1


def fixed_points(x_0: Any, x_1: Any) -> Iterator[tuple[Any, Any]]:
    """(t (B,), point of the path) at each of `VALIDATION_T`, from noise x_0 to data x_1 (B, ...): where the validation loss is measured,
    here and in training."""
    import torch

    from moviegen.flow import flow_point

    for time in VALIDATION_T:
        t = torch.full((len(x_1),), time, device=x_1.device)
        yield t, flow_point(x_0, x_1, t)


@dataclass(frozen=True)
class FixedLoss(FromFile):
    """A video model of a folder, and its flow-matching loss on a clip with its caption [S §3.5, Fig 15]."""

    path: Path
    device: str = "cpu"
    seed: int = 0
    timeout_s: float = 300.0

    @property
    def version(self) -> str:
        """Stands for the network and how it is asked."""
        return hash_id("val_loss", VERSION, self.sha256, self.seed, VALIDATION_T)[:16]

    def losses(self, path: Path, text: str) -> np.ndarray:
        """(10,) the loss at each t; every clip sees the same noise. Raises TooShortError."""
        import torch

        from moviegen.flow import flow_loss
        from moviegen.pipelines.video import conditioning_text

        pipeline, shape = self._pipeline, self._pipeline.defaults
        clip = guarded_call(
            "moviegen.evaluation.clips.read_clip", path, (shape.width, shape.height), timeout_s=self.timeout_s
        )
        if len(clip.frames) < shape.num_frames:
            raise TooShortError(f"{len(clip.frames)} frames, the model makes {shape.num_frames}")
        with torch.inference_mode():
            pixels = pixels_of(clip.frames[: shape.num_frames]).to(self.device)
            x_1 = pipeline.tae.normalize(pipeline.tae.encode(pixels).mean)
            contexts = [
                encoder.encode([conditioning_text(text, shape)], pipeline.device) for encoder in pipeline.text_encoders
            ]
            x_0 = pipeline.noise(shape, [self.seed]).to(x_1.dtype)
            return np.array([
                float(flow_loss(pipeline.video_dit(point.x_t, t, contexts), point.velocity))
                for t, point in fixed_points(x_0, x_1)
            ])  # fmt: skip

    @cached_property
    def _pipeline(self) -> Any:
        from moviegen.pipelines.video import VideoPipeline

        if not self.path.is_dir():
            raise UsageError(
                f"--networks.checkpoint {self.path}: no such folder; wanted that of a video model, with model_index.json"
            )
        return VideoPipeline.from_pretrained(self.path, self.device)
