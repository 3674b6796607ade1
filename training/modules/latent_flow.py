"""Flow matching on a TAE's latents under a text: what the video transformer and all that start from it share [S §3.1.2].

Axis letters: B batch, C channels, T latent frames, H W latent rows and columns.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from moviegen.errors import UsageError
from moviegen.models.tae import TAE, LatentDistribution
from moviegen.models.text import Role, TextContext, TextEncoder, TransformersTextEncoder
from moviegen.models.video_dit import VideoDiTConfig
from moviegen.pipelines.video import VideoDefaults, decode_defaults, encode_defaults
from moviegen.prompts import with_fps
from moviegen.weights import load_model
from training.data.batch import Batch
from training.modules.flow import FlowModule, drop
from training.optim import OptimizerConfig


@dataclass(frozen=True)
class TextFiles:
    """A frozen text encoder of the transformers library."""

    path: str
    """Folder with model and tokenizer."""
    max_length: int = 512
    """Tokens of a text that are read."""
    role: Role = "prompt"
    """`quoted`: only the strings in quotation marks, as ByT5 does [S §3.1.4]."""


class FrozenTexts(nn.Module):
    """Text encoders that stay as they are: neither trained nor in checkpoints."""

    def __init__(self, encoders: Sequence[TextEncoder]) -> None:
        super().__init__()
        object.__setattr__(self, "encoders", tuple(encoders))  # not registered: their weights are the user's files

    def __iter__(self) -> Iterator[TextEncoder]:
        return iter(self.encoders)


def hold_texts(encoders: Sequence[TextEncoder]) -> nn.Module:
    """Text encoders as a module: those of our own as its children, those of the transformers library beside it."""
    if all(isinstance(encoder, nn.Module) for encoder in encoders):
        return nn.ModuleList(encoders)  # type: ignore[arg-type]
    return FrozenTexts(encoders)


def read_texts(files: Sequence[TextFiles]) -> list[TextEncoder]:
    """The frozen encoders of their folders, in order."""
    return [TransformersTextEncoder.from_pretrained(f.path, max_length=f.max_length, role=f.role) for f in files]


class LatentFlowModule(FlowModule):
    """A TAE that stays as it is, text encoders, and a network that subclasses give to `adopt`."""

    places = ("tae", "init_from")

    def __init__(
        self,
        tae: str,
        train_text: bool = True,
        uncond_prob: float = 0.1,
        t_mean: float = 0.0,
        t_std: float = 1.0,
        optimizer: OptimizerConfig = OptimizerConfig(),  # noqa: B008
        seed: int = 0,
    ) -> None:
        """What every stage on latents is told.

        Args:
            tae: Folder of the TAE whose latents are learned, with their mean and std measured (`moviegen train encode`).
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
        self.train_text = train_text
        self.tae = load_model(TAE, Path(tae)).requires_grad_(False)
        self.tae_folder = tae
        self.defaults = VideoDefaults()

    def adopt(self, network: nn.Module, encoders: Sequence[TextEncoder]) -> None:
        """Takes the network and the text encoders in."""
        self.network, self.text_encoders = network.train(), hold_texts(encoders)
        self.train_text = self.train_text and not isinstance(self.text_encoders, FrozenTexts)
        self.text_encoders.requires_grad_(self.train_text).train()
        check_fit(self.tae, network.config, self.tae_folder)  # type: ignore[arg-type]

    def trained(self) -> nn.ModuleDict:
        """The transformer, and the text encoders where they train."""
        networks: dict[str, nn.Module] = {self.kind: self.network}
        return nn.ModuleDict({**networks, "text_encoders": self.text_encoders} if self.train_text else networks)

    def train(self, mode: bool = True) -> "LatentFlowModule":
        """Training mode for what is trained; the rest stays in eval mode."""
        super().train(mode)
        self.tae.eval()
        if not self.train_text:
            self.text_encoders.eval()
        return self

    def data_latents(self, batch: Batch, generator: torch.Generator | None) -> Tensor:
        """Normalised latents (B, C, T, h, w): cached ones, or those of the pixels, sampled from the posterior."""
        if batch.latent_mean is not None and batch.latent_std is not None:
            return self._normalized(LatentDistribution(batch.latent_mean, 2 * batch.latent_std.log()), generator)
        if batch.pixels is None:
            raise ValueError("batch has neither latents nor pixels")
        return self.encode_pixels(batch.pixels, generator)

    @torch.no_grad()
    def encode_pixels(self, pixels: Tensor, generator: torch.Generator | None) -> Tensor:
        """Normalised latents (B, C, T, h, w) of pixels (B, 3, T', H, W); the posterior's mean without a generator."""
        return self._normalized(self.tae.encode(pixels), generator)

    @torch.no_grad()
    def _normalized(self, posterior: LatentDistribution, generator: torch.Generator | None) -> Tensor:
        return self.tae.normalize(posterior.mean if generator is None else posterior.sample(generator))

    def texts(self, batch: Batch) -> list[str]:
        """What the text encoders read: captions, those of videos with their frame rate in front [S §3.1.4]; an image has none (our
        decision)."""
        pairs = zip(batch.captions, batch.fps, strict=True)
        return [with_fps(caption, Fraction(fps)) if fps else caption for caption, fps in pairs]

    def condition(self, batch: Batch, generator: torch.Generator | None) -> Any:
        """Texts, some of them dropped."""
        dropped = drop(self.uncond_prob, len(batch), generator, self.device)
        return without(self.texts(batch), dropped)

    def contexts(self, texts: Sequence[str], device: torch.device) -> list[TextContext]:
        """What the text encoders make of texts."""
        return [encoder.encode(texts, device) for encoder in self.text_encoders]  # type: ignore[union-attr]

    def on_fit_start(self) -> None:
        """Notes the shape of the data: what the finished model generates by default."""
        self.defaults = self.trainer.datamodule.defaults()  # type: ignore[attr-defined]
        if isinstance(self.text_encoders, FrozenTexts):
            for encoder in self.text_encoders:
                encoder.to(self.device)  # type: ignore[attr-defined]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps the defaults for `moviegen train export`."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["defaults"] = encode_defaults(self.defaults)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The inverse of `on_save_checkpoint`."""
        super().on_load_checkpoint(checkpoint)
        self.defaults = decode_defaults(checkpoint["defaults"])


def without(texts: Sequence[str], dropped: Sequence[bool]) -> list[str]:
    """The texts, empty where dropped."""
    return ["" if drop else text for drop, text in zip(dropped, texts, strict=True)]


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
