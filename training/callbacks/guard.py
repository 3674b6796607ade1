"""Steps whose gradient is not finite are skipped, counted, told with their samples, and after a few end the run."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor
from torch.optim import Optimizer

from moviegen.contracts.lake import atomic_write
from moviegen.errors import MovieGenError
from training.cli import say
from training.contents import shards_of
from training.data.batch import Batch
from training.modules.stage import StageModule
from training.parallel.norm import gradients_of, local, total_norm

RECORDS_FOLDER = "nonfinite"
MAX_RECORDS = 100
"""Of a stage and rank: enough to see what they have in common."""

MAX_NAMED = 20
"""Tensors named in a record, samples in a message."""


class NonFiniteGuard(Callback):
    """Skips a step whose gradient holds NaN or infinity, leaves a record of it, and stops after `patience` such steps in a row or
    `limit` in all, naming the samples."""

    def __init__(self, patience: int = 10, limit: int | None = None) -> None:
        """Guard.

        Args:
            patience: Bad steps in a row that end the run; 1 ends it at the first.
            limit: Bad steps in the whole stage that end the run.
        """
        if patience < 1 or (limit is not None and limit < 1):
            raise ValueError(f"guard: patience {patience} and limit {limit} are at least 1")
        self.patience, self.limit = patience, limit
        self.num_skipped = 0
        self._in_a_row = 0
        self._batches: list[dict[str, Any]] = []
        self._batch: Batch | None = None

    def on_train_batch_start(self, trainer: Trainer, pl_module: StageModule, batch: Batch, batch_idx: int) -> None:
        """Remembers which samples go into this step."""
        if batch_idx % trainer.accumulate_grad_batches == 0:
            self._batches = []
        self._batch = batch
        self._batches.append({"batch": batch.index, "bucket": batch.bucket, "keys": list(batch.keys), "loss": None})

    def on_before_backward(self, trainer: Trainer, pl_module: StageModule, loss: Tensor) -> None:
        """Remembers the loss of each of them."""
        self._batches[-1]["loss"] = loss.detach()

    @torch.no_grad()
    def on_before_optimizer_step(self, trainer: Trainer, pl_module: StageModule, optimizer: Optimizer) -> None:
        """Measures the gradient before it is clipped; takes it away when it is not finite."""
        norm = total_norm(gradients_of(p for group in optimizer.param_groups for p in group["params"]))
        pl_module.batch_metrics["train/grad_norm"] = norm
        pl_module.log("train/grad_norm", norm)
        if torch.isfinite(norm):
            self._in_a_row = 0
            return
        self.num_skipped += 1
        self._in_a_row += 1
        record = self._record(trainer, pl_module, optimizer, float(norm))
        optimizer.zero_grad(set_to_none=True)
        path = self._write(trainer, record)
        self._tell(trainer, record, path)

    def _record(self, trainer: Trainer, pl_module: StageModule, optimizer: Optimizer, norm: float) -> dict[str, Any]:
        """All that is needed to see this step again: which batch it was of, and which of its parts are not finite."""
        batches = []
        for each in self._batches:
            shards = shards_of(trainer.datamodule, each["keys"])  # type: ignore[attr-defined]
            samples = [{"key": key, "shard": shard} for key, shard in zip(each["keys"], shards, strict=True)]
            loss = None if each["loss"] is None else repr(float(each["loss"]))
            batches.append({"batch": each["batch"], "bucket": each["bucket"], "loss": loss, "samples": samples})
        if self._batch is not None:  # the tensors of the others of this step are gone
            for number, sample in enumerate(batches[-1]["samples"]):
                sample["data"] = data_ranges(self._batch, number)
        return {
            "step": trainer.global_step, "rank": trainer.global_rank, "world_size": trainer.world_size, "seed": pl_module.seed,
            "gradient_norm": repr(norm), "lr": optimizer.param_groups[0]["lr"], "in_a_row": self._in_a_row, "batches": batches,
            "not_finite": not_finite(pl_module),
        }  # fmt: skip

    def _write(self, trainer: Trainer, record: dict[str, Any]) -> Path | None:
        folder = Path(trainer.default_root_dir) / RECORDS_FOLDER
        rank = f"rank-{trainer.global_rank}.json"
        path = folder / f"step-{record['step']:08d}.{rank}"
        if not path.exists() and len(list(folder.glob(f"*.{rank}"))) >= MAX_RECORDS:
            return None
        with atomic_write(path, "record") as temporary:
            temporary.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
        return path

    def _tell(self, trainer: Trainer, record: dict[str, Any], path: Path | None) -> None:
        """Says it, and raises when it was once too often."""
        samples = [sample for batch in record["batches"] for sample in batch["samples"]]
        odd = [sample for sample in samples if not all(part["is_finite"] for part in sample.get("data", {}).values())]
        named = ", ".join(f"{sample['key']} ({sample['shard']})" for sample in (odd or samples)[:8])
        what = "its data are not finite in" if odd else "its samples"
        where = f"; record: {path}" if path else ""
        if self._in_a_row >= self.patience or (self.limit is not None and self.num_skipped >= self.limit):
            often = (
                f"in {self._in_a_row} steps in a row"
                if self._in_a_row >= self.patience
                else f"{self.num_skipped} times"
            )
            raise MovieGenError(
                f"step {trainer.global_step}: the gradient was not finite {often}; {what}: {named}{where}. "
                "Lower --model.optimizer.lr, or look at these clips"
            )
        if trainer.is_global_zero:
            say(
                f"step {trainer.global_step}: the gradient is not finite, so the step is skipped; {what}: {named}{where}"
            )

    def state_dict(self) -> dict[str, int]:
        """Counters."""
        return {"num_skipped": self.num_skipped, "in_a_row": self._in_a_row}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """The inverse of `state_dict`."""
        self.num_skipped, self._in_a_row = state_dict["num_skipped"], state_dict["in_a_row"]


def data_ranges(batch: Batch, number: int) -> dict[str, dict[str, Any]]:
    """Least, greatest and whether all is finite, of each tensor of one sample of a batch."""
    ranges = {}
    for field in fields(batch):
        tensor = getattr(batch, field.name)
        if isinstance(tensor, Tensor) and tensor.dim() and len(tensor) == len(batch) and tensor.is_floating_point():
            least, greatest = (float(value) for value in torch.aminmax(tensor[number]))
            is_finite = bool(torch.isfinite(tensor[number]).all())
            ranges[field.name] = {"least": repr(least), "greatest": repr(greatest), "is_finite": is_finite}
    return ranges


def not_finite(pl_module: StageModule) -> list[str]:
    """The first tensors whose gradient is not finite, with how many of this rank's numbers are not."""
    bad = []
    for name, parameter in pl_module.named_parameters():
        gradient = None if parameter.grad is None else local(parameter.grad)
        if gradient is not None and (count := int((~torch.isfinite(gradient)).sum())):
            bad.append(f"{name}: {count} of {gradient.numel()}")
    return bad[:MAX_NAMED]
