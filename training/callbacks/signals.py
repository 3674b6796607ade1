"""SIGTERM and Ctrl-C: finish the step, save, stop, and let the command end with 143 or 130.

Lightning 2.6 saves on SIGTERM only when told to and then exits 0, which a scheduler takes for success.
"""

import signal
from types import FrameType
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from training.callbacks.checkpoints import is_validation_due

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopOnSignal(Callback):
    """Remembers a signal and stops after the step. A second Ctrl-C stops at once, without saving.

    Must come before `Checkpoints` in the list of callbacks, which saves at the step where this one says stop.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._former: dict[int, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes the signals over, from Lightning too."""
        self._former = {number: signal.signal(number, self._notice) for number in SIGNALS}

    def _notice(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.received is not None:
            raise KeyboardInterrupt
        self.received = number

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stops all ranks when one was told to, once the optimiser has stepped."""
        told = trainer.strategy.reduce_boolean_decision(self.received is not None, all=False)
        if told and (batch_idx + 1) % trainer.accumulate_grad_batches == 0:
            self.received = self.received or int(signal.SIGTERM)
            trainer.should_stop = True
            if not is_validation_due(trainer, batch):
                trainer.limit_val_batches = 0  # Lightning validates wherever training stops; here it only stops for now

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Gives the signals back."""
        for number, handler in self._former.items():
            signal.signal(number, handler)
        self._former = {}

    @property
    def exit_code(self) -> int:
        """128 + the signal, or 0."""
        return 128 + self.received if self.received else 0
