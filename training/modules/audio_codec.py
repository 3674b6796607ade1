"""Training of the audio codec (DAC-VAE): waveform -> latents -> waveform, judged by spectra of several windows [S §6.1.3].

Axis letters: B batch, C channels, N audio samples.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from moviegen.errors import UsageError
from moviegen.models.audio_codec import AudioCodec, AudioCodecConfig, AudioLatents, even_start
from moviegen.models.audio_discriminator import WINDOWS, MultiScaleSTFTDiscriminator
from moviegen.weights import load_model, save_model
from training.data.sound import SoundBatch
from training.losses import (
    SPECTRAL_FLOOR,
    SPECTRAL_WINDOWS,
    discriminator_loss,
    feature_distance,
    spectral_convergence,
    spectral_distance,
)
from training.media import Media
from training.modules.adversarial import AdversarialModule
from training.optim import OptimizerConfig


@dataclass(frozen=True)
class CodecLossConfig:
    """Weights of the codec's losses; the paper names the parts and gives no weight [S §6.1.3]: all are our decision."""

    l1: float = 10.0
    """Of the waveform's mean absolute difference."""
    spectrum: float = 1.0
    """Of the spectra's difference, the mean over windows."""
    convergence: float = 0.0
    """Of the spectra's difference in squares, relative: gets a small codec started, which without it may stay silent."""
    kl: float = 1e-3
    """Of the latents' divergence, summed over channels and averaged over time, in nats."""
    gan: float = 0.2
    """Of the contest with the discriminators; 0 builds none."""
    feature: float = 2.0
    """Of the difference of the discriminators' features."""
    gan_start_step: int = 0
    """First step of the contest."""
    gan_windows: tuple[int, ...] = WINDOWS
    """Samples of each discriminator's window."""
    gan_channels: int = 32
    spectral_windows: tuple[int, ...] = SPECTRAL_WINDOWS
    """Samples of each window of the spectral distance."""
    spectral_floor: float = SPECTRAL_FLOOR
    """Magnitude below which all is silence to that distance. Above a hiss, so that a sound in it weighs more than the hiss."""


class AudioCodecModule(AdversarialModule):
    """Reconstructs sound."""

    kind = "audio_codec"

    def __init__(
        self,
        audio_codec: AudioCodecConfig | None = None,
        init_from: str | None = None,
        start: Literal["small", "even"] = "small",
        losses: CodecLossConfig = CodecLossConfig(),
        discriminator_lr: float | None = None,
        clip: float = 1.0,
        optimizer: OptimizerConfig = OptimizerConfig(),  # noqa: B008
        seed: int = 0,
    ) -> None:
        """Training of an audio codec.

        Args:
            audio_codec: Sizes of a new network; not with `init_from`.
            init_from: Model folder of the stage before.
            start: How a new network's weights begin: `small` as descript's, for hundreds of channels; `even` for narrow ones.
            losses: Weights of the losses.
            discriminator_lr: Learning rate of the discriminators; the codec's when not given.
            clip: Largest norm of the codec's and of the discriminators' gradient, where there is a contest.
            optimizer: Optimiser and lr schedule.
            seed: Of the posterior's samples and of the initial weights.
        """
        super().__init__(optimizer, seed, discriminator_lr, clip)
        if (audio_codec is None) == (init_from is None):
            raise UsageError(
                "model: give either audio_codec (the sizes of a new network) or init_from (a model folder)"
            )
        if init_from and start != "small":
            raise UsageError(f"model: start {start} is for a new network; init_from brings its weights along")
        torch.manual_seed(seed)
        self.codec = AudioCodec(audio_codec) if audio_codec else load_model(AudioCodec, Path(str(init_from)))
        if audio_codec and start == "even":
            even_start(self.codec)
        self.codec.train()
        self.losses = losses
        contest = MultiScaleSTFTDiscriminator(losses.gan_windows, losses.gan_channels) if losses.gan else None
        self.judge_by(contest)

    def generator_networks(self) -> nn.ModuleDict:
        """The codec."""
        return nn.ModuleDict({"audio_codec": self.codec})

    def export(self, folder: Path) -> None:
        """Writes the codec's folder."""
        save_model(self.codec, folder)

    def training_step(self, batch: SoundBatch, batch_idx: int) -> Tensor | None:
        """The weighted sum of the losses on a batch of sound."""
        posterior = self.codec.encode(batch.sound)
        z = posterior.sample(self.generator(batch))
        reconstruction = self.codec.decode(z, batch.sound.shape[2])
        is_judged = self.discriminator is not None and self.global_step >= self.losses.gan_start_step
        terms = self.loss_terms(batch.sound, posterior, reconstruction, is_judged)
        loss = torch.stack([weight * value for weight, value in terms.values()]).sum()
        values = {name: value.detach() for name, (_, value) in terms.items()}
        rebuilt = torch.stack([weight * value.detach() for weight, value in (terms["l1"], terms["spectrum"])]).sum()
        self.log_batch({"loss": loss.detach(), "reconstruction": rebuilt, **values}, batch)
        loss = loss * batch.weight
        if self.discriminator is None:
            return loss
        self.step(loss, is_judged)
        return None

    def loss_terms(
        self, sound: Tensor, posterior: AudioLatents, reconstruction: Tensor, is_judged: bool
    ) -> dict[str, tuple[float, Tensor]]:
        """Name -> (weight, value) of each loss that is on."""
        weights = self.losses
        terms = {
            "l1": (weights.l1, (reconstruction - sound).abs().mean()),
            "spectrum": (weights.spectrum, self.distance(reconstruction, sound)),
            "kl": (weights.kl, posterior.kl().mean()),
        }
        if weights.convergence:
            value = spectral_convergence(reconstruction, sound, weights.spectral_windows)
            terms["convergence"] = (weights.convergence, value)
        if is_judged:
            terms |= self._contest(sound, reconstruction)
        return terms

    def distance(self, reconstruction: Tensor, sound: Tensor) -> Tensor:
        """Of their spectra, with the stage's windows and floor."""
        return spectral_distance(reconstruction, sound, self.losses.spectral_windows, self.losses.spectral_floor)

    def _contest(self, sound: Tensor, reconstruction: Tensor) -> dict[str, tuple[float, Tensor]]:
        judge = self.discriminator
        still = {name: p.detach() for name, p in judge.named_parameters()}  # type: ignore[union-attr]
        fooled = torch.func.functional_call(judge, still, (reconstruction,))  # type: ignore[arg-type]
        real, fake = judge(sound), judge(reconstruction.detach())  # type: ignore[misc]
        scales = range(len(real))
        return {
            "gan": (self.losses.gan, torch.stack([-j.logits.mean() for j in fooled]).mean()),
            "feature": (
                self.losses.feature,
                torch.stack([feature_distance(real[i].features, fooled[i].features) for i in scales]).mean(),
            ),
            "discriminator": (
                1.0,
                torch.stack([discriminator_loss(real[i].logits, fake[i].logits) for i in scales]).mean(),
            ),
        }

    def samples(self, batch: SoundBatch, num_inference_steps: int) -> list[Media]:  # type: ignore[override]
        """Sounds, and after each what it becomes there and back."""
        again = self.codec.decode(self.codec.encode(batch.sound).mean, batch.sound.shape[2])
        rate, found = self.codec.config.sample_rate_hz, []
        for i, (key, sound, rebuilt) in enumerate(zip(batch.keys, batch.sound, again, strict=True)):
            both = torch.cat([sound, rebuilt], 1).float().cpu().numpy()
            found.append(Media(f"{i:02d}", key, sound=both, sample_rate=rate))
        return found

    def sample_work(self, batch: SoundBatch) -> tuple[int, float]:  # type: ignore[override]
        """Of the codec, there and back; its latents are the tokens."""
        from training.plan.work import BACKWARD, autoencoder_flops

        config, shape = self.codec.config, tuple(batch.sound.shape[1:])
        return -(-shape[1] // config.hop), BACKWARD * autoencoder_flops("audio_codec", config, shape)

    def validation_step(self, batch: SoundBatch, batch_idx: int) -> None:
        """Spectral distance and L1 of the reconstruction from the posterior's mean."""
        reconstruction = self.codec.decode(self.codec.encode(batch.sound).mean, batch.sound.shape[2])
        distance = self.distance(reconstruction, batch.sound)
        self.log_validation({"loss": distance, "l1": (reconstruction - batch.sound).abs().mean()}, batch)
