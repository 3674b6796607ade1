"""How far training is: a bar on a terminal, one line every few seconds elsewhere. On stderr."""

import sys
import time
from functools import partial
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from training.callbacks.throughput import Throughput
from training.callbacks.time_bound import bound_text, time_left

WARM_STEPS = 10
"""Steps that say nothing of the pace: networks are compiled in the first."""

SETTLED_S = 60.0
"""Seconds after those, from which on the pace tells when a stage will end."""


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
        self._is_pace_told, self._warm = False, (0.0, -1)
        if trainer.is_global_zero and sys.stderr.isatty():
            self._bar, self._task = _bar(trainer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Says where training is."""
        if not trainer.is_global_zero:
            return
        seconds = time.monotonic() - self._start
        if not self._is_pace_told:
            self._tell_bound(trainer, pl_module, seconds)
        if self._bar is not None:
            self._bar.update(self._task, completed=trainer.global_step, loss=_loss(trainer), speed=_speed(trainer))
        elif self._start + seconds >= self._next_line:
            self._next_line = self._start + seconds + self.every_s
            print(self.line(trainer, seconds), file=sys.stderr, flush=True)

    def _tell_bound(self, trainer: Trainer, pl_module: LightningModule, seconds: float) -> None:
        step = trainer.global_step
        if self._warm[1] < 0:
            if step >= self._first_step + WARM_STEPS:
                self._warm = (seconds, step)
            return
        if seconds - self._warm[0] < SETTLED_S or step == self._warm[1]:
            return
        self._is_pace_told = True
        pace = (seconds - self._warm[0]) / (step - self._warm[1])
        text = bound_text(
            step, trainer.max_steps, pace, time_left(trainer),
            does_decay=pl_module.optimizer_config.schedule in ("cosine", "linear"),  # type: ignore[union-attr, operator]
        )  # fmt: skip
        if text is not None:
            (self._bar.console.print if self._bar is not None else partial(print, file=sys.stderr, flush=True))(text)

    def line(self, trainer: Trainer, seconds: float) -> str:
        """`step 120/1000, loss 0.812, 0.21 s/step, MFU 41%, data wait 2%, 3 min left`: until max_steps or max_time."""
        steps = max(1, trainer.global_step - self._first_step)
        text = f"step {trainer.global_step}{_total(trainer)}, loss {_loss(trainer)}, {seconds / steps:.2f} s/step"
        if speed := _speed(trainer):
            text += f", {speed}"
        left = [] if trainer.max_steps < 1 else [(trainer.max_steps - trainer.global_step) * seconds / steps]
        if (until := time_left(trainer)) is not None:
            left.append(until)
        if left:
            text += f", {min(left) / 60:.0f} min left"
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
