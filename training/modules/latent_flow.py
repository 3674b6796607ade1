"""Flow matching on a TAE's latents under a text: what the video transformer and all that start from it share [S §3.1.2].

Axis letters: B batch, C channels, T latent frames, H W latent rows and columns.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from moviegen.contracts.bucket import decode_bucket
from moviegen.errors import UsageError
from moviegen.models.tae import TAE, LatentDistribution
from moviegen.models.text import TextContext, TextEncoder
from moviegen.models.video_dit import VideoDiTConfig
from moviegen.pipelines.video import VideoDefaults, decode_defaults, encode_defaults
from moviegen.weights import load_model
from training.data.batch import Batch
from training.data.encoders import drop_texts, encode_pixels, prompt_of
from training.media import Media, clip_media
from training.modules.flow import TextFlowModule, drop, without
from training.modules.kept_latents import KeptLatents
from training.modules.tables import check_positions


class LatentFlowModule(TextFlowModule):
    """A TAE that stays as it is, text encoders, and a network."""

    places = ("tae", "init_from")
    tables = ""
    """Setting that says how long the tables of positions are; empty: they are those of `init_from`."""

    def __init__(self, tae: str, uncond_prob: float = 0.1, latent_cache_bytes: int = 0, **options: Any) -> None:
        """What every stage on latents is told.

        Args:
            tae: Folder of the TAE whose latents are learned, with their mean and std measured (`moviegen train encode`).
            uncond_prob: Share of the texts dropped, for guidance; 0.1 is our decision.
            latent_cache_bytes: Memory in which each rank keeps the latents of pixels it has seen: of a set that is seen many times,
                encoding takes most of a small network's step.
        """
        super().__init__(**options)
        self.uncond_prob = uncond_prob
        self.tae = load_model(TAE, Path(tae)).requires_grad_(False)
        self.tae_folder = tae
        self._kept = KeptLatents(self.tae, latent_cache_bytes) if latent_cache_bytes else None
        self.defaults = VideoDefaults()

    def adopt(self, network: nn.Module, encoders: Sequence[TextEncoder]) -> None:
        """Takes the network and the text encoders in. Raises UsageError when they do not fit the TAE."""
        super().adopt(network, encoders)
        check_fit(self.tae, network.config, self.tae_folder)  # type: ignore[arg-type]

    def data_latents(self, batch: Batch, generator: torch.Generator | None) -> Tensor:
        """Normalised latents (B, C, T, h, w): cached ones, or those of the pixels, sampled from the posterior."""
        if batch.latent_mean is not None and batch.latent_std is not None:
            return self._normalized(LatentDistribution(batch.latent_mean, 2 * batch.latent_std.log()), generator)
        if batch.pixels is None:
            raise ValueError("batch has neither latents nor pixels")
        return self.encode_pixels(batch.pixels, generator)

    def encode_pixels(self, pixels: Tensor, generator: torch.Generator | None) -> Tensor:
        """Normalised latents (B, C, T, h, w) of pixels (B, 3, T', H, W), as `moviegen train encode` makes them; the posterior's mean
        without a generator."""
        posterior = self._kept.encode(pixels) if self._kept else encode_pixels(self.tae, pixels)
        return self._normalized(posterior, generator)

    @torch.no_grad()
    def _normalized(self, posterior: LatentDistribution, generator: torch.Generator | None) -> Tensor:
        return self.tae.normalize(posterior.mean if generator is None else posterior.sample(generator))

    def texts(self, batch: Batch) -> list[str]:
        """What the text encoders read: captions, those of videos with their frame rate in front [S §3.1.4]."""
        return [prompt_of(caption, fps) for caption, fps in zip(batch.captions, batch.fps, strict=True)]

    def condition(self, batch: Batch, x_1: Tensor, generator: torch.Generator | None) -> Any:
        """Texts, or their features where those were cached; some of them dropped."""
        dropped = drop(self.uncond_prob, len(batch), generator, self.device)
        if batch.text_features is None or batch.text_masks is None or batch.no_text is None or self.train_text:
            return without(self.texts(batch), dropped)
        cached = [TextContext(*row) for row in zip(batch.text_features, batch.text_masks, strict=True)]
        return drop_texts(cached, batch.no_text, dropped)

    def samples(self, batch: Batch, num_inference_steps: int) -> list[Media]:
        """Videos made under the batch's conditions, right of the data where there are pixels."""
        bucket = decode_bucket(batch.bucket)
        made = self.decoded(self.generate(batch, num_inference_steps), bucket.num_frames)
        shown = made[:, None] if batch.pixels is None else torch.stack([batch.pixels.to(made), made], 1)
        rows = zip(batch.captions, shown, batch.fps, strict=True)
        return [clip_media(f"{i:02d}", caption, clips, fps) for i, (caption, clips, fps) in enumerate(rows)]

    def decoded(self, z: Tensor, num_frames: int) -> Tensor:
        """Pixels (B, 3, T, H, W) of normalised latents."""
        return self.tae.decode(self.tae.denormalize(z), num_frames, tiled=True)

    def setup(self, stage: str) -> None:
        """Looks at the data before the first step."""
        self.check_data(self.trainer.datamodule)  # type: ignore[attr-defined]

    def check_data(self, data: Any) -> None:
        """Raises UsageError when a bucket of the data has more patches than the network's tables of positions have rows."""
        check_positions(self.network.config, data.shapes(), self.tables)  # type: ignore[arg-type]

    def on_fit_start(self) -> None:
        """Notes the shape of the data and the guidance: what the finished model generates by default."""
        super().on_fit_start()
        found: VideoDefaults = self.trainer.datamodule.defaults()  # type: ignore[attr-defined]
        self.defaults = found.override(guidance_scale=self.guidance_scale)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps the defaults for `moviegen train export`."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["defaults"] = encode_defaults(self.defaults)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The inverse of `on_save_checkpoint`."""
        super().on_load_checkpoint(checkpoint)
        self.defaults = decode_defaults(checkpoint["defaults"])


def check_fit(tae: TAE, config: VideoDiTConfig, folder: str) -> None:
    """Raises UsageError when the TAE's latents are not what the transformer takes, or were never measured."""
    wanted, got = config.latent_channels, tae.config.latent_channels
    if wanted != got:
        raise UsageError(
            f"the transformer takes {wanted} latent channels, the TAE makes {got}: choose sizes that agree"
        )
    if bool((tae.latent_std == 1).all()) and bool((tae.latent_mean == 0).all()):
        raise UsageError(
            f"{folder}: its latents' mean and std were never measured: moviegen train encode does it; take its model/"
        )
