"""`moviegen train overfit`: one batch, again and again, to see that a stage can learn at all before it is run for days.

The batch, its noise, its t and what is dropped of it are the same in every step (they follow from the batch's number), so nothing is left
to chance: a network, a loss and an optimiser that are wired rightly learn it by heart. The warm-up is short, the schedule left out.
"""

import contextlib
import functools
import math
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, Trainer
from torch import Tensor

from moviegen.errors import CheckFailedError, UsageError
from training.callbacks import NonFiniteGuard, Progress
from training.callbacks.signals import StopOnSignal, Stopped
from training.cli import say
from training.data.batch import Batch
from training.dry_run import main_network
from training.fit import StageCLI, run_cli
from training.modules.stage import StageModule
from training.optim import OptimizerConfig
from training.plan.work import AUTOENCODERS
from training.terminal_curve import curve_lines

SMOOTH = 5
"""Last steps whose mean loss is judged."""

OWN_FLAGS = {"--steps": int, "--below": float, "--batch": int}
DEFAULTS: dict[str, Any] = {"--steps": 300, "--below": None, "--batch": 0}

BELOW, BELOW_OF_AUTOENCODERS, BELOW_OF_LINEAR = 0.1, 0.5, 0.9
"""Shares of the first loss that pass. A flow's loss begins at the velocity's own variance and can come down to nothing; an autoencoder's
begins lower and ends at what its latents have no room for; one with a linear path begins as the best linear code of the batch, and has
to do better than that (our decision)."""

WHY_LINEAR = (
    "why that is enough: this autoencoder began as the best linear code of this very batch, so all that is gone was learned by its "
    "convolutions; --below asks for more"
)
"""Said where BELOW_OF_LINEAR was the criterion."""

WARMUP_STEPS = 20
"""Adam's first steps are as large as its rate whatever the gradient, and would throw a good beginning away."""

KEPT = (StopOnSignal, NonFiniteGuard, Progress)
"""Callbacks that stay: nothing is averaged, saved, sampled or validated."""

HELP = """usage: moviegen train overfit STAGE.yaml [--steps N] [--below SHARE] [--batch NUMBER] [--setting value ...]

One batch of a stage again and again: its loss must fall below a share of what it was at the first step. Nothing is kept.

  --steps N        most steps [default: 300]; it ends as soon as it has passed
  --below SHARE    of the first step's loss, for the mean of the last 5 [default: 0.1; of an
                   autoencoder's reconstruction 0.5, 0.9 where it begins as a linear code]
  --batch NUMBER   which batch [default: 0]
  --setting value  any flag of `moviegen train fit`: --data.lake, --model.tae, --model.optimizer.lr, ...

Exit codes: 0 passed, 4 failed, with what to look at.

examples:
  moviegen train overfit configs/training/tae/01_64px.yaml --data.lake lake/ --data.tokens_per_batch 32
  moviegen train overfit configs/training/video_dit/01_t2i_64px.yaml --model.tae runs/02_encode_64px/model \\
      --data.latents runs/02_encode_64px/latents --model.optimizer.lr 3e-3"""


@dataclass(frozen=True)
class Verdict:
    """What became of the loss."""

    losses: tuple[float, ...]
    grad_norms: tuple[float, ...]
    below: float

    @property
    def share(self) -> float:
        """Mean of the last losses over the first."""
        last = self.losses[-SMOOTH:]
        return sum(last) / len(last) / self.losses[0] if self.losses and self.losses[0] else math.nan

    @property
    def is_passed(self) -> bool:
        """Whether enough of the loss is gone."""
        return len(self.losses) > SMOOTH and self.share <= self.below

    def advice(self) -> list[str]:
        """What to look at, most likely first, from how the loss and the gradient went."""
        losses, norms = self.losses, [norm for norm in self.grad_norms if math.isfinite(norm)]
        if not losses or not all(map(math.isfinite, (*losses, *self.grad_norms))):
            return ["a loss or gradient is not finite: lower --model.optimizer.lr, or --trainer.precision 32-true"]
        found = []
        if norms and max(norms) < 1e-7:
            found.append("the gradient is zero: nothing that trains reaches the loss (frozen, or behind a zero gate)")
        if self.share > 0.98:
            found.append(
                "the loss does not move: raise --model.optimizer.lr tenfold; see that model and data are of one make"
            )
        half = len(losses) // 2
        recent = losses[half:]
        if _rises(losses):
            found.append("the loss goes up and down: lower --model.optimizer.lr to a third")
        elif self.share <= 0.98 and recent[-1] < 0.97 * recent[0]:
            found.append(
                f"the loss still falls: give it more --steps than {len(losses)}, or raise --model.optimizer.lr"
            )
        elif self.share <= 0.98:
            found.append("the loss has levelled off: the network is too small for this batch, or the loss has a floor (the KL and a "
                         "bottleneck of an autoencoder): is --below within reach?")  # fmt: skip
        return [*found, "a smaller batch is learned sooner: lower --data.tokens_per_batch"]


def _rises(losses: Sequence[float]) -> bool:
    """Whether it went up by half of its best in the second half."""
    half = losses[len(losses) // 2 :]
    return max(half) > 1.5 * min(half) and losses[-1] > 1.2 * min(losses)


class RepeatedBatch:
    """A loader of one batch, without end."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch

    def __iter__(self) -> Iterator[Batch]:
        while True:
            yield self.batch


class Recorder(Callback):
    """Keeps the loss and the gradient's norm of every step, and stops once the criterion is met."""

    def __init__(self, below: float | None) -> None:
        self.below = below
        self.losses: list[float] = []
        self.grad_norms: list[float] = []

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: StageModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Reads what the step has logged."""
        metrics = pl_module.batch_metrics
        value: Tensor | float = metrics.get("train/reconstruction", metrics["train/loss"])
        self.losses.append(float(value))
        self.grad_norms.append(float(metrics.get("train/grad_norm", math.nan)))
        if self.verdict.is_passed:
            trainer.should_stop = True

    @property
    def verdict(self) -> Verdict:
        """Of the steps so far."""
        return Verdict(tuple(self.losses), tuple(self.grad_norms), self.below or BELOW)


class OverfitCLI(StageCLI):
    """The stage's CLI, whose training is one batch, and leaves nothing behind."""

    batch_number = 0
    recorder: Recorder

    def fit(self, model: Any, datamodule: Any = None, ckpt_path: Any = None, **kwargs: Any) -> None:
        """Trains on the one batch."""
        trainer = self.trainer
        trainer.callbacks = [each for each in trainer.callbacks if isinstance(each, KEPT)] + [self.recorder]  # type: ignore[attr-defined]
        loader_of = datamodule.train_dataloader
        if self.recorder.below is None and model.kind in AUTOENCODERS:
            begins_linear = getattr(main_network(model).config, "linear_path", False)
            self.recorder.below = BELOW_OF_LINEAR if begins_linear else BELOW_OF_AUTOENCODERS
        model.optimizer_config = plain(model.optimizer_config)

        @functools.cache  # a TAE asks twice: its linear path is fitted first
        def one_batch() -> RepeatedBatch:
            for number, batch in enumerate(loader_of()):
                if number == self.batch_number:
                    say(f"batch {number}: {len(batch)} samples of {batch.bucket}, the same in every step")
                    return RepeatedBatch(batch)
            raise AssertionError("a loader without end")

        datamodule.train_dataloader = one_batch
        trainer.fit(model, datamodule=datamodule)


def overfit(argv: Sequence[str]) -> int:
    """The verb: 0 when the loss fell as far as asked, 4 when not."""
    if not argv or {"-h", "--help"} & set(argv):
        print(HELP)
        return 0 if argv else 2
    own, rest = split_flags(argv)
    recorder = Recorder(own["--below"])
    folder = Path(tempfile.mkdtemp(prefix="moviegen-overfit-"))
    stop = StopOnSignal()
    try:
        with stop.taken(), contextlib.suppress(Stopped):
            run_cli(
                _made(recorder, own["--batch"]),
                "fit",
                [*rest, *settings(own["--steps"]), "--output", str(folder)],
                stop,
                name="overfit",
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    verdict = recorder.verdict
    print("\n".join(curve_lines(verdict.losses)))
    if stop.exit_code:
        say(f"stopped after {len(verdict.losses)} steps")
        return stop.exit_code
    said = (
        f"{len(verdict.losses)} steps: the loss went from {verdict.losses[0]:.4g} to {verdict.share:.1%} of that; "
        f"wanted at most {verdict.below:.1%}"
    )
    if not verdict.is_passed:
        raise CheckFailedError(
            "\n".join([f"overfit FAILED after {said}. Look at:", *(f"  - {line}" for line in verdict.advice())])
        )
    print(f"overfit PASSED after {said}")
    if verdict.below == BELOW_OF_LINEAR and own["--below"] is None:
        print(WHY_LINEAR)
    return 0


def _made(recorder: Recorder, batch: int) -> type[OverfitCLI]:
    return type("OverfitCLI", (OverfitCLI,), {"recorder": recorder, "batch_number": batch})


def plain(optimizer: OptimizerConfig) -> OptimizerConfig:
    """The optimiser with a short warm-up, without schedule and decay."""
    warmup = min(WARMUP_STEPS, optimizer.warmup_steps)
    return replace(optimizer, schedule="constant", warmup_steps=warmup, decay_steps=None, weight_decay=0.0)


def settings(steps: int) -> list[str]:
    """What is other than in the stage: nothing held back, nothing written."""
    return [
        "--trainer.max_steps", str(steps), "--trainer.max_time", "null", "--trainer.limit_val_batches", "0", "--trainer.logger", "false",
        "--trainer.accumulate_grad_batches", "1",
    ]  # fmt: skip


def split_flags(argv: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """(own flags, those of `fit`); a bare first word is the stage's YAML. Raises UsageError on a value that is none."""
    own, rest, words = dict(DEFAULTS), [], list(argv)
    if not words[0].startswith("-"):
        rest += ["--config", words.pop(0)]
    while words:
        flag, equals, value = words.pop(0).partition("=")
        if flag not in OWN_FLAGS:
            rest.append(flag + equals + value)
            continue
        value = value if equals else (words.pop(0) if words else "")
        try:
            own[flag] = OWN_FLAGS[flag](value)
        except ValueError as error:
            raise UsageError(f"moviegen train overfit: {flag} {value!r}: wanted a number") from error
    below = own["--below"]
    if own["--steps"] <= SMOOTH or own["--batch"] < 0 or (below is not None and not 0 < below < 1):
        said = " ".join(f"{flag} {value}" for flag, value in own.items() if value is not None)
        raise UsageError(
            f"moviegen train overfit: {said}: wanted --steps over {SMOOTH}, --below between 0 and 1, --batch at least 0"
        )
    return own, rest
