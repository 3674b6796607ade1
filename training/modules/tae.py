"""Training of the temporal autoencoder [S §3.1.1].

Axis letters: B batch, C channels, T frames, H W rows and columns.
"""

import itertools
from pathlib import Path

import torch
from torch import Tensor, nn

from moviegen.errors import UsageError
from moviegen.evaluation.validation import latent_metrics, reconstruction_metrics
from moviegen.models.linear_path import BlockMoments, fit_linear_path
from moviegen.models.lpips import LPIPS
from moviegen.models.tae import TAE, LatentDistribution, TAEConfig
from moviegen.models.tae_inflate import IMAGE_WEIGHTS_FILE, inflate_image_autoencoder
from moviegen.weights import load_model, save_model
from training.cli import say
from training.data.batch import Batch
from training.losses import (
    PatchDiscriminator,
    TAELossConfig,
    discriminator_loss,
    frozen_forward,
    outlier_penalty,
)
from training.media import Media, clip_media
from training.modules.adversarial import AdversarialModule, OverRanks, adaptive_weight, alone
from training.optim import OptimizerConfig


class TAEModule(AdversarialModule):
    """Reconstructs clips and single frames."""

    kind = "tae"

    def __init__(
        self,
        tae: TAEConfig | None = None,
        init_from: str | None = None,
        losses: TAELossConfig = TAELossConfig(),  # noqa: B008
        linear_fit_batches: int = 64,
        discriminator_lr: float | None = None,
        clip: float = 1.0,
        optimizer: OptimizerConfig = OptimizerConfig(),  # noqa: B008
        seed: int = 0,
    ) -> None:
        """Training of a TAE.

        Args:
            tae: Sizes of a new network; not with `init_from`.
            init_from: Model folder of the stage before, or an image autoencoder's (diffusers' AutoencoderKL) to inflate [S §3.1.1].
            losses: Weights of the losses.
            linear_fit_batches: Batches to which the linear path of a TAE that has one is fitted before the first step.
            discriminator_lr: Learning rate of the discriminator; the TAE's when not given.
            clip: Largest norm of the TAE's and of the discriminator's gradient, where there is a contest; trainer.gradient_clip_val
                must be null then.
            optimizer: Optimiser and lr schedule.
            seed: Of the posterior's samples and of the initial weights.
        """
        super().__init__(optimizer, seed, discriminator_lr, clip)
        if (tae is None) == (init_from is None):
            raise UsageError("model: give either tae (the sizes of a new network) or init_from (a model folder)")
        torch.manual_seed(seed)
        self.tae = TAE(tae) if tae is not None else _begun_from(Path(str(init_from)))
        self.losses = losses
        self.linear_fit_batches = linear_fit_batches
        self.judge_by(PatchDiscriminator(losses.gan_channels) if losses.gan else None)
        self.lpips = LPIPS.from_file(str(losses.lpips_weights)) if losses.lpips else None
        self.tae.train()

    def setup(self, stage: str) -> None:
        """Fits the linear path to the first batches, the same on all ranks; a resumed stage takes it from its checkpoint."""
        path = self.tae.linear_path
        if stage != "fit" or path is None or path.is_fitted or self.trainer.ckpt_path:
            return
        batches = itertools.islice(self.trainer.datamodule.train_dataloader(), self.linear_fit_batches)  # type: ignore[attr-defined]
        moments = BlockMoments(path, (_pixels(batch) for batch in batches))
        for name in ("count", "total", "products"):
            setattr(moments, name, self.trainer.strategy.reduce(getattr(moments, name), reduce_op="sum"))
        kept = fit_linear_path(path, moments)
        if self.trainer.is_global_zero:
            say(f"linear path: {path.encode.out_features} numbers a block keep {kept:.1%} of the variance")

    def generator_networks(self) -> nn.ModuleDict:
        """The TAE."""
        return nn.ModuleDict({"tae": self.tae})

    def export(self, folder: Path) -> None:
        """Writes the TAE's folder."""
        save_model(self.tae, folder)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor | None:
        """The weighted sum of the losses on a batch of pixels."""
        pixels = _pixels(batch)
        posterior = self.tae.encode(pixels)
        z = posterior.sample(self.generator(batch))
        reconstruction = self.tae.decode(z, pixels.shape[2])
        terms = self.loss_terms(
            pixels, posterior, z, reconstruction, lambda gradient: self.mean_over_ranks(gradient * batch.weight)
        )
        loss = torch.stack([weight * value for weight, value in terms.values()]).sum()
        values = {name: value.detach() for name, (_, value) in terms.items()}
        values["reconstruction"] = self._reconstruction(
            terms
        ).detach()  # goes on where the sum jumps, as another term begins
        self.log_batch({"loss": loss.detach(), **values}, batch)
        loss = loss * batch.weight
        if self.discriminator is None:
            return loss
        self.step(loss, "discriminator" in terms)
        return None

    def loss_terms(
        self,
        pixels: Tensor,
        posterior: LatentDistribution,
        z: Tensor,
        reconstruction: Tensor,
        over_ranks: OverRanks = alone,
    ) -> dict[str, tuple[float, Tensor]]:
        """Name -> (weight, value) of each loss that is on at this step."""
        weights = self.losses
        terms = {
            "l1": (weights.l1, (reconstruction - pixels).abs().mean()),
            "kl": (weights.kl, posterior.kl().mean() / pixels[0, 0].numel()),
        }
        if weights.l2:
            terms["l2"] = (weights.l2, (reconstruction - pixels).square().mean())
        if weights.opl and self.global_step >= weights.opl_start_step:
            terms["opl"] = (weights.opl, outlier_penalty(z, weights.opl_r, weights.opl_mode))
        if self.lpips is not None:
            terms["lpips"] = (weights.lpips, self.lpips(reconstruction, pixels))
        if self.discriminator is not None and self.global_step >= weights.gan_start_step:
            contest = -frozen_forward(self.discriminator, reconstruction).mean()
            if weights.gan_adaptive:
                contest = contest * adaptive_weight(
                    self._reconstruction(terms), contest, self.tae.decoder.conv_out.spatial.weight, over_ranks
                )
            terms["gan"] = (weights.gan, contest)
            fake, real = self.discriminator(reconstruction.detach()), self.discriminator(pixels)
            terms["discriminator"] = (1.0, discriminator_loss(real, fake))
        return terms

    def _reconstruction(self, terms: dict[str, tuple[float, Tensor]]) -> Tensor:
        """What the contest is balanced with: the weighted differences to the pixels."""
        return torch.stack(
            [weight * value for name, (weight, value) in terms.items() if name in ("l1", "l2", "lpips")]
        ).sum()

    def samples(self, batch: Batch, num_inference_steps: int) -> list[Media]:
        """Clips, and right of each what it becomes there and back."""
        pixels = _pixels(batch)
        again = self.tae.decode(self.tae.encode(pixels, tiled=True).mean, pixels.shape[2], tiled=True)
        rows = zip(batch.keys, pixels, again, batch.fps, strict=True)
        return [clip_media(f"{i:02d}", key, pair, fps) for i, (key, *pair, fps) in enumerate(rows)]

    def sample_work(self, batch: Batch) -> tuple[int, float]:
        """Of the TAE, there and back; tokens as a transformer of patches of 2 would have."""
        from training.plan.work import BACKWARD, autoencoder_flops

        config, shape = self.tae.config, tuple(_pixels(batch).shape[1:])
        side = 2 * config.spatial_factor
        tokens = self.tae.num_latent_frames(shape[1]) * (shape[2] // side) * (shape[3] // side)
        return tokens, BACKWARD * autoencoder_flops("tae", config, shape)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """L1 of the reconstruction from the posterior's mean; PSNR, SSIM, flicker and outliers of the latents as `moviegen eval run tae`
        has them."""
        pixels = _pixels(batch)
        z = self.tae.encode(pixels).mean
        reconstruction = self.tae.decode(z, pixels.shape[2])
        measured = reconstruction_metrics(reconstruction, pixels) | latent_metrics(z)
        self.log_validation({"loss": (reconstruction - pixels).abs().mean(), **measured}, batch)


def _begun_from(folder: Path) -> TAE:
    if (folder / IMAGE_WEIGHTS_FILE).is_file():
        return inflate_image_autoencoder(folder)
    return load_model(TAE, folder)


def _pixels(batch: Batch) -> Tensor:
    if batch.pixels is None:
        raise UsageError("a TAE is trained on pixels: data.class_path must be training.data.ShardDataModule")
    return batch.pixels
