"""`metrics.csv` (step, metric, value: one number a row) and the loss curve drawn from it.

Lightning's CSVLogger deletes the file of the run it resumes; here rows after the step that is resumed from are dropped and
the rest stays, so an interrupted run's file ends up equal to an uninterrupted one's.
"""

import csv
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from moviegen.contracts.lake import atomic_write
from training.modules.stage import StageModule

METRICS_FILE = "metrics.csv"
CURVE_FILE = "loss.png"
HEADER = ("step", "metric", "value")


def read_metrics(path: Path) -> list[tuple[int, str, float]]:
    """(step, metric, value) of each row; a last row cut by a crash is left out."""
    if not path.exists():
        return []
    with open(path, newline="") as file:
        rows = list(csv.reader(file))
    return [(int(row[0]), row[1], float(row[2])) for row in rows[1:] if len(row) == 3 and row[2]]


class MetricsFile(Callback):
    """Writes every logged metric, each value with all its digits."""

    def __init__(self, every_steps: int = 1) -> None:
        """Metrics file.

        Args:
            every_steps: Steps between two rows of a training metric; validation is always written.
        """
        self.every_steps = every_steps
        self._rows: list[tuple[int, str, float]] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keeps what was written up to the step that training goes on from."""
        self._path = Path(trainer.default_root_dir) / METRICS_FILE
        if trainer.is_global_zero:
            self._rewrite(row for row in read_metrics(self._path) if row[0] <= trainer.global_step)

    def _rewrite(self, rows: Iterable[tuple[int, str, float]]) -> None:
        kept = list(rows)
        with atomic_write(self._path, "metrics") as temporary, open(temporary, "w", newline="") as file:
            csv.writer(file).writerows([HEADER, *kept])

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: StageModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """One row a training metric."""
        if trainer.global_step % self.every_steps == 0 and (batch_idx + 1) % trainer.accumulate_grad_batches == 0:
            self._write(trainer, pl_module.batch_metrics)

    def on_validation_end(self, trainer: Trainer, pl_module: StageModule) -> None:
        """One row a validation metric that was measured now."""
        if trainer.state.fn == "fit":
            metrics = trainer.callback_metrics
            step = trainer.global_step
            fresh = {
                n: v for n, v in metrics.items() if n.startswith("val/") and pl_module.sampled_at.get(n, step) == step
            }
            self._write(trainer, fresh)

    def _write(self, trainer: Trainer, values: Mapping[str, Any]) -> None:
        if not trainer.is_global_zero:
            return
        rows = [(trainer.global_step, name, repr(float(value))) for name, value in sorted(values.items())]
        with open(self._path, "a", newline="") as file:
            csv.writer(file).writerows(rows)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Syncs the rows up to this step: after a power cut they are there whenever the checkpoint is."""
        if trainer.is_global_zero and self._path.exists():
            with open(self._path, "rb") as file:
                os.fsync(file.fileno())

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draws the curve."""
        if trainer.is_global_zero:
            draw_curve(read_metrics(self._path), Path(trainer.default_root_dir) / CURVE_FILE)


def draw_curve(rows: list[tuple[int, str, float]], path: Path) -> None:
    """A PNG of the training loss (each step and its running mean) and the validation loss; where the loss is a sum whose terms begin one
    after another, of what of it is reconstruction too, and lines where terms begin."""
    from matplotlib.figure import Figure

    series: dict[str, list[tuple[int, float]]] = {}
    for step, name, value in rows:
        series.setdefault(name, []).append((step, value))
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    if train := series.get("train/loss"):
        steps, values = zip(*train, strict=True)
        axes.plot(steps, values, color="0.8", linewidth=0.8, label="train")
        axes.plot(steps, running_mean(values), color="tab:blue", label="train, running mean")
    if rebuilt := series.get("train/reconstruction"):
        steps, values = zip(*rebuilt, strict=True)
        axes.plot(steps, running_mean(values), color="tab:green", label="of it reconstruction, running mean")
    if held_out := series.get("val/loss"):
        axes.plot(*zip(*held_out, strict=True), "o-", color="tab:orange", markersize=3, label="held out")
    axes.set(xlabel="step", ylabel="loss", yscale="log")
    for step, names in beginnings(series).items():
        axes.axvline(step, color="0.5", linestyle="--", linewidth=0.8)
        axes.annotate(
            f"{', '.join(names)} from step {step}", (step, 1.0), xycoords=("data", "axes fraction"), xytext=(0, 3),
            textcoords="offset points", ha="center", va="bottom", fontsize=8, color="0.35",
        )  # fmt: skip
    axes.legend()
    with atomic_write(path, "curve") as temporary:
        figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})


def beginnings(series: Mapping[str, Sequence[tuple[int, float]]]) -> dict[int, list[str]]:
    """Step -> terms of the loss that begin there: measured at every step from then on, and at none before."""
    steps = [step for step, _ in series.get("train/loss", ())]
    found: dict[int, list[str]] = {}
    for name, points in sorted(series.items()):
        first = points[0][0]
        if (
            name.startswith("train/")
            and steps
            and first > steps[0]
            and len(points) == sum(step >= first for step in steps)
        ):
            found.setdefault(first, []).append(name.removeprefix("train/"))
    return found


def running_mean(values: Iterable[float], keep: float = 0.95) -> list[float]:
    """Exponential running mean of the finite values, without the bias of its beginning; NaN before the first."""
    mean, weight, means = 0.0, 0.0, []
    for value in values:
        if math.isfinite(value):
            mean = keep * mean + (1 - keep) * value
            weight = keep * weight + (1 - keep)
        means.append(mean / weight if weight else math.nan)
    return means
