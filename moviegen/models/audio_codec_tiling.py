"""Long sound through the audio codec piece by piece: each piece with as much before and behind it as the convolutions reach.

Nothing is blended: the pieces are what the whole would give. Axis letters: B batch, C channels, N audio samples, L latents.
"""

import math
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from moviegen.models.audio_codec import AudioCodec, AudioCodecConfig
from moviegen.window_stream import Sliding

UNITS_REACH = 3 * (1 + 3 + 9)
"""Samples to each side that a level's three residual units see: kernels of 7, dilated by 1, 3 and 9."""

PIECE_LATENTS = 250
"""Latents that are coded at once: 10 s (our decision)."""

SoundAt = Callable[[int, int], Tensor]
"""(start, end) in samples -> (B, 1, end - start)."""


def reach_of(config: AudioCodecConfig) -> int:
    """Latents to each side on which a latent's samples depend, or the other way round: the larger of the two."""
    hop, level, samples = config.hop, 1, 3.0
    for rate in config.rates:
        samples += (UNITS_REACH + 2 * rate) * level
        level *= rate
    return math.ceil(samples / hop) + 3


def decode_stream(
    codec: AudioCodec, pieces: Iterable[Tensor], num_samples: int, piece: int = PIECE_LATENTS
) -> Iterator[Tensor]:
    """`codec.decode` of latents (B, C, L) that come in pieces of any lengths: waveforms (B, 1, n), `num_samples` together."""
    reach, hop, total = reach_of(codec.config), codec.config.hop, codec.num_latents(num_samples)
    z = Sliding(pieces, 2)
    for start in range(0, total, piece):
        end = min(start + piece, total)
        first, last = max(0, start - reach), min(total, end + reach)
        x = codec.decode(z.take(first, last), (last - first) * hop)
        yield x[..., (start - first) * hop : min(end * hop, num_samples) - first * hop]


def encode_span(codec: AudioCodec, sound: SoundAt, start: int, end: int, total: int) -> Tensor:
    """Latents start..end (B, C, end - start) of a sound of `total` latents, means, not normalised; `sound` is asked for whole hops."""
    reach, hop = reach_of(codec.config), codec.config.hop
    parts = []
    for low in range(start, end, PIECE_LATENTS):
        high = min(low + PIECE_LATENTS, end)
        first, last = max(0, low - reach), min(total, high + reach)
        mean = codec.encode(sound(first * hop, last * hop)).mean
        parts.append(mean[..., low - first : high - first])
    return torch.cat(parts, 2)
