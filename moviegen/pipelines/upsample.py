"""A small film made large: the upsampler's transformer over windows in time and tiles of the frame, film by stream [S §3.1.5, Fig 7].

Every frame that comes in comes out; of a film of any length only the frames on which the sampler's steps are at work are held.

Axis letters: B batch, C channels, T frames, H W rows and columns, h w latent rows and columns.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from moviegen.errors import UsageError
from moviegen.models.tae import TAE
from moviegen.models.tae_tiling import in_side_tiles
from moviegen.models.text import TextContext, TextEncoder
from moviegen.models.upsampler import Upsampler, decode_frames, encode_frames, enlarge
from moviegen.pipelines.product import Product, load_product, save_product
from moviegen.pipelines.video import (
    GeneratedVideo,
    VideoDefaults,
    conditioning_text,
    decode_defaults,
    encode_defaults,
    pixels_to_frames,
)
from moviegen.sampling import Callback, VelocityFunction, euler_step, guided, linear_quadratic_t
from moviegen.window_stream import Sliding, WindowStep, WindowValues, frame_noise, integrate_stream
from moviegen.windows import Span, fade_masks, tile_spans

PIPELINE = "UpsamplePipeline"

DEFAULTS = VideoDefaults()
"""Of a product that does not say: its text guidance is the video model's."""

NUM_STEPS = 20
"""Suffice [S §3.1.5]."""

WINDOW_FRAMES, WINDOW_OVERLAP = 14, 4
"""Of a window of MultiDiffusion, and of those what it shares with the next [S §3.1.5]."""


@dataclass(frozen=True)
class UpsampleSettings:
    """What is made of a film: nothing left to a default."""

    num_frames: int
    height: int
    width: int
    fps: Fraction = Fraction(24)
    prompt: str = ""
    negative_prompt: str = ""
    num_inference_steps: int = NUM_STEPS
    guidance_scale: float = 1.0
    window_frames: int = WINDOW_FRAMES
    window_overlap: int = WINDOW_OVERLAP
    tile_px: int | None = None
    """Side of a tile; None: as large as the network has positions for."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("num_frames", "height", "width", "num_inference_steps", "window_frames"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, wanted at least 1")
        if not 0 <= self.window_overlap < self.window_frames:
            raise ValueError(f"window_overlap is {self.window_overlap}, wanted 0..{self.window_frames - 1}")


class UpsamplePipeline:
    """Image autoencoder, upsampler and text encoders side by side, and how to sample from them."""

    def __init__(
        self,
        tae: TAE,
        upsampler: Upsampler,
        text_encoders: Sequence[TextEncoder],
        defaults: VideoDefaults = DEFAULTS,
        scale: float = 2.0,
    ) -> None:
        channels = {tae.config.latent_channels, upsampler.config.latent_channels, upsampler.config.condition_channels}
        if len(channels) > 1:
            raise UsageError(
                f"the TAE has {tae.config.latent_channels} latent channels, the upsampler {upsampler.config.latent_channels} "
                f"and {upsampler.config.condition_channels} of the small clip: wanted as many"
            )
        if upsampler.config.patch_size[0] != 1:
            raise UsageError(f"the upsampler's patches are {upsampler.config.patch_size[0]} frames long, wanted 1")
        self.tae, self.upsampler, self.text_encoders = tae, upsampler, list(text_encoders)
        self.defaults, self.scale = defaults, scale
        self.most_live = 0
        """Most windows that were held at one time in the last film: does not grow with its length."""

    @classmethod
    def from_pretrained(cls, folder: Path | str, device: str = "cpu") -> "UpsamplePipeline":
        """The product of a folder, in eval mode. Raises UsageError naming the file that is missing or does not fit."""
        found = load_product(folder, PIPELINE, device)
        tae, upsampler = found.networks["tae"], found.networks["upsampler"]
        return cls(tae, upsampler, found.text_encoders, *read_values(found.values))  # type: ignore[arg-type]

    def save_pretrained(self, folder: Path | str) -> None:
        """Writes the product folder that `from_pretrained` reads."""
        values = {"scale": self.scale, "defaults": encode_defaults(self.defaults)}
        networks = {"tae": self.tae, "upsampler": self.upsampler}
        save_product(Product(PIPELINE, networks, self.text_encoders, values), folder)

    @property
    def device(self) -> torch.device:
        """Where the upsampler is."""
        return self._weight.device

    @property
    def _weight(self) -> Tensor:
        return self.upsampler.video_dit.patch_in.weight

    def __call__(
        self,
        video: np.ndarray,
        prompt: str = "",
        *,
        negative_prompt: str = "",
        height: int | None = None,
        width: int | None = None,
        fps: Fraction | None = None,
        num_inference_steps: int = NUM_STEPS,
        guidance_scale: float | None = None,
        window_frames: int | None = None,
        window_overlap: int | None = None,
        tile_px: int | None = None,
        seed: int = 0,
        callback: Callback | None = None,
    ) -> GeneratedVideo:
        """The film (T, H, W, 3) uint8 at another size, as many frames. Without height and width `scale` times as large; with one of
        them in the same shape. What else is None is the model's own."""
        settings = self.settings(
            video.shape[:3], height=height, width=width, prompt=prompt, negative_prompt=negative_prompt, fps=fps,
            num_inference_steps=num_inference_steps, guidance_scale=guidance_scale, window_frames=window_frames,
            window_overlap=window_overlap, tile_px=tile_px, seed=seed,
        )  # fmt: skip
        frames = np.concatenate(list(self.stream([video], settings, callback)))
        return GeneratedVideo(frames, settings.fps, prompt, seed)

    def settings(
        self, shape: tuple[int, ...], *, height: int | None = None, width: int | None = None, **values: object
    ) -> UpsampleSettings:
        """All that decides what is made of a film of `shape` (T, H, W). Raises UsageError on what cannot be made."""
        longest = self.upsampler.config.max_frames
        own = {
            "fps": self.defaults.fps, "guidance_scale": self.defaults.guidance_scale,
            "window_frames": min(WINDOW_FRAMES, longest),
        }  # fmt: skip
        given = {name: value for name, value in values.items() if value is not None}
        height, width = target_size(shape[1], shape[2], height, width, self.scale)
        size = int((own | given)["window_frames"])  # type: ignore[call-overload]
        own["window_overlap"] = min(WINDOW_OVERLAP, size // 2)
        try:
            settings = UpsampleSettings(num_frames=shape[0], height=height, width=width, **(own | given))  # type: ignore[arg-type]
        except ValueError as error:
            raise UsageError(f"moviegen upsample: {error}") from error
        if settings.window_frames > longest:
            raise UsageError(f"window_frames {settings.window_frames}: this model has positions for {longest} frames")
        self.tile_places(settings)
        return settings

    def tile_places(self, settings: UpsampleSettings) -> int:
        """Latent rows and columns of a tile: whole patches with a quarter of overlap. Raises UsageError when there is no such tile."""
        config, factor = self.upsampler.config, self.tae.config.spatial_factor
        patch = max(config.patch_size[1:])
        most = min(config.max_height * config.patch_size[1], config.max_width * config.patch_size[2])
        asked = most if settings.tile_px is None else settings.tile_px // factor
        places = asked // (4 * patch) * 4 * patch
        if places < 4 * patch or asked > most:
            raise UsageError(
                f"tile_px {settings.tile_px or asked * factor}: this model takes {4 * patch * factor} to {most * factor} px"
            )
        return places

    @torch.no_grad()
    def stream(
        self, frames: Iterable[np.ndarray], settings: UpsampleSettings, callback: Callback | None = None
    ) -> Iterator[np.ndarray]:
        """The large film (T, H, W, 3) uint8, some frames at a time, of a small one that comes so."""
        spans = tile_spans(settings.num_frames, settings.window_frames, settings.window_overlap)
        low = self._low_resolution(frames, settings)
        values = WindowValues(_in_windows(low, spans), settings.num_inference_steps)
        channels, rows, columns = self._latent_shape(settings)
        noise = frame_noise((channels, rows, columns), settings.num_frames, [settings.seed], settings.window_frames)
        x_0 = (piece.to(self._weight) for piece in noise)
        t_grid = linear_quadratic_t(settings.num_inference_steps, max(250, settings.num_inference_steps))
        z = integrate_stream(self._step(settings, values), spans, fade_masks(spans), x_0, t_grid, callback=callback)
        for piece in z:
            for frame in piece.split(1, 2):
                pixels = decode_frames(self.tae, frame)[0, :, :, : settings.height, : settings.width]
                yield pixels_to_frames(pixels)
            self.most_live = values.most_live

    def _step(self, settings: UpsampleSettings, values: WindowValues[Tensor]) -> WindowStep:
        """A step of a window: of each tile on its own, then blended [S §3.1.5; tiles are our decision]."""
        texts = [self._encode(text, settings) for text in (settings.prompt, settings.negative_prompt)]
        scale = 1.0 if settings.prompt == settings.negative_prompt else settings.guidance_scale
        tile, channels = self.tile_places(settings), self.upsampler.config.latent_channels

        def step(number: int, x_t: Tensor, t: Tensor, t_next: Tensor) -> Tensor:
            def solve(both: Tensor) -> Tensor:
                velocity = self._velocity(both[:, channels:], *texts, scale)
                return euler_step(velocity, both[:, :channels], t, t_next)

            both = torch.cat([x_t, values(number)], 1)
            return solve(both) if max(both.shape[3:]) <= tile else in_side_tiles(solve, both, tile, 1, 1)

        return step

    def _velocity(
        self, low: Tensor, texts: list[TextContext], unconditional: list[TextContext], scale: float
    ) -> VelocityFunction:
        """Guided by the text; both branches see the small clip."""
        network = lambda x, t, contexts: self.upsampler(x, t, contexts, low.expand(len(x), -1, -1, -1, -1))  # noqa: E731
        return guided(network, texts, unconditional, scale)

    def _encode(self, text: str, settings: UpsampleSettings) -> list[TextContext]:
        shape = self.defaults.override(num_frames=settings.num_frames, fps=settings.fps)
        return [encoder.encode([conditioning_text(text, shape)], self.device) for encoder in self.text_encoders]

    def _latent_shape(self, settings: UpsampleSettings) -> tuple[int, int, int]:
        """(C, h, w) of a frame, its sides rounded up to whole patches."""
        factor, patch = self.tae.config.spatial_factor, self.upsampler.config.patch_size
        rows, columns = (
            -(-side // (factor * p)) * p for side, p in zip((settings.height, settings.width), patch[1:], strict=True)
        )
        return self.upsampler.config.latent_channels, rows, columns

    def _low_resolution(self, frames: Iterable[np.ndarray], settings: UpsampleSettings) -> Iterator[Tensor]:
        """Latents (1, C, 1, h, w) of each small frame, bilinearly enlarged; to whole patches its edge is repeated."""
        _, rows, columns = self._latent_shape(settings)
        factor = self.tae.config.spatial_factor
        padding = (0, columns * factor - settings.width, 0, rows * factor - settings.height)
        for frame in (frame for piece in frames for frame in piece):
            pixels = torch.from_numpy(np.ascontiguousarray(frame)).to(self.device).permute(2, 0, 1) / 127.5 - 1
            large = enlarge(pixels[None, :, None].to(self._weight.dtype), settings.height, settings.width)
            yield encode_frames(self.tae, F.pad(large[:, :, 0], padding, mode="replicate")[:, :, None])


def _in_windows(frames: Iterable[Tensor], spans: Sequence[Span]) -> Callable[[int], Tensor]:
    low = Sliding(frames, 2)
    return lambda number: low.take(*spans[number])


def target_size(
    height: int, width: int, wanted_height: int | None, wanted_width: int | None, scale: float
) -> tuple[int, int]:
    """(height, width) of the large film: as asked, a missing side in the shape of the small film, even. Raises UsageError when it
    would be smaller."""
    if wanted_height is None and wanted_width is None:
        wanted_height, wanted_width = round(height * scale), round(width * scale)
    elif wanted_height is None:
        assert wanted_width is not None
        wanted_height = 2 * round(height * wanted_width / width / 2)
    elif wanted_width is None:
        wanted_width = 2 * round(width * wanted_height / height / 2)
    if wanted_height < height or wanted_width < width:
        raise UsageError(
            f"{wanted_width}x{wanted_height} is smaller than the film's {width}x{height}: an upsampler makes films larger; "
            "give a larger --height or --width"
        )
    return wanted_height, wanted_width


def read_values(values: object) -> tuple[VideoDefaults, float]:
    """What a product folder says beside its networks: defaults and scale. Raises UsageError when it says something else."""
    try:
        return decode_defaults(values["defaults"]), float(values["scale"])  # type: ignore[index]
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"model_index.json: values of an upsampler are defaults and scale: {error!r}") from error
