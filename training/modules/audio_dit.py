"""Training of the audio transformer: sound under a text, a film's frames and sound that is known already [S §6.1, §6.2.4].

Axis letters: B batch, N audio latents (25 a second), C channels of a latent, T video frames, D width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from moviegen.errors import UsageError
from moviegen.models.audio_codec import AudioCodec
from moviegen.models.audio_dit import AudioDiT, AudioDiTConfig, nearest_frames
from moviegen.models.text import ByteTextEncoderConfig
from moviegen.models.text_encoders import TextEncodersConfig
from moviegen.models.vision import (
    SmallVisionConfig,
    SmallVisionEncoder,
    frame_features,
    load_image_encoder,
)
from moviegen.pipelines.product import Product, load_product, save_product
from moviegen.weights import load_model
from training.data.sound import SoundBatch
from training.media import Media, clip_media
from training.modules.flow import TextFlowModule, without
from training.modules.sound_masks import MASKS, MaskConfig, draw_hidden
from training.modules.texts import new_texts

PIPELINE = "SoundtrackPipeline"


@dataclass(frozen=True)
class Heard:
    """What the network sees beside x_t."""

    texts: list[str]
    video: Tensor
    """(B, N, D) features of the frame nearest to each latent, 0 without video."""
    audio: Tensor
    """(B, N, C) known latents, 0 where they are to be made."""
    target: Tensor
    """(B, N) bool: latents to be made."""
    real: Tensor
    """(B, N) bool: latents that are no padding."""


class AudioDiTModule(TextFlowModule):
    """Video and text -> sound."""

    kind = "audio_dit"
    places = ("codec", "init_from", "vision_from")

    def __init__(
        self,
        codec: str | None = None,
        audio_dit: AudioDiTConfig | None = None,
        text: ByteTextEncoderConfig | None = None,
        frozen_texts: TextEncodersConfig | None = None,
        vision: SmallVisionConfig | None = None,
        vision_from: str | None = None,
        init_from: str | None = None,
        train_vision: bool = False,
        masks: MaskConfig = MASKS,
        **options: Any,
    ) -> None:
        """Training of an audio transformer.

        Args:
            codec: Folder of the audio codec, its latents' mean and std measured (`moviegen train measure`); not with `init_from`.
            audio_dit: Sizes of a new network; not with `init_from`.
            text: Sizes of a new byte text encoder; not with `init_from`.
            frozen_texts: Frozen text encoders instead: T5-base in the paper [S §6.1.3]; not with `init_from`.
            vision: Sizes of a new encoder of video frames; not with `init_from`.
            vision_from: Folder of an encoder of video frames: MetaCLIP in the paper [S §6.1.3]; not with `init_from`.
            init_from: Product folder of the stage before: brings all of these.
            train_vision: Whether the encoder of frames trains: a small new one must.
            masks: What is dropped and masked.
        """
        super().__init__(**options)
        self.masks, self.train_vision = masks, train_vision
        self.window_s: float | None = None
        """Longest chunk it is trained on, seconds: what the finished model makes at once."""
        if init_from is not None:
            if any(given is not None for given in (codec, audio_dit, text, frozen_texts, vision, vision_from)):
                raise UsageError("model: init_from brings codec, audio_dit, text and vision along; leave those out")
            before = load_product(init_from, PIPELINE)
            self.codec, self.vision = before.networks["audio_codec"], before.networks["vision"]
            self.adopt(before.networks["audio_dit"], before.text_encoders)
            self.take_guidance(init_from)
        else:
            if codec is None or audio_dit is None or (vision is None) == (vision_from is None):
                raise UsageError("model: give codec, audio_dit, text and vision (or their files), or init_from")
            self.codec = load_model(AudioCodec, Path(codec))
            self.vision = load_image_encoder(Path(vision_from)) if vision_from else SmallVisionEncoder(vision)  # type: ignore[arg-type]
            self.adopt(AudioDiT(audio_dit), new_texts(text, frozen_texts))
        self.codec.requires_grad_(False).eval()
        self.vision.requires_grad_(train_vision).train(train_vision)
        check_sizes(self.codec, self.network.config, self.vision.width)  # type: ignore[arg-type]

    def trained(self) -> nn.ModuleDict:
        """The transformer, and the encoders that train."""
        networks = super().trained()
        if self.train_vision:
            networks["vision"] = self.vision
        return networks

    def on_fit_start(self) -> None:
        """Notes the longest chunk of the data."""
        super().on_fit_start()
        parts = self.trainer.datamodule.parts.values()  # type: ignore[attr-defined]
        self.window_s = max(part.seconds for part in parts)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps it for `moviegen train export`."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["window_s"] = self.window_s

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The inverse; checkpoints from before have none."""
        super().on_load_checkpoint(checkpoint)
        self.window_s = checkpoint.get("window_s")

    @torch.no_grad()
    def data_latents(self, batch: SoundBatch, generator: torch.Generator | None) -> Tensor:  # type: ignore[override]
        """Normalised latents (B, N, C) of the sound."""
        posterior = self.codec.encode(batch.sound)  # type: ignore[operator]
        z = posterior.mean if generator is None else posterior.sample(generator)
        return self.codec.normalize(z).transpose(1, 2).contiguous()  # type: ignore[operator]

    def condition(self, batch: SoundBatch, x_1: Tensor, generator: torch.Generator | None) -> Heard:  # type: ignore[override]
        """Text, frames and known audio, some of each dropped or masked [S §6.1.6]; validation makes all of the audio."""
        real = self._real(batch, x_1)
        hidden = draw_hidden(self.masks, real, generator)
        return Heard(
            without(batch.captions, hidden.text),
            self._video(batch, x_1.shape[1], hidden.video),
            x_1 * (real & ~hidden.audio)[..., None],
            hidden.audio,
            real,
        )

    def _real(self, batch: SoundBatch, x_1: Tensor) -> Tensor:
        hop = self.codec.config.hop  # type: ignore[union-attr]
        lengths = -(-batch.num_samples // hop)
        return torch.arange(x_1.shape[1], device=x_1.device) < lengths.to(x_1.device)[:, None]

    def _video(self, batch: SoundBatch, num_latents: int, dropped: Sequence[bool]) -> Tensor:
        """Features of the frame nearest to each latent (B, N, D); zeros where there is no video."""
        if batch.pixels is None:
            return torch.zeros(len(batch), num_latents, self.vision.width, device=self.device)  # type: ignore[arg-type]
        features = frame_features(self.vision, batch.pixels)  # type: ignore[arg-type]
        nearest = nearest_frames(batch.pixels.shape[2], Fraction(batch.frame_rate), num_latents)
        seen = batch.has_video & ~torch.tensor(dropped, device=batch.has_video.device)
        return features[:, nearest.to(features.device)] * seen[:, None, None]

    def velocity(self, x_t: Tensor, t: Tensor, condition: Heard) -> Tensor:
        """u(x_t, c, t) [S §6.1.3]."""
        contexts = self.contexts(condition.texts, x_t.device)
        return self.network(x_t, t, contexts, condition.video, condition.audio, condition.real)

    def flow_loss(self, prediction: Tensor, velocity: Tensor, condition: Heard) -> Tensor:
        """Mean squared error over the latents to be made, or over all that are real."""
        kept = condition.target if self.masks.loss_on == "masked" else condition.real
        errors = (prediction.float() - velocity.float()).square().mean(-1)
        return (errors * kept).sum() / kept.sum().clamp_min(1)

    def samples(self, batch: SoundBatch, num_inference_steps: int) -> list[Media]:  # type: ignore[override]
        """Sound made under the batch's conditions, with the frames it was made for."""
        z = self.generate(batch, num_inference_steps)
        sound = self.codec.decode(self.codec.denormalize(z.transpose(1, 2)), batch.sound.shape[2])  # type: ignore[operator]
        rate, found = self.codec.config.sample_rate_hz, []  # type: ignore[union-attr]
        for i, (caption, wave) in enumerate(zip(batch.captions, sound.float().cpu().numpy(), strict=True)):
            heard = {"sound": wave, "sample_rate": rate}
            if batch.pixels is None or not bool(batch.has_video[i]):
                found.append(Media(f"{i:02d}", caption, **heard))
            else:
                found.append(clip_media(f"{i:02d}", caption, [batch.pixels[i]], batch.frame_rate, **heard))
        return found

    def loss_weight(self, batch: SoundBatch, condition: Heard) -> float | Tensor:  # type: ignore[override]
        """The mean is over latents, of which every rank has another number: the rank's share of them, times the ranks."""
        kept = (condition.target if self.masks.loss_on == "masked" else condition.real).sum().float()
        return kept / self.mean_over_ranks(kept).clamp_min(1e-9)

    def export(self, folder: Path) -> None:
        """Writes the product folder: codec, transformer, encoder of frames, text encoders."""
        networks = {"audio_codec": self.codec, "audio_dit": self.finished(), "vision": self.vision}
        known = {"window_s": self.window_s, "guidance_scale": self.guidance_scale}
        values = {name: value for name, value in known.items() if value is not None}
        save_product(Product(PIPELINE, networks, list(self.text_encoders), values), folder)  # type: ignore[arg-type]


def check_sizes(codec: AudioCodec, config: AudioDiTConfig, video_width: int) -> None:
    """Raises UsageError when codec and encoder do not give what the transformer takes, or the codec was never measured."""
    if (codec.config.bottleneck_dim, video_width) != (config.latent_channels, config.video_width):
        raise UsageError(
            f"the transformer takes {config.latent_channels} latent channels and frames of {config.video_width} numbers; codec and "
            f"encoder give {codec.config.bottleneck_dim} and {video_width}: choose sizes that agree"
        )
    if bool((codec.latent_std == 1).all()) and bool((codec.latent_mean == 0).all()):
        raise UsageError("the codec's latents were never measured: moviegen train measure does it; take its model/")
