"""What every stage's module shares: its optimiser, its seeds, and the model folder it leaves behind."""

from pathlib import Path
from typing import Any, ClassVar

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from moviegen.contracts.clip import hash_id
from moviegen.draws import RowGenerator
from training.cli import say
from training.data.batch import Batch
from training.media import Media
from training.optim import OptimizerConfig, Plateau, make_optimizer, make_schedule
from training.parallel.norm import clip_norm

VALIDATION_SEED = 20241004
"""Seed of validation noise: the same in every run, so that curves of two runs compare."""


class StageModule(LightningModule):
    """A module whose randomness in batch number i depends on (seed, i) and a sample's row in it alone: a resumed run draws what the
    uninterrupted one would have drawn, on any number of ranks."""

    kind: ClassVar[str]
    """What is trained: one of moviegen.contracts.stage.KINDS."""

    places: ClassVar[tuple[str, ...]] = ("init_from",)
    """Arguments that name model folders."""

    def __init__(self, optimizer: OptimizerConfig, seed: int) -> None:
        super().__init__()
        self.optimizer_config = optimizer
        self.plateau = Plateau(optimizer)
        self.seed = seed
        self.batch_metrics: dict[str, Any] = {}
        """Training metrics of this step by name; callbacks write them to files."""
        self.sampled_at: dict[str, int] = {}
        """Validation metric -> step at which it was last measured, of those not measured at every validation: Lightning goes on
        showing the last value."""

    def trained(self) -> nn.ModuleDict:
        """The networks that are trained, by name: what the optimiser and the EMA hold."""
        raise NotImplementedError

    def export(self, folder: Path) -> None:
        """Writes the model folder that `from_pretrained` reads."""
        raise NotImplementedError

    def check_data(self, data: Any) -> None:
        """Raises UsageError when the network cannot take what the data holds; asked before the first step, and by a dry run."""

    def sharded(self) -> list[nn.Module]:
        """Transformers among `trained` that a mesh of ranks shares, block by block; the rest is whole on every rank."""
        return []

    def slower(self) -> dict[str, float]:
        """Learning rates of those of `trained` that have one of their own."""
        return {}

    def configure_optimizers(self) -> Any:
        """AdamW and its schedule, stepped once an optimiser step."""
        networks, rates = self.trained(), self.slower()
        optimizer = make_optimizer(
            [network for name, network in networks.items() if name not in rates],
            self.optimizer_config,
            [(networks[name], rate) for name, rate in rates.items()],
        )
        return {"optimizer": optimizer, "lr_scheduler": self.schedule(optimizer)}

    def schedule(self, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """An optimiser's lr schedule, as Lightning wants it."""
        schedule = make_schedule(optimizer, self.optimizer_config, self.trainer.max_steps, lambda: self.plateau.scale)
        return {"scheduler": schedule, "interval": "step"}

    def on_validation_epoch_end(self) -> None:
        """Lowers the learning rate at a plateau of the validation loss, from the next step on."""
        metrics = self.trainer.callback_metrics
        is_asked = self.optimizer_config.schedule == "plateau" and self.trainer.state.fn == "fit"
        if not is_asked or "val/loss" not in metrics or not self.plateau.observe(float(metrics["val/loss"])):
            return
        for row in self.trainer.lr_scheduler_configs:
            rates = zip(row.scheduler.base_lrs, row.scheduler.lr_lambdas, strict=True)
            for group, (base, factor) in zip(row.scheduler.optimizer.param_groups, rates, strict=True):
                group["lr"] = base * factor(row.scheduler.last_epoch)
        if self.trainer.is_global_zero:
            say(f"step {self.trainer.global_step}: the validation loss no longer falls, lr x {self.plateau.scale:g}")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps how far the learning rate has been lowered."""
        checkpoint["plateau"] = self.plateau.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The inverse of `on_save_checkpoint`."""
        if "plateau" in checkpoint:
            self.plateau.load_state_dict(checkpoint["plateau"])

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seeds torch's own generators too: dropout draws from them."""
        torch.manual_seed(self._seed_of(batch.index, batch.rows.first))

    def generator(self, batch: Batch) -> torch.Generator:
        """A generator on the device for this rank's rows of a batch (`moviegen.draws`)."""
        return RowGenerator.of(batch.rows, self._seed_of(batch.index), self.device)

    def _seed_of(self, index: int, rank: int = 0) -> int:
        return int(hash_id(self.seed, index, rank)[:15], 16)

    def mean_over_ranks(self, value: Tensor) -> Tensor:
        """The mean over all ranks; itself on one."""
        return self.trainer.strategy.reduce(value.clone(), reduce_op="mean") if self.trainer.world_size > 1 else value

    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: Any = None, gradient_clip_algorithm: Any = None
    ) -> None:
        """Clips by the norm of the whole gradient, wherever its parts lie."""
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        is_divided = any(isinstance(p, DTensor) for p in parameters)
        if is_divided and gradient_clip_val and (gradient_clip_algorithm or "norm") == "norm":
            clip_norm(parameters, float(gradient_clip_val))
        else:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def sample_work(self, batch: Batch) -> tuple[int, float]:
        """(tokens, model FLOPs of a training step) of one sample of the batch that was just trained on, as `train plan` counts them:
        those of the network that trains, not of encoders and judges beside it."""
        raise NotImplementedError

    def samples(self, batch: Batch, num_inference_steps: int) -> list[Media]:
        """What it makes of held-out samples now, to be looked at; nothing when it has nothing to show."""
        return []

    def log_batch(self, values: dict[str, Any], batch: Batch, weight: float | Tensor | None = None) -> None:
        """Logs training metrics of the global batch: means over the ranks, each with its weight (`Batch.weight` when not given)."""
        if self.trainer.world_size > 1:
            ours = torch.stack([torch.as_tensor(value, device=self.device).float() for value in values.values()])
            values = dict(
                zip(values, self.mean_over_ranks(ours * (batch.weight if weight is None else weight)), strict=True)
            )
        self.batch_metrics = {f"train/{name}": value for name, value in values.items()}
        self.log_dict(self.batch_metrics, batch_size=len(batch))

    def log_validation(self, values: dict[str, Any], batch: Batch) -> None:
        """Logs validation metrics: means over all held-out samples, each counted once, whether the ranks share its batch or all have it."""
        self.log_dict(
            {f"val/{name}": value for name, value in values.items()},
            batch_size=len(batch) * batch.rows.every, on_epoch=True, on_step=False, sync_dist=True, add_dataloader_idx=False,
        )  # fmt: skip
