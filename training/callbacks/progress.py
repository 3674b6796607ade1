"""How far training is: a bar on a terminal, one line every few seconds elsewhere. On stderr."""

import sys
import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from training.callbacks.throughput import Throughput


class Progress(Callback):
    """Steps, loss, seconds a step, MFU, time left."""

    def __init__(self, every_s: float = 10.0) -> None:
        """Progress.

        Args:
            every_s: Seconds between two lines where stderr is no terminal.
        """
        self.every_s = every_s
        self._bar: Any = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock."""
        self._start, self._first_step = time.monotonic(), trainer.global_step
        self._next_line = self._start + self.every_s
        if trainer.is_global_zero and sys.stderr.isatty():
            self._bar, self._task = _bar(trainer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Says where training is."""
        if not trainer.is_global_zero:
            return
        if self._bar is not None:
            self._bar.update(self._task, completed=trainer.global_step, loss=_loss(trainer), speed=_speed(trainer))
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + self.every_s
            print(self.line(trainer, time.monotonic() - self._start), file=sys.stderr, flush=True)

    def line(self, trainer: Trainer, seconds: float) -> str:
        """`step 120/1000, loss 0.812, 0.21 s/step, MFU 41%, data wait 2%, 3 min left`."""
        steps = max(1, trainer.global_step - self._first_step)
        text = f"step {trainer.global_step}{_total(trainer)}, loss {_loss(trainer)}, {seconds / steps:.2f} s/step"
        if speed := _speed(trainer):
            text += f", {speed}"
        if trainer.max_steps > 0:
            text += f", {(trainer.max_steps - trainer.global_step) * seconds / steps / 60:.0f} min left"
        return text

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Closes the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _bar(trainer: Trainer) -> tuple[Any, Any]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("step"),
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("loss {task.fields[loss]}"),
        TextColumn("{task.fields[speed]}"),
    )
    bar = RichProgress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True))
    bar.start()
    total = trainer.max_steps if trainer.max_steps > 0 else None
    return bar, bar.add_task("step", total=total, completed=trainer.global_step, loss="-", speed="")


def _speed(trainer: Trainer) -> str:
    return next((each.text for each in trainer.callbacks if isinstance(each, Throughput)), "")  # type: ignore[attr-defined]


def _total(trainer: Trainer) -> str:
    return f"/{trainer.max_steps}" if trainer.max_steps > 0 else ""


def _loss(trainer: Trainer) -> str:
    value = trainer.callback_metrics.get("train/loss")
    return f"{float(value):.4g}" if value is not None else "-"
