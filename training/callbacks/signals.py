"""SIGTERM, SIGUSR1, SIGHUP and Ctrl-C: finish the step, save, stop, and let the command end with 143, 143, 129 or 130.

Lightning 2.6 saves on SIGTERM only when told to and then exits 0, which a scheduler takes for success; SLURM gives notice of the
end of a job by SIGUSR1 where it is asked to.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from moviegen.stopping import SAME_S
from training.callbacks.checkpoints import is_validation_due

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)


class Stopped(BaseException):
    """A signal came while no step was running that could be finished."""


class StopOnSignal(Callback):
    """Remembers a signal and stops after the step, or after the validation that is running. A second signal, a second later, ends the
    process at once, without saving; so does, in its own way, a first one before the first step or after the last: then there is
    nothing to save.

    Must come before `Checkpoints` in the list of callbacks, which saves at the step where this one says stop.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._received_s = 0.0
        self._is_training = False
        self._has_stepped = True

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Inside, signals come here. Raises Stopped where one finds no step to finish."""
        former = {number: signal.getsignal(number) for number in SIGNALS}
        former = {number: handler for number, handler in former.items() if handler is not signal.SIG_IGN}  # nohup
        self._take(former)
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    def _take(self, numbers: Any) -> None:
        self._taken = list(numbers)
        for number in self._taken:
            signal.signal(number, self._notice)

    def _notice(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            if time.monotonic() - self._received_s > SAME_S:  # whatever is half-written is garbage by its name
                os._exit(self.exit_code)
            return
        self.received, self._received_s = number, time.monotonic()
        if not self._is_training:
            raise Stopped

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes the signals over from Lightning too; from here on there is a step to finish."""
        self._is_training = True
        self._take(self._taken)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stops all ranks when one was told to, once the optimiser has stepped."""
        self._has_stepped = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if self._is_told(trainer) and self._has_stepped:
            trainer.should_stop = True
            if not is_validation_due(trainer, batch):
                trainer.limit_val_batches = 0  # Lightning validates wherever training stops; here it only stops for now

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stops when the signal came while validation ran, unless gradients are still being gathered for a step."""
        if trainer.state.fn == "fit" and self._is_told(trainer) and self._has_stepped:
            trainer.should_stop = True

    def _is_told(self, trainer: Trainer) -> bool:
        told = bool(trainer.strategy.reduce_boolean_decision(self.received is not None, all=False))
        if told:
            self.received = self.received or int(signal.SIGTERM)
        return told

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """There is no step to finish any more."""
        self._is_training = False

    @property
    def exit_code(self) -> int:
        """128 + the signal, or 0; SIGUSR1 asks for what SIGTERM asks for."""
        number = signal.SIGTERM if self.received == signal.SIGUSR1 else self.received
        return 128 + number if number else 0
