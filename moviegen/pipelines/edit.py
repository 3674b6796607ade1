"""A video and an instruction -> the edited video, guided by both [S §5.1]; longer videos by windows that overlap.

Axis letters: B batch, C channels, T frames, H W rows and columns; h w latent ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from moviegen.contracts.bucket import PAPER_ASPECTS, frame_size, nearest_aspect
from moviegen.errors import UsageError
from moviegen.models.edit_dit import EditDiT
from moviegen.models.tae import TAE
from moviegen.models.text import TextContext, TextEncoder, concatenate_contexts
from moviegen.pipelines.masks import apply_mask, resize_frames
from moviegen.pipelines.product import Product, load_product, save_product
from moviegen.pipelines.video import (
    GeneratedVideo,
    VideoDefaults,
    conditioning_text,
    decode_defaults,
    encode_defaults,
    latent_size,
    pixels_to_frames,
)
from moviegen.sampling import VelocityFunction, edit_guided, integrate_windows, linear_quadratic_t
from moviegen.windows import Span, fade_masks, tile_spans

PIPELINE = "EditPipeline"

VIDEO_SCALE = 1.5
"""Guidance by the video. The paper reports none for editing; this and the 7.5 by the instruction of a model that does not say otherwise are
InstructPix2Pix's [spec 5.2]."""


@dataclass(frozen=True)
class EditOptions:
    """How a video is edited. What is None comes from the model."""

    task: str = "local"
    """One of the model's tasks; the paper does not list its own [spec 5.1]."""
    num_inference_steps: int | None = None
    video_guidance_scale: float = VIDEO_SCALE
    """How much it keeps to the video."""
    guidance_scale: float | None = None
    """How much it keeps to the instruction."""
    window_frames: int | None = None
    """Frames that are edited at once; longer videos are edited by windows. None: as many as the model was trained on."""
    overlap_frames: int | None = None
    """Frames that neighbouring windows share; None: a quarter of a window (our decision)."""
    width: int | None = None
    """Pixels at which the model works; None: the aspect bucket nearest to the video's, at the model's area."""
    height: int | None = None

    def __post_init__(self) -> None:
        if (self.width is None) != (self.height is None):
            raise ValueError(f"width {self.width} and height {self.height}: wanted both or neither")
        for name in ("num_inference_steps", "window_frames", "width", "height"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, wanted at least 1")
        if (self.overlap_frames or 0) < 0:
            raise ValueError(f"overlap_frames is {self.overlap_frames}, wanted 0 or more")


class EditPipeline:
    """TAE, EditDiT and text encoders side by side, and how to edit with them."""

    def __init__(
        self,
        tae: TAE,
        edit_dit: EditDiT,
        text_encoders: Sequence[TextEncoder],
        defaults: VideoDefaults = VideoDefaults(),  # noqa: B008
    ) -> None:
        self.tae, self.edit_dit, self.text_encoders = tae, edit_dit, list(text_encoders)
        self.defaults = defaults

    @classmethod
    def from_pretrained(cls, folder: Path | str, device: str = "cpu") -> "EditPipeline":
        """The product of a folder, in eval mode. Raises UsageError naming what is missing or does not fit."""
        product = load_product(folder, PIPELINE, device)
        networks = product.networks
        defaults = decode_defaults(product.values["defaults"])
        return cls(networks["tae"], networks["edit_dit"], product.text_encoders, defaults)  # type: ignore[arg-type]

    def save_pretrained(self, folder: Path | str) -> None:
        """Writes the product folder, as a training stage exports it."""
        networks = {"tae": self.tae, "edit_dit": self.edit_dit}
        save_product(
            Product(PIPELINE, networks, self.text_encoders, {"defaults": encode_defaults(self.defaults)}), folder
        )

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.edit_dit.video_dit.patch_in.weight.device

    @torch.no_grad()
    def __call__(
        self,
        video: np.ndarray,
        instruction: str,
        *,
        fps: Fraction | int = 16,
        mask: np.ndarray | None = None,
        feather_px: int = 0,
        options: EditOptions = EditOptions(),
        seed: int = 0,
        callback: Callable[[int, int], None] | None = None,
    ) -> GeneratedVideo:
        """The edited video of (T, H, W, 3) uint8 frames.

        With a mask, (T or 1, H, W) bool, it has the input's size, and outside of the mask the input's very pixels; without one it has
        the size at which the model works. `feather_px` fades the edit in from the mask's border inwards.
        """
        shape = self.plan(video.shape, Fraction(fps), options)
        latents = self.encode_video(video, shape)
        contexts, nothing = self._encode([instruction], shape), self._encode([""], shape)
        spans = self.windows(latents.shape[2], shape.num_frames, options)
        num_black = min(shape.num_frames, (spans[0][1] - spans[0][0]) * self.tae.config.temporal_factor)
        black = self.encode_video(np.zeros((num_black, shape.height, shape.width, 3), np.uint8), shape)
        task = torch.tensor([self.edit_dit.task_number(options.task)], device=self.device)
        velocities = [
            self.velocity(latents[:, :, a:b], black[:, :, : b - a], contexts, nothing, task, options) for a, b in spans
        ]
        grid = linear_quadratic_t(shape.num_inference_steps)
        x_1 = integrate_windows(
            velocities, spans, fade_masks(spans), self.noise(latents, seed), grid, callback=callback
        )
        frames = self.decode(x_1, shape.num_frames)
        kept = frames if mask is None else apply_mask(video, frames, mask, feather_px)
        return GeneratedVideo(kept, shape.fps, instruction, seed)

    def plan(self, size: Sequence[int], fps: Fraction, options: EditOptions) -> VideoDefaults:
        """Frames, pixels and steps of an edit of a video of `size` (T, H, W, ...). Raises UsageError before anything is computed."""
        self.edit_dit.task_number(options.task)
        num_frames, height, width = size[:3]
        shape = self.defaults.override(
            num_frames=num_frames, fps=fps, num_inference_steps=options.num_inference_steps,
            **dict(zip(("width", "height"), working_size(width, height, self.defaults, options), strict=True)),
        )  # fmt: skip
        window = min(num_frames, options.window_frames or self.defaults.num_frames)
        latent_size(shape.override(num_frames=window), self.tae, self.edit_dit.video_dit)
        self.windows(self.tae.num_latent_frames(num_frames), num_frames, options)
        return shape

    def windows(self, length: int, num_frames: int, options: EditOptions) -> list[Span]:
        """Spans of latent frames that are edited together: one, or as many as a longer video needs, all of one size."""
        size = self.tae.num_latent_frames(min(num_frames, options.window_frames or self.defaults.num_frames))
        factor = self.tae.config.temporal_factor
        overlap = size // 4 if options.overlap_frames is None else -(-options.overlap_frames // factor)
        if length <= size:
            return [(0, length)]
        if overlap >= size:
            raise UsageError(
                f"edit: windows of {size * factor} frames cannot share {overlap * factor}; wanted fewer --overlap_frames"
            )
        starts = [min(start, length - size) for start, _ in tile_spans(length, size, overlap)]
        return [(start, start + size) for start in starts]

    def velocity(
        self,
        video: Tensor,
        black: Tensor,
        contexts: Sequence[TextContext],
        nothing: Sequence[TextContext],
        task: Tensor,
        options: EditOptions,
    ) -> VelocityFunction:
        """The guided velocity of one window: neither, the video, the video and the instruction are asked about in one batch.

        No video is a black one, as in training [S §5.1.2]; the task is told in all three (our decision, as in training).
        """
        without = [concatenate_contexts(each, each) for each in nothing]
        texts = [concatenate_contexts(none, one) for none, one in zip(without, contexts, strict=True)]
        videos, tasks, place = torch.cat([black, video, video]), task.expand(3), self.first_frame(video)
        return edit_guided(
            lambda x_t, t: self.edit_dit(x_t, t, texts, videos, tasks, place),
            options.video_guidance_scale,
            self.defaults.guidance_scale if options.guidance_scale is None else options.guidance_scale,
        )

    def first_frame(self, video: Tensor) -> int:
        """Place in time of a window's first latent frame: 0; the middle for a picture, trained at random places [S §5.1.2]."""
        return 0 if video.shape[2] > 1 else self.edit_dit.config.max_frames // self.edit_dit.config.patch_size[0] // 2

    def encode_video(self, frames: np.ndarray, shape: VideoDefaults) -> Tensor:
        """Normalised latents (1, C, T', h, w), the posterior's mean, of frames stretched to the working size."""
        pieces = (self._pixels(frames[i : i + 32], shape) for i in range(0, len(frames), 32))
        found = [posterior.mean for posterior in self.tae.encode_stream(pieces)]
        return self.tae.normalize(torch.cat(found, dim=2))

    def _pixels(self, frames: np.ndarray, shape: VideoDefaults) -> Tensor:
        """(1, 3, T, H, W) in [-1, 1] at the working size."""
        sized = resize_frames(frames, shape.width, shape.height)
        x = torch.from_numpy(sized).to(self.device).permute(3, 0, 1, 2)[None]
        return (x.float() / 127.5 - 1).to(self.edit_dit.video_dit.patch_in.weight.dtype)

    def noise(self, latents: Tensor, seed: int) -> Tensor:
        """x_0 of the latents' shape, the same on every device."""
        drawn = torch.randn(latents.shape, generator=torch.Generator().manual_seed(seed))
        return drawn.to(latents)

    def decode(self, z: Tensor, num_frames: int) -> np.ndarray:
        """Frames (T, H, W, 3) uint8 of normalised latents (1, C, T', h, w), some at a time."""
        pieces = self.tae.decode_stream(self.tae.denormalize(z), num_frames)
        return np.concatenate([pixels_to_frames(piece[0]) for piece in pieces])

    def _encode(self, texts: Sequence[str], shape: VideoDefaults) -> list[TextContext]:
        words = [conditioning_text(text, shape) for text in texts]
        return [encoder.encode(words, self.device) for encoder in self.text_encoders]


def working_size(width: int, height: int, defaults: VideoDefaults, options: EditOptions) -> tuple[int, int]:
    """(width, height) at which a model edits a video of that size: as asked, or of the nearest aspect bucket at the model's area."""
    if options.width is not None and options.height is not None:
        return options.width, options.height
    if nearest_aspect(width, height, PAPER_ASPECTS) == nearest_aspect(defaults.width, defaults.height, PAPER_ASPECTS):
        return defaults.width, defaults.height
    resolution = round((defaults.width * defaults.height) ** 0.5)
    return frame_size(nearest_aspect(width, height, PAPER_ASPECTS), resolution)
