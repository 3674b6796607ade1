"""Training of the video transformer on latents [S §3.1.2, §3.2.2].

Axis letters: B batch, C channels, T latent frames, H W latent rows and columns.
"""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from moviegen.errors import UsageError
from moviegen.models.tae import TAE, LatentDistribution
from moviegen.models.text import ByteTextEncoder, ByteTextEncoderConfig
from moviegen.models.video_dit import VideoDiT, VideoDiTConfig
from moviegen.pipelines.video import VideoDefaults, VideoPipeline, decode_defaults, encode_defaults
from moviegen.prompts import with_fps
from moviegen.weights import load_model
from training.data.batch import Batch
from training.modules.flow import FlowModule
from training.optim import OptimizerConfig


class VideoDiTModule(FlowModule):
    """Text to image and video."""

    kind = "video_dit"
    places = ("tae", "init_from")

    def __init__(
        self,
        tae: str,
        video_dit: VideoDiTConfig | None = None,
        text: ByteTextEncoderConfig | None = None,
        init_from: str | None = None,
        train_text: bool = True,
        uncond_prob: float = 0.1,
        t_mean: float = 0.0,
        t_std: float = 1.0,
        optimizer: OptimizerConfig = OptimizerConfig(),  # noqa: B008
        seed: int = 0,
    ) -> None:
        """Training of a video transformer.

        Args:
            tae: Folder of the TAE whose latents are learned, with their mean and std measured (`moviegen train encode`).
            video_dit: Sizes of a new network; not with `init_from`.
            text: Sizes of a new byte text encoder; not with `init_from`.
            init_from: Product folder of the stage before.
            train_text: Whether the text encoder is trained too; the paper's encoders are frozen [S App A.2], the tiny one is not.
            uncond_prob: Share of the texts dropped, for guidance; 0.1 is our decision.
            t_mean: Of the normal whose sigmoid is t; 0 and 1 are the paper's [S §3.1.2]. Below 0 there is more noise.
            t_std: Standard deviation of that normal.
            optimizer: Optimiser and lr schedule.
            seed: Of noise, t, dropped texts and of the initial weights.
        """
        super().__init__(optimizer, seed)
        torch.manual_seed(seed)
        self.uncond_prob, self.t_mean, self.t_std = uncond_prob, t_mean, t_std
        self.tae = load_model(TAE, Path(tae)).requires_grad_(False)
        self.video_dit, self.text_encoders = self._networks(video_dit, text, init_from)
        self.text_encoders.requires_grad_(train_text)
        self.train_text = train_text
        self.defaults = VideoDefaults()
        _check_fit(self.tae, self.video_dit, tae)

    def _networks(
        self, video_dit: VideoDiTConfig | None, text: ByteTextEncoderConfig | None, init_from: str | None
    ) -> tuple[VideoDiT, nn.ModuleList]:
        if init_from is not None:
            if video_dit is not None or text is not None:
                raise UsageError("model: init_from brings video_dit and text along; leave those two out")
            before = VideoPipeline.from_pretrained(Path(init_from))
            return before.video_dit.train(), nn.ModuleList(before.text_encoders).train()
        if video_dit is None or text is None:
            raise UsageError(
                "model: give video_dit and text (the sizes of new networks), or init_from (a product folder)"
            )
        return VideoDiT(video_dit), nn.ModuleList([ByteTextEncoder(text)])

    def trained(self) -> nn.ModuleDict:
        """The transformer, and the text encoders where they train."""
        networks: dict[str, nn.Module] = {"video_dit": self.video_dit}
        return nn.ModuleDict({**networks, "text_encoders": self.text_encoders} if self.train_text else networks)

    def train(self, mode: bool = True) -> "VideoDiTModule":
        """Training mode for what is trained; the rest stays in eval mode."""
        super().train(mode)
        self.tae.eval()
        if not self.train_text:
            self.text_encoders.eval()
        return self

    def data_latents(self, batch: Batch, generator: torch.Generator | None) -> Tensor:
        """Normalised latents (B, C, T, h, w): cached ones, or those of the pixels, sampled from the posterior."""
        with torch.no_grad():
            if batch.latent_mean is not None and batch.latent_std is not None:
                posterior = LatentDistribution(batch.latent_mean, 2 * batch.latent_std.log())
            elif batch.pixels is not None:
                posterior = self.tae.encode(batch.pixels)
            else:
                raise ValueError("batch has neither latents nor pixels")
            z = posterior.mean if generator is None else posterior.sample(generator)
            return self.tae.normalize(z)

    def texts(self, batch: Batch) -> list[str]:
        """Captions, those of videos with their frame rate in front [S §3.1.4]; an image has none (our decision)."""
        pairs = zip(batch.captions, batch.fps, strict=True)
        return [with_fps(caption, Fraction(fps)) if fps else caption for caption, fps in pairs]

    def velocity(self, x_t: Tensor, t: Tensor, texts: Sequence[str]) -> Tensor:
        """u(x_t, P, t) [S §3.1.2]."""
        contexts = [encoder.encode(texts, x_t.device) for encoder in self.text_encoders]
        return self.video_dit(x_t, t, contexts)

    def export(self, folder: Path) -> None:
        """Writes the product folder: TAE, transformer, text encoders."""
        self.pipeline().save_pretrained(folder)

    def pipeline(self) -> VideoPipeline:
        """The product as its weights are now."""
        return VideoPipeline(self.tae, self.video_dit, list(self.text_encoders), self.defaults)

    def on_fit_start(self) -> None:
        """Notes the shape of the data: what the finished model generates by default."""
        self.defaults = self.trainer.datamodule.defaults()  # type: ignore[attr-defined]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps the defaults for `moviegen train export`."""
        checkpoint["defaults"] = encode_defaults(self.defaults)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The inverse of `on_save_checkpoint`."""
        self.defaults = decode_defaults(checkpoint["defaults"])


def _check_fit(tae: TAE, video_dit: VideoDiT, folder: str) -> None:
    """Raises UsageError when the TAE's latents are not what the transformer takes, or were never measured."""
    wanted, got = video_dit.config.latent_channels, tae.config.latent_channels
    if wanted != got:
        raise UsageError(
            f"the transformer takes {wanted} latent channels, the TAE makes {got}: choose sizes that agree"
        )
    if bool((tae.latent_std == 1).all()) and bool((tae.latent_mean == 0).all()):
        raise UsageError(
            f"{folder}: its latents' mean and std were never measured: moviegen train encode does it; take its model/"
        )
