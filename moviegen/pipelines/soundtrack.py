"""Sound for a film, for words, for both: of any length, exact to the sample, beside sound that is there already [S §6.1, §6.4].

Long sound is made in overlapping segments, either solved together (MultiDiffusion) or one after the other (autoregressive) [S §6.1.5].
Whatever the length, only the segments at which the sampler is at work are held.

Axis letters: B candidates, C channels of a latent, L latents, N audio samples, D width.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moviegen.errors import UsageError
from moviegen.models.audio_codec import AudioCodec
from moviegen.models.audio_codec_tiling import decode_stream
from moviegen.models.audio_dit import AudioDiT
from moviegen.models.text import TextEncoder
from moviegen.models.vision import ImageEncoder
from moviegen.pipelines.product import Product, load_product, save_product
from moviegen.pipelines.sound_film import (
    Film,
    FilmFeatures,
    KnownSound,
    best_candidate,
    film_of_array,
    shown_frames,
    sound_caption,
    sound_of_array,
)
from moviegen.pipelines.sound_settings import (
    CONTEXT_S,
    GUIDANCE,
    NUM_STEPS,
    WINDOW_S,
    Choose,
    GeneratedSound,
    Mode,
    Score,
    SoundSettings,
)
from moviegen.pipelines.sound_window import SoundVelocity, SoundWindow
from moviegen.sampling import Callback, linear_t, midpoint_step, rising_guidance
from moviegen.window_stream import Sliding, WindowValues, frame_noise, integrate_stream
from moviegen.windows import Span, segment_spans, shaped_masks

PIPELINE = "SoundtrackPipeline"


class SoundtrackPipeline:
    """Codec, transformer, encoder of frames and text encoders side by side, and how to sample from them."""

    def __init__(
        self,
        codec: AudioCodec,
        audio_dit: AudioDiT,
        vision: ImageEncoder,
        text_encoders: Sequence[TextEncoder],
        window_s: float = WINDOW_S,
        guidance_scale: float = GUIDANCE,
    ) -> None:
        for what, got, wanted in (
            ("the codec's latent channels", codec.config.bottleneck_dim, audio_dit.config.latent_channels),
            ("the width of frames' features", vision.width, audio_dit.config.video_width),
            ("the widths of texts", tuple(e.width for e in text_encoders), audio_dit.config.context_widths),
        ):
            if got != wanted:
                raise UsageError(f"soundtrack: {what}: {got}, the transformer wants {wanted}")
        self.codec, self.audio_dit, self.vision = codec, audio_dit, vision
        self.text_encoders = list(text_encoders)
        self.window_s = window_s
        """Longest sound it was trained on, seconds."""
        self.guidance_scale = guidance_scale
        """Where a call gives none."""
        self.most_live = 0
        """Most windows that were held at one time in the last sound: does not grow with its length."""

    @classmethod
    def from_pretrained(cls, folder: Path | str, device: str = "cpu") -> "SoundtrackPipeline":
        """The product of a folder, in eval mode. Raises UsageError naming the file that is missing or does not fit."""
        found = load_product(folder, PIPELINE, device)
        names = ("audio_codec", "audio_dit", "vision")
        networks = (found.networks[name] for name in names)
        return cls(*networks, found.text_encoders, *read_values(found.values))  # type: ignore[arg-type]

    def save_pretrained(self, folder: Path | str) -> None:
        """Writes the product folder that `from_pretrained` reads."""
        networks = {"audio_codec": self.codec, "audio_dit": self.audio_dit, "vision": self.vision}
        values = {"window_s": self.window_s, "guidance_scale": self.guidance_scale}
        save_product(Product(PIPELINE, networks, self.text_encoders, values), folder)  # type: ignore[arg-type]

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self.codec.config.sample_rate_hz

    @property
    def device(self) -> torch.device:
        """Where the transformer is."""
        return self._weight.device

    @property
    def _weight(self) -> Tensor:
        return self.audio_dit.audio_out.weight

    def __call__(
        self,
        video: np.ndarray | None = None,
        prompt: str = "",
        *,
        music: str = "",
        quality: float | None = None,
        music_probability: float | None = None,
        has_speech: bool = False,
        has_singing: bool = False,
        fps: Fraction = Fraction(24),
        duration_s: float | None = None,
        known: np.ndarray | None = None,
        keep: Sequence[tuple[float, float]] = (),
        num_inference_steps: int = NUM_STEPS,
        guidance_scale: float | None = None,
        mode: Mode = "multidiffusion",
        window_s: float | None = None,
        context_s: float | None = None,
        num_candidates: int = 1,
        score: Score | None = None,
        seed: int = 0,
        callback: Callback | None = None,
    ) -> GeneratedSound:
        """Sound for frames (T, H, W, 3) uint8 at `fps`, as long as they to the sample, or `duration_s` of sound without a film.

        `known` (N,) is sound whose seconds in `keep` stay; of several candidates the best by `score` is given. A guidance of None is the
        model's own.
        """
        film = None if video is None else film_of_array(video, Fraction(fps))
        if film is None and duration_s is None:
            raise UsageError("soundtrack: give a video, or duration_s")
        duration = film.duration if film is not None else Fraction(duration_s)  # type: ignore[arg-type]
        if num_candidates > 1 and score is None:
            raise UsageError(f"soundtrack: {num_candidates} candidates: give a score to choose by")
        text = sound_caption(
            prompt, music, quality=quality, music_probability=music_probability, has_speech=has_speech,
            has_singing=has_singing,
        )  # fmt: skip
        settings = SoundSettings(
            self.num_samples(duration), text, num_inference_steps, self.guidance_or_own(guidance_scale), mode,
            *self.window_and_context(window_s, context_s), num_candidates, seed,
        )  # fmt: skip
        own = None if known is None else KnownSound(sound_of_array(known), tuple(keep))
        samples = np.concatenate(list(self.stream(film, settings, own, callback)), 1)
        scores = [score(row, self.sample_rate) for row in samples] if score else [math.nan] * len(samples)
        best = best_candidate(scores)
        return GeneratedSound(samples[best], self.sample_rate, text, seed + best, scores[best] if score else None)

    def window_and_context(self, window_s: float | None, context_s: float | None) -> tuple[float, float]:
        """Seconds of both: as given, else what the model was trained on, and a third of the window, as 10 of 30."""
        window = self.window_s if window_s is None else window_s
        return window, window * CONTEXT_S / WINDOW_S if context_s is None else context_s

    def guidance_or_own(self, guidance_scale: float | None) -> float:
        """As given, else the model's."""
        return self.guidance_scale if guidance_scale is None else guidance_scale

    def num_samples(self, duration: Fraction) -> int:
        """Samples of a film: its frames over its frame rate, exact, rounded once."""
        return round(duration * self.sample_rate)

    @torch.no_grad()
    def stream(
        self,
        film: Film | None,
        settings: SoundSettings,
        known: KnownSound | None = None,
        callback: Callback | None = None,
        choose: Choose | None = None,
    ) -> Iterator[np.ndarray]:
        """All candidates' samples (B, N) float32, some at a time, `settings.num_samples` in all; `choose` is for `rerank` segments."""
        if (settings.rerank == "segments") != (choose is not None):
            raise ValueError("rerank by segments and what chooses go together")
        total = self.codec.num_latents(settings.num_samples)
        spans = self.spans(settings)
        make = self._windows(film, settings, known, spans, total)
        if settings.mode == "multidiffusion":
            solved = self._together(make, spans, settings, total, callback)
        else:
            solved = self._in_turn(make, spans, settings, total, callback, choose)
        latents = (self.codec.denormalize(z) for z in solved)
        start = 0
        for piece in decode_stream(self.codec, latents, settings.num_samples):
            samples = piece[:, 0].float().cpu().numpy()
            if known is not None:
                samples = known.paste(samples, start, self.sample_rate, settings.num_samples)
            start += samples.shape[1]
            yield samples

    def spans(self, settings: SoundSettings) -> list[Span]:
        """The segments' latents; what fits into one window is one."""
        rate, total = self.codec.config.latents_per_s, self.codec.num_latents(settings.num_samples)
        size = max(2, round(settings.window_s * rate))
        context = min(round(settings.context_s * rate), size - 1)
        return [(0, total)] if total <= size else segment_spans(total, size - context, context)

    def _together(
        self, make: Callable[[int], SoundWindow], spans: Sequence[Span], settings: SoundSettings, total: int,
        callback: Callback | None,
    ) -> Iterator[Tensor]:  # fmt: skip
        """Normalised latents (B, C, L) in pieces: MultiDiffusion under triangles, merged after each whole step [S §6.1.5]."""
        values = WindowValues(make, settings.num_inference_steps)

        def step(number: int, x_t: Tensor, t: Tensor, t_next: Tensor) -> Tensor:
            window = values(number)
            return window.hold(midpoint_step(window.velocity, x_t, t, t_next), t_next)

        grid = linear_t(settings.num_inference_steps)
        masks = shaped_masks(spans)
        for piece in integrate_stream(step, spans, masks, self._noise(settings, total), grid, callback=callback):
            self.most_live = values.most_live
            yield piece

    def _in_turn(
        self, make: Callable[[int], SoundWindow], spans: Sequence[Span], settings: SoundSettings, total: int,
        callback: Callback | None, choose: Choose | None,
    ) -> Iterator[Tensor]:  # fmt: skip
        """Normalised latents (B, C, L) in pieces: each segment knows the end of the one before, and follows its path there at every
        step, less and less (trajectory regularisation); what both have is the later one's [S §6.1.5]."""
        grid, noise = linear_t(settings.num_inference_steps), Sliding(self._noise(settings, total), 2)
        path: list[Tensor] = []
        done, end = 0, 0
        for number, span in enumerate(spans):
            window, x, shared = make(number), noise.take(*span), end - span[0] if number else 0
            if shared > 0:
                window = window.after(path[-1], span[1] - span[0])
            following = spans[number + 1][0] - span[0] if number + 1 < len(spans) else span[1] - span[0]
            weight = torch.arange(shared, device=x.device) / max(shared, 1)
            trail = []
            for k in range(len(grid) - 1):
                x = window.hold(midpoint_step(window.velocity, x, grid[k], grid[k + 1]), grid[k + 1])
                if shared > 0:
                    x = torch.cat([weight * x[..., :shared] + (1 - weight) * path[k], x[..., shared:]], 2)
                trail.append(x[..., following:])
                done += 1
                if callback is not None:
                    callback(done, len(spans) * (len(grid) - 1))
            if choose is not None and number + 1 < len(spans):
                best = choose(list(self._heard(x)), span[0] / self.codec.config.latents_per_s)
                x, trail = x[best].expand_as(x), [part[best].expand_as(part) for part in trail]
            path, end = [part.clone() for part in trail], span[1]
            self.most_live = 1
            yield x[..., :following]

    def _heard(self, z: Tensor) -> np.ndarray:
        """Samples (B, N) of a segment by itself."""
        num_samples = z.shape[2] * self.codec.config.hop
        return self.codec.decode(self.codec.denormalize(z), num_samples)[:, 0].float().cpu().numpy()

    def _windows(
        self, film: Film | None, settings: SoundSettings, known: KnownSound | None, spans: Sequence[Span], total: int
    ) -> Callable[[int], SoundWindow]:
        """What each segment is made under, asked for in order."""
        features = None
        if film is not None:
            shown = shown_frames(film.times_s, total, self.codec.config.latents_per_s)
            features = FilmFeatures(self.vision, film, shown, self._weight)
        noise = Sliding(self._noise(settings, total), 2) if known is not None else None
        count = settings.num_candidates
        contexts = [e.encode([""] * count + [settings.text] * count, self.device) for e in self.text_encoders]
        # several segments are an extension, for which the paper has guidance that grows [S §6.4.1]
        scale = settings.guidance_scale if len(spans) == 1 else rising_guidance(settings.guidance_scale)

        def make(number: int) -> SoundWindow:
            span = spans[number]
            video = None if features is None else features(span)
            if known is None or noise is None:
                return SoundWindow(SoundVelocity(self.audio_dit, contexts, scale, video))
            latents, kept = known.latents(self.codec, span, total, self.device)
            velocity = SoundVelocity(self.audio_dit, contexts, scale, video, latents)
            return SoundWindow(velocity, noise.take(*span), latents, kept)

        return make

    def _noise(self, settings: SoundSettings, total: int) -> Iterator[Tensor]:
        """x_0 (B, C, L) in pieces of a second or so."""
        seeds = [settings.seed + i for i in range(settings.num_candidates)]
        noise = frame_noise((self.codec.config.bottleneck_dim,), total, seeds, 32)
        return (piece.to(self._weight) for piece in noise)


def read_values(values: Mapping[str, Any]) -> tuple[float, float]:
    """(longest sound it was trained on in seconds, guidance) that a product folder says, or else the paper's. Raises UsageError on what
    is no number."""
    try:
        return float(values.get("window_s", WINDOW_S)), float(values.get("guidance_scale", GUIDANCE))
    except (TypeError, ValueError) as error:
        raise UsageError(f"model_index.json: values of a soundtrack model: {error}") from error
