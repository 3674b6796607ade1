"""What a sound is made for, and from: the film's frames beside the latents, sound that is known already, the caption of six fields.

Axis letters: B batch, C channels, N audio samples, L latents, T frames, D width.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from moviegen.contracts.audio_caption import AudioCaption, encode_audio_caption, tidy_description
from moviegen.errors import UsageError
from moviegen.models.audio_codec import AudioCodec
from moviegen.models.audio_codec_tiling import encode_span
from moviegen.models.vision import ImageEncoder, frame_features
from moviegen.window_stream import Sliding
from moviegen.windows import Span

SFX_QUALITY, MUSIC_QUALITY = 7.0, 8.0
"""What is asked for: sounds alone, and with music [S §6.4.1]."""

SFX_MUSIC_PROBABILITY, MUSIC_PROBABILITY = 0.01, 0.90
"""Likelihood of music that is asked for [S §6.4.1]."""

ROUNDING_S = 1e-5
"""By how much a frame's time may be off as a number; what a container's clock rounds is mended where a film is counted."""

FADE_S = 0.01
"""Over which known sound goes into made sound, inside the known (our decision)."""

FEATURE_FRAMES = 16
"""Frames that go through the encoder at once (our decision)."""


def sound_caption(
    sound: str = "",
    music: str = "",
    *,
    quality: float | None = None,
    music_probability: float | None = None,
    has_speech: bool = False,
    has_singing: bool = False,
) -> str:
    """The text that the network reads [S Table 26]; nothing is said where neither sound nor music is described.

    A missing field is what curation writes there: music is called `music`, sound that is only music by its own words.
    """
    sound, music = tidy_description(sound), tidy_description(music)
    if not sound and not music:
        return ""
    defaults = (MUSIC_QUALITY, MUSIC_PROBABILITY) if music else (SFX_QUALITY, SFX_MUSIC_PROBABILITY)
    caption = AudioCaption(
        quality=defaults[0] if quality is None else quality, has_speech=has_speech, has_singing=has_singing,
        sound=sound or music, music_probability=defaults[1] if music_probability is None else music_probability,
        music=music or "music",
    )  # fmt: skip
    return encode_audio_caption(caption)


@dataclass(frozen=True)
class Film:
    """Frames of any number, and when each is shown."""

    frames: Callable[[int], Iterable[np.ndarray]]
    """Side in px -> every frame in order, (T, side, side, 3) uint8 at a time, its middle square."""
    times_s: np.ndarray
    """(T,) seconds from the first frame."""
    duration: Fraction
    """Seconds."""


def film_of_array(video: np.ndarray, fps: Fraction) -> Film:
    """A film of frames (T, H, W, 3) uint8."""
    times = np.array([float(i / fps) for i in range(len(video))])
    return Film(lambda side: (_squares(piece, side) for piece in _pieces(video)), times, len(video) / Fraction(fps))


def film_of_file(path: Path) -> Film:
    """A film of a file, decoded in the guarded worker while it is listened to. Raises a MediaError when it cannot be read."""
    from moviegen.media.chunks import iter_chunks, survey_film

    found = survey_film(path)
    return Film(lambda side: iter_chunks(path, found, (side, side)), found.times_s, found.duration)


def film_between(film: Film, start_s: float, end_s: float) -> Film:
    """The frames that begin within a span, on its own clock; the one that is shown when it begins too."""
    first = max(0, int(np.searchsorted(film.times_s, start_s + ROUNDING_S, side="right")) - 1)
    last = max(first + 1, int(np.searchsorted(film.times_s, end_s - ROUNDING_S)))

    def frames(side: int) -> Iterator[np.ndarray]:
        place = 0
        for piece in film.frames(side):
            part = piece[max(0, first - place) : max(0, last - place)]
            place += len(piece)
            if len(part):
                yield part
            if place >= last:
                return

    times = np.maximum(film.times_s[first:last] - start_s, 0.0)
    return Film(frames, times, Fraction(min(end_s, float(film.duration)) - start_s))


def _pieces(video: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(video), FEATURE_FRAMES):
        yield video[start : start + FEATURE_FRAMES]


def _squares(frames: np.ndarray, side: int) -> np.ndarray:
    """The middle square of each frame, at another size."""
    least = min(frames.shape[1:3])
    top, left = ((length - least) // 2 for length in frames.shape[1:3])
    square = torch.from_numpy(np.ascontiguousarray(frames[:, top : top + least, left : left + least]))
    resized = torch.nn.functional.interpolate(
        square.permute(0, 3, 1, 2).float(), (side, side), mode="bilinear", align_corners=False, antialias=True
    )
    return resized.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()


def shown_frames(times_s: np.ndarray, num_latents: int, latents_per_s: float) -> np.ndarray:
    """(L,) int64: the frame that is shown at the middle of each latent; after the last frame it is held [S §6.1.3]."""
    middles = (np.arange(num_latents) + 0.5) / latents_per_s
    return np.clip(np.searchsorted(times_s, middles + ROUNDING_S, side="right") - 1, 0, len(times_s) - 1)


def image_side(vision: ImageEncoder) -> int:
    """Side in px of the pictures that an encoder looks at."""
    own = getattr(vision, "config", None)
    return int(own.image_px if own is not None else vision.model.config.image_size)  # type: ignore[attr-defined]


class FilmFeatures:
    """Features of the frame nearest to each latent of a window, the film read once and in order."""

    def __init__(self, vision: ImageEncoder, film: Film, shown: np.ndarray, like: Tensor) -> None:
        self.vision, self.shown, self.like = vision, shown, like
        self._features = Sliding(self._stream(film), 1)

    def __call__(self, span: Span) -> Tensor:
        """(1, L, D) of the latents of a span; spans come in order."""
        shown = self.shown[span[0] : span[1]]
        found = self._features.take(int(shown[0]), int(shown[-1]) + 1)
        return found[:, torch.from_numpy(shown - shown[0]).to(found.device)]

    def _stream(self, film: Film) -> Iterator[Tensor]:
        for chunk in film.frames(image_side(self.vision)):
            for piece in _pieces(chunk):
                pixels = torch.from_numpy(np.ascontiguousarray(piece)).to(self.like.device).permute(3, 0, 1, 2)
                yield frame_features(self.vision, (pixels / 127.5 - 1)[None].to(self.like.dtype))


SoundAt = Callable[[int, int], np.ndarray]
"""(start, end) in samples -> (end - start,) float32, silence where there is no sound."""


def sound_of_array(samples: np.ndarray) -> SoundAt:
    """Of samples (N,)."""

    def at(start: int, end: int) -> np.ndarray:
        found = samples[start:end]
        return np.pad(found, (0, end - start - len(found))).astype(np.float32)

    return at


def sound_of_file(path: Path, sample_rate: int, start_s: float, end_s: float) -> SoundAt:
    """Of a file, one channel, counted from `start_s` on its clock; decoded in the guarded worker.

    All at once: decoded in spans, a sound of another rate would be resampled a part of a sample apart from span to span.
    """
    from moviegen.media.audio import read_audio
    from moviegen.media.worker import guarded_call

    span = {"start_s": start_s, "end_s": end_s, "sample_rate": sample_rate}
    return sound_of_array(guarded_call(read_audio, Path(path), **span)[0])


@dataclass(frozen=True)
class KnownSound:
    """Sound that is there already, and the seconds of it that are kept; all else is made."""

    sound: SoundAt
    keep: tuple[tuple[float, float], ...]
    """(start, end) in seconds, in order, apart."""

    def __post_init__(self) -> None:
        ends = [0.0, *(place for span in self.keep for place in span)]
        if not self.keep or ends != sorted(ends) or any(start >= end for start, end in self.keep):
            raise UsageError(f"spans to keep {self.keep}: wanted one or more in order, each START before END")

    def is_kept(self, span: Span, hop: int, sample_rate: int) -> np.ndarray:
        """(L,) bool: the latents of a span all of whose samples are kept."""
        starts = np.arange(*span) * hop / sample_rate
        inside = [(starts >= start - 1e-9) & (starts + hop / sample_rate <= end + 1e-9) for start, end in self.keep]
        return np.any(inside, 0)

    def latents(self, codec: AudioCodec, span: Span, total: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """(normalised latents (1, C, L), 0 where they are not kept, mask (L,)) of a span."""
        is_kept = self.is_kept(span, codec.config.hop, codec.config.sample_rate_hz)
        kept = torch.from_numpy(is_kept).to(device)
        if not is_kept.any():
            return torch.zeros(1, codec.config.bottleneck_dim, len(is_kept), device=device), kept
        at = lambda start, end: torch.from_numpy(self.sound(start, end)).to(codec.latent_mean)[None, None]  # noqa: E731
        return codec.normalize(encode_span(codec, at, *span, total)) * kept, kept

    def paste(self, made: np.ndarray, start: int, sample_rate: int, num_samples: int) -> np.ndarray:
        """Samples (B, N) from `start` on with what is kept in its place, sample for sample but for `FADE_S` where it meets what is
        made."""
        weight = self._weight(np.arange(start, start + made.shape[1]) / sample_rate, num_samples / sample_rate)
        if not weight.any():
            return made
        own = self.sound(start, start + made.shape[1])
        return np.where(weight == 1, own, weight * own + (1 - weight) * made).astype(np.float32)

    def _weight(self, times_s: np.ndarray, end_s: float) -> np.ndarray:
        """(N,) 0..1: 1 on what is kept, ramps inside; no ramp at the film's own ends."""
        weight = np.zeros(len(times_s))
        for first, last in self.keep:
            rise = np.inf if first <= 0 else (times_s - first) / FADE_S
            fall = np.inf if last >= end_s else (last - times_s) / FADE_S
            inside = (times_s >= first) & (times_s < last)
            weight = np.maximum(weight, inside * np.clip(np.minimum(rise, fall) + 1e-6, 0, 1))
        return weight


def parse_spans(text: str) -> tuple[tuple[float, float], ...]:
    """`0-2,4.5-8` -> ((0, 2), (4.5, 8)) seconds; an end left out is the end of everything. Raises UsageError."""
    spans: list[tuple[float, float]] = []
    for part in filter(None, (word.strip() for word in text.split(","))):
        first, dash, last = part.partition("-")
        try:
            spans.append((float(first), float(last) if last.strip() else float("inf")))
        except ValueError:
            dash = ""
        if not dash:
            raise UsageError(f"spans {text!r}: wanted seconds as 0-2,4.5-8 or 3-")
    return tuple(spans)


def best_candidate(scores: Sequence[float]) -> int:
    """Number of the highest score, the first of several; one that is no number counts as the lowest."""
    return int(np.nanargmax(scores)) if not np.all(np.isnan(scores)) else 0
