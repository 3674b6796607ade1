"""Training of the spatial upsampler: frames encoded one by one, beside a damaged, smaller copy of the same clip [S §3.1.5, Fig 7].

Axis letters: B batch, C channels, T frames, H W rows and columns.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from moviegen.degradation import DegradationConfig, degrade
from moviegen.errors import UsageError
from moviegen.models.tae import TAE
from moviegen.models.text import ByteTextEncoderConfig
from moviegen.models.text_encoders import TextEncodersConfig
from moviegen.models.upsampler import Upsampler, UpsamplerConfig, decode_frames, encode_frames, enlarge
from moviegen.pipelines.product import Product, load_product, pipeline_of, save_product
from moviegen.pipelines.video import VideoPipeline, encode_defaults
from moviegen.weights import load_model
from training.data.batch import Batch
from training.modules.flow import drop, without
from training.modules.latent_flow import LatentFlowModule
from training.modules.stage import VALIDATION_SEED
from training.modules.texts import new_texts

PIPELINE = "UpsamplePipeline"


@dataclass(frozen=True)
class LowResolution:
    """What the upsampler sees of a clip."""

    texts: list[str]
    latents: Tensor
    """(B, C, T, h, w) of the small clip, enlarged."""


class UpsamplerModule(LatentFlowModule):
    """A small clip and its caption -> the large one."""

    kind = "upsampler"
    places = ("tae", "init_from", "round_trip_tae")

    def __init__(
        self,
        tae: str,
        upsampler: UpsamplerConfig | None = None,
        text: ByteTextEncoderConfig | None = None,
        frozen_texts: TextEncodersConfig | None = None,
        init_from: str | None = None,
        round_trip_tae: str | None = None,
        scale: float = 2.0,
        degradation: DegradationConfig = DegradationConfig(),  # noqa: B008
        **options: Any,
    ) -> None:
        """Training of an upsampler.

        Args:
            tae: Folder of the image autoencoder that encodes and decodes single frames, latents' mean and std measured.
            upsampler: Sizes of a new network; not with `init_from`.
            text: Sizes of a new byte text encoder; not with `init_from`.
            frozen_texts: Frozen text encoders instead; not with `init_from`.
            init_from: Product folder of a text-to-image model to begin with [S §3.1.5], or of the upsampler's stage before.
            round_trip_tae: Folder of the temporal autoencoder whose artefacts stand in for the damage at random [S §3.1.5].
            scale: Of the sides, small to large [S §3.1.5].
            degradation: How the small clip is damaged.
        """
        super().__init__(tae, **options)
        self.scale, self.degradation = scale, degradation
        self.tables = "model.upsampler" if upsampler is not None else ""
        self.round_trip_tae = load_model(TAE, Path(round_trip_tae)).requires_grad_(False) if round_trip_tae else None
        if degradation.tae_prob and self.round_trip_tae is None:
            raise UsageError("model: give round_trip_tae, the autoencoder for degradation.tae_prob, or set that to 0")
        if (upsampler is None) == (init_from is None):
            raise UsageError(
                "model: give either upsampler (the sizes of a new network) or init_from (a product folder)"
            )
        if upsampler is not None:
            self.adopt(Upsampler(upsampler), new_texts(text, frozen_texts))
        elif pipeline_of(str(init_from)) == PIPELINE:
            before = load_product(str(init_from), PIPELINE)
            self.adopt(before.networks["upsampler"], before.text_encoders)
            self.take_guidance(str(init_from))
        else:
            images = VideoPipeline.from_pretrained(Path(str(init_from)))
            self.adopt(
                Upsampler.from_video_dit(images.video_dit, self.tae.config.latent_channels), images.text_encoders
            )

    def data_latents(self, batch: Batch, generator: torch.Generator | None) -> Tensor:
        """Normalised latents (B, C, T, h, w), each frame an image of its own."""
        if batch.pixels is None:
            raise UsageError(
                "an upsampler is trained on pixels: data.class_path training.data.windows.WindowDataModule"
            )
        with torch.no_grad():
            return encode_frames(self.tae, batch.pixels, generator)

    def condition(self, batch: Batch, x_1: Tensor, generator: torch.Generator | None) -> LowResolution:
        """Texts, some dropped, and the latents of the damaged small clips, enlarged again."""
        dropped = drop(self.uncond_prob, len(batch), generator, self.device)
        pixels = batch.pixels
        assert pixels is not None
        seed = (
            VALIDATION_SEED
            if generator is None
            else int(torch.randint(2**31, (), generator=generator, device=self.device))
        )
        with torch.no_grad():
            numbers = batch.rows.numbers(len(batch))
            small = torch.stack([self.damaged(clip, seed + i) for i, clip in zip(numbers, pixels, strict=True)])
            latents = encode_frames(self.tae, enlarge(small, *pixels.shape[3:]), generator)
        return LowResolution(without(self.texts(batch), dropped), latents)

    def damaged(self, clip: Tensor, seed: int) -> Tensor:
        """The small clip (3, T, h, w) of a large one (3, T, H, W)."""
        generator = torch.Generator().manual_seed(seed)
        height, width = (max(8, round(side / self.scale / 8) * 8) for side in clip.shape[2:])
        return degrade(clip, height, width, generator, self.degradation, self._round_trip())

    def _round_trip(self) -> Any:
        tae = self.round_trip_tae
        return None if tae is None else lambda clip: tae.decode(tae.encode(clip).mean, clip.shape[2])

    def velocity(self, x_t: Tensor, t: Tensor, condition: LowResolution) -> Tensor:
        """u(x_t, P, t) beside the small clip."""
        return self.network(x_t, t, self.contexts(condition.texts, x_t.device), condition.latents)

    def decoded(self, z: Tensor, num_frames: int) -> Tensor:
        """Pixels of latents, each frame of its own."""
        return decode_frames(self.tae, z)

    def export(self, folder: Path) -> None:
        """Writes the product folder: image autoencoder, upsampler, text encoders."""
        networks = {"tae": self.tae, "upsampler": self.finished()}
        values = {"scale": self.scale, "defaults": encode_defaults(self.defaults)}
        save_product(Product(PIPELINE, networks, list(self.text_encoders), values), folder)  # type: ignore[arg-type]
