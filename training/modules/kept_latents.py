"""Latents of a frozen autoencoder that stay in memory, for data sets small enough to be seen many times.

Axis letters: B batch, C channels, T frames, H W rows and columns, h w latent ones.
"""

import hashlib
from typing import NamedTuple

import torch
from torch import Tensor

from moviegen.models.tae import TAE, LatentDistribution
from training.data.decode import ClipCache
from training.data.encoders import encode_pixels


class Moments(NamedTuple):
    """A sample's posterior, (C, T, h, w) each, in host memory."""

    mean: Tensor
    logvar: Tensor

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return self.mean.nbytes + self.logvar.nbytes


class KeptLatents:
    """The posteriors of a frozen TAE by the pixels they are of, in `max_bytes` of host memory; what comes later is encoded each time.

    By content, so that a clip that is cut or damaged at random is never taken for another. Each sample is encoded by itself: what comes
    out is the same whatever else was kept, and so after a resume.
    """

    def __init__(self, tae: TAE, max_bytes: int) -> None:
        self._tae, self._kept = tae, ClipCache[Moments](max_bytes)

    def encode(self, pixels: Tensor) -> LatentDistribution:
        """The posterior of (B, 3, T, H, W) in [-1, 1], (B, C, T', h, w), on the pixels' device."""
        rows = [self._row(row) for row in pixels]
        return LatentDistribution(*(torch.stack(moments).to(pixels.device) for moments in zip(*rows, strict=True)))

    def _row(self, pixels: Tensor) -> Moments:
        content = pixels.detach().float().cpu().contiguous()
        key = (tuple(content.shape), hashlib.blake2b(content.numpy().data, digest_size=16).digest())
        moments = self._kept.get(key)
        if moments is None:
            posterior = encode_pixels(self._tae, pixels[None])
            moments = Moments(posterior.mean[0].cpu(), posterior.logvar[0].cpu())
            self._kept.put(key, moments)
        return moments
