"""A segment of sound while it is made: the guided velocity under film, text and known sound, and what holds the known in its place.

Axis letters: B candidates, C channels of a latent, L latents, D width.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from moviegen.flow import SIGMA_MIN
from moviegen.models.audio_dit import AudioDiT
from moviegen.models.text import TextContext
from moviegen.sampling import GuidanceScale, guided_pair


@dataclass(frozen=True)
class SoundVelocity:
    """(x_t (B, C, L), t (B,)) -> velocity (B, C, L), guided away from neither film nor text nor known sound [S §6.1.6]."""

    network: AudioDiT
    contexts: Sequence[TextContext]
    """Of 2 B texts: B times none, then those of the samples."""
    scale: GuidanceScale
    video: Tensor | None = None
    """(1, L, D) features of the frame nearest to each latent."""
    audio: Tensor | None = None
    """(1 or B, C, L) known latents, 0 where they are to be made."""

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        return guided_pair(self._pair, self.scale)(x_t, t)

    def _pair(self, x_t: Tensor, t: Tensor) -> Tensor:
        half = len(x_t) // 2
        video = None if self.video is None else _behind_nothing(self.video, half)
        audio = None if self.audio is None else _behind_nothing(self.audio, half).transpose(1, 2)
        return self.network(x_t.transpose(1, 2), t, self.contexts, video, audio).transpose(1, 2)


def _behind_nothing(rows: Tensor, count: int) -> Tensor:
    """(2 count, ...): zeros, then the rows, repeated where there is only one."""
    rows = rows.expand(count, *rows.shape[1:])
    return torch.cat([torch.zeros_like(rows), rows])


@dataclass(frozen=True)
class SoundWindow:
    """What a segment is made under."""

    velocity: SoundVelocity
    x_0: Tensor | None = None
    known: Tensor | None = None
    """(1, C, L) latents of the sound that is there already."""
    kept: Tensor | None = None
    """(L,) bool: those of them that stay."""

    def hold(self, x: Tensor, t: Tensor) -> Tensor:
        """x at t with the latents that stay on their straight path, as in training, so that they end as themselves (our decision)."""
        if self.kept is None or self.x_0 is None or self.known is None:
            return x
        return torch.where(self.kept, t * self.known + (1 - (1 - SIGMA_MIN) * t) * self.x_0, x)

    def after(self, tail: Tensor, num_latents: int) -> "SoundWindow":
        """The same of `num_latents`, its first ones known too: the last ones (B, C, n) of the segment before."""
        batch, channels, shared = tail.shape
        rest = num_latents - shared
        own = self.velocity.audio
        own = tail.new_zeros(batch, channels, rest) if own is None else own[..., shared:].expand(batch, -1, -1)
        return replace(self, velocity=replace(self.velocity, audio=torch.cat([tail, own], 2)))
