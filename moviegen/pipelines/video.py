"""Text to image or video: noise -> VideoDiT along the t schedule -> TAE -> frames [S §3.4].

Axis letters: B batch, C channels, T frames, H W rows and columns.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from moviegen.contracts.lake import atomic_write
from moviegen.errors import UsageError
from moviegen.models.tae import TAE
from moviegen.models.text import TextContext, TextEncoder
from moviegen.models.text_encoders import load_text_encoder, save_text_encoder
from moviegen.models.video_dit import VideoDiT
from moviegen.pipelines.product_index import INDEX_FILE, INDEX_FORMAT, read_any_index
from moviegen.prompts import with_fps
from moviegen.sampling import euler, guided, linear_quadratic_t, linear_t
from moviegen.weights import load_model, save_model


@dataclass(frozen=True)
class VideoDefaults:
    """What is generated when a call does not say otherwise: the last training stage's shape, the paper's sampler [S §3.4]."""

    num_frames: int = 256
    width: int = 768
    """Pixels."""
    height: int = 768
    """Pixels."""
    fps: Fraction = Fraction(16)
    num_inference_steps: int = 50
    guidance_scale: float = 7.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "fps", Fraction(self.fps))
        for name in ("num_frames", "width", "height", "num_inference_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, wanted at least 1")
        if self.fps <= 0:
            raise ValueError(f"fps is {self.fps}, wanted more than 0")

    def override(self, **values: Any) -> "VideoDefaults":
        """The same with every value that is not None replaced."""
        return replace(self, **{name: value for name, value in values.items() if value is not None})


@dataclass(frozen=True)
class GeneratedVideo:
    """Frames (T, H, W, 3) uint8 RGB, and how they were made. An image is a video of one frame."""

    frames: np.ndarray
    fps: Fraction
    prompt: str
    seed: int


class VideoPipeline:
    """TAE, VideoDiT and text encoders side by side, and how to sample from them."""

    def __init__(
        self,
        tae: TAE,
        video_dit: VideoDiT,
        text_encoders: Sequence[TextEncoder],
        defaults: VideoDefaults = VideoDefaults(),
    ) -> None:
        widths = tuple(encoder.width for encoder in text_encoders)
        if widths != video_dit.config.context_widths:
            raise UsageError(f"text encoders are {widths} wide, the VideoDiT wants {video_dit.config.context_widths}")
        if tae.config.latent_channels != video_dit.config.latent_channels:
            raise UsageError(
                f"the TAE has {tae.config.latent_channels} latent channels, the VideoDiT {video_dit.config.latent_channels}"
            )
        self.tae, self.video_dit, self.text_encoders = tae, video_dit, list(text_encoders)
        self.defaults = defaults

    @classmethod
    def from_pretrained(cls, folder: Path | str, device: str = "cpu") -> "VideoPipeline":
        """The product of a folder, in eval mode. Raises UsageError naming the file that is missing or does not fit."""
        folder = Path(folder)
        index = read_index(folder)
        encoders = [
            load_text_encoder(row, folder / f"text_{number}", device)
            for number, row in enumerate(index["text_encoders"])
        ]
        tae = load_model(TAE, folder / "tae", device)
        video_dit = load_model(VideoDiT, folder / "video_dit", device)
        return cls(tae, video_dit, encoders, decode_defaults(index["defaults"]))

    def save_pretrained(self, folder: Path | str) -> None:
        """Writes `tae/`, `video_dit/`, `text_<i>/` and, last, `model_index.json`; a folder without it is unfinished."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / INDEX_FILE).unlink(missing_ok=True)
        save_model(self.tae, folder / "tae")
        save_model(self.video_dit, folder / "video_dit")
        rows = [save_text_encoder(encoder, folder / f"text_{i}") for i, encoder in enumerate(self.text_encoders)]
        index = {
            "format": INDEX_FORMAT,
            "pipeline": "VideoPipeline",
            "text_encoders": rows,
            "defaults": encode_defaults(self.defaults),
        }
        with atomic_write(folder / INDEX_FILE) as temporary:
            temporary.write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")

    @property
    def device(self) -> torch.device:
        """Where the VideoDiT is."""
        return self.video_dit.patch_in.weight.device

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | Sequence[str],
        *,
        negative_prompt: str = "",
        num_frames: int | None = None,
        width: int | None = None,
        height: int | None = None,
        fps: Fraction | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        schedule: str = "linear_quadratic",
        seed: int | Sequence[int] = 0,
        callback: Callable[[int, int], None] | None = None,
    ) -> "GeneratedVideo | list[GeneratedVideo]":
        """One video for a prompt, a list for a list; prompt i gets the noise of `seed + i`, or of `seed[i]`, whatever is beside it.

        What is None comes from `defaults`. `negative_prompt` is what guidance leads away from; empty, as in training without text.
        `schedule` is the paper's, which emulates 250 equal steps, or `linear`: equal ones [S §3.4.2].
        """
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        shape = self.defaults.override(
            num_frames=num_frames, width=width, height=height, fps=fps,
            num_inference_steps=num_inference_steps, guidance_scale=guidance_scale,
        )  # fmt: skip
        texts = [conditioning_text(text, shape) for text in prompts]
        negative = conditioning_text(negative_prompt, shape)
        seeds = seeds_of(seed, len(prompts))
        x_0 = self.noise(shape, seeds)
        velocity = guided(
            self.video_dit, self._encode(texts), self._encode([negative] * len(prompts)), shape.guidance_scale
        )
        x_1 = euler(velocity, x_0, schedule_t(schedule, shape.num_inference_steps), callback)
        videos = [
            GeneratedVideo(self.decode(z, shape.num_frames), shape.fps, text, number)
            for z, text, number in zip(x_1, prompts, seeds, strict=True)
        ]
        return videos[0] if isinstance(prompt, str) else videos

    def noise(self, shape: VideoDefaults, seeds: Sequence[int]) -> Tensor:
        """x_0 (B, C, T, H, W) for the latents of that shape, one seed a sample, the same on every device."""
        size = latent_size(shape, self.tae, self.video_dit)
        rows = [torch.randn(size, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
        return torch.stack(rows).to(self.device, self.video_dit.patch_in.weight.dtype)

    def decode(self, z: Tensor, num_frames: int) -> np.ndarray:
        """Frames (T, H, W, 3) uint8 of normalised latents (C, T, H, W)."""
        x = self.tae.decode(self.tae.denormalize(z[None]), num_frames, tiled=True)[0]
        return pixels_to_frames(x)

    def _encode(self, texts: Sequence[str]) -> list[TextContext]:
        return [encoder.encode(texts, self.device) for encoder in self.text_encoders]


SCHEDULES = ("linear_quadratic", "linear")


def schedule_t(name: str, num_steps: int) -> Tensor:
    """The grid of t of a schedule's name. Raises UsageError on more steps than it emulates."""
    if name not in SCHEDULES:
        raise UsageError(f"schedule {name!r}: one of {', '.join(SCHEDULES)}")
    try:
        return linear_quadratic_t(num_steps) if name == "linear_quadratic" else linear_t(num_steps)
    except ValueError as error:
        raise UsageError(f"{error}; for more equal steps: schedule linear") from error


def seeds_of(seed: int | Sequence[int], num: int) -> list[int]:
    """One seed a sample: those given, or `seed`, `seed + 1`, ... Raises ValueError when there are more or fewer than samples."""
    seeds = [seed + i for i in range(num)] if isinstance(seed, int) else list(seed)
    if len(seeds) != num:
        raise ValueError(f"{len(seeds)} seeds for {num} prompts")
    return seeds


def conditioning_text(text: str, shape: VideoDefaults) -> str:
    """What the encoders read: the frame rate in front of a video's prompt [S §3.1.4]; an image's as it is (our decision).

    No text stays no text: the unconditional branch, as in training.
    """
    return text if not text or shape.num_frames == 1 else with_fps(text, shape.fps)


def latent_size(shape: VideoDefaults, tae: TAE, video_dit: VideoDiT) -> tuple[int, int, int, int]:
    """(C, T, H, W) of the latents of a video. Raises UsageError on a frame size that is no whole number of tokens."""
    _, patch_height, patch_width = video_dit.config.patch_size
    factor = tae.config.spatial_factor
    for name, side, step in (
        ("width", shape.width, factor * patch_width),
        ("height", shape.height, factor * patch_height),
    ):
        if side % step:
            raise UsageError(f"{name} {side} is no multiple of {step} px; try {max(step, round(side / step) * step)}")
    size = (tae.num_latent_frames(shape.num_frames), shape.height // factor, shape.width // factor)
    config = video_dit.config
    grid = tuple(n // p for n, p in zip(size, config.patch_size, strict=True))
    limits = (config.max_frames, config.max_height, config.max_width)
    if any(n > limit for n, limit in zip(grid, limits, strict=True)):
        largest = [
            limits[0] * tae.config.temporal_factor,
            limits[2] * factor * patch_width,
            limits[1] * factor * patch_height,
        ]
        raise UsageError(
            f"{shape.num_frames} frames of {shape.width}x{shape.height} are more than this model has positions for: "
            f"at most {largest[0]} frames of {largest[1]}x{largest[2]}"
        )
    return config.latent_channels, *size


def pixels_to_frames(x: Tensor) -> np.ndarray:
    """(3, T, H, W) in [-1, 1] -> (T, H, W, 3) uint8; what lies outside is cut."""
    levels = ((x.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return rearrange(levels, "c t h w -> t h w c").contiguous().cpu().numpy()


def encode_defaults(defaults: VideoDefaults) -> dict[str, Any]:
    """The defaults as JSON; fps as `numerator/denominator`."""
    return {**asdict(defaults), "fps": f"{defaults.fps.numerator}/{defaults.fps.denominator}"}


def decode_defaults(values: dict[str, Any]) -> VideoDefaults:
    """The inverse of `encode_defaults`. Raises UsageError naming the field that is off."""
    odd = sorted(set(values) ^ {f.name for f in fields(VideoDefaults)})
    if odd:
        raise UsageError(f"{INDEX_FILE}: defaults: {odd} are missing or unknown")
    return VideoDefaults(**values)


def read_index(folder: Path) -> dict[str, Any]:
    """What `model_index.json` says. Raises UsageError when the folder is no finished product."""
    path, index = folder / INDEX_FILE, read_any_index(folder)
    if index.get("format") != INDEX_FORMAT or index.get("pipeline") != "VideoPipeline":
        raise UsageError(wrong_index(path, index, "VideoPipeline"))
    return index


def wrong_index(path: Path, index: dict[str, Any], wanted: str) -> str:
    """What is wrong with a product's index, and for the folder of another product the command that takes it."""
    found = index.get("pipeline")
    verb = f"; that is for moviegen {VERB_OF[found]} --model {path.parent}" if found in VERB_OF else ""
    return f"{path}: wanted format {INDEX_FORMAT} of a {wanted}, got {index.get('format')} of {found}{verb}"


VERB_OF = {
    "VideoPipeline": "generate", "UpsamplePipeline": "upsample", "SoundtrackPipeline": "soundtrack", "EditPipeline": "edit",
    "PersonalPipeline": "personalize",
}  # fmt: skip
