"""What a finished stage computed, read from its folder, and what became of the trials."""

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from training.callbacks.guard import NonFiniteGuard
from training.callbacks.metrics import METRICS_FILE, read_metrics
from training.checkpoint import LATEST_FILE, checkpoints, load_state, parse_checkpoint_name

SAMPLES_FILE = "samples.txt"
KEPT = ("state_dict", "optimizer_states", "lr_schedulers", "callbacks", "global_step")
"""Of a checkpoint, all that a step depends on, beside the loader's state."""


def log_samples(output: Path) -> None:
    """From now on the samples of every batch that this process trains on are written down."""
    original = NonFiniteGuard.on_train_batch_start

    @functools.wraps(original)
    def logged(self: Any, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        original(self, trainer, pl_module, batch, batch_idx)
        with open(output / SAMPLES_FILE, "a") as file:
            file.write(f"{batch.index}\t{batch.bucket}\t{' '.join(batch.keys)}\n")

    NonFiniteGuard.on_train_batch_start = logged  # type: ignore[method-assign]


@dataclass(frozen=True)
class Result:
    """All that a finished stage computed."""

    metrics: str
    samples: dict[str, str]
    """Number of the batch -> what was in it; several when a batch that was done again was another."""
    record: str
    """stage.json: with the SHA-256 of the model."""
    state: str
    """Digest of the last checkpoint."""


def result_of(output: Path) -> Result:
    """What a stage's folder holds."""
    samples: dict[str, set[str]] = {}
    for line in (output / SAMPLES_FILE).read_text().splitlines():
        index, _, content = line.partition("\t")
        samples.setdefault(index, set()).add(content)
    joined = {index: " | ".join(sorted(contents)) for index, contents in samples.items()}
    state = state_digest(checkpoints(output / "checkpoints")[-1])
    return Result((output / METRICS_FILE).read_text(), joined, (output / "stage.json").read_text(), state)


def state_digest(path: Path) -> str:
    """SHA-256 of weights, optimiser, lr schedule, loader and the callbacks' states (EMA, counters) of a checkpoint."""
    state, total = load_state(path), hashlib.sha256()
    loaders = state["loops"]["fit_loop"]["state_dict"]["combined_loader"]
    for place, leaf in torch.utils._pytree.tree_leaves_with_path([{name: state[name] for name in KEPT}, loaders]):
        total.update(repr(place).encode() + _bytes(leaf))
    return total.hexdigest()


def _bytes(leaf: Any) -> bytes:
    if not isinstance(leaf, torch.Tensor):
        return repr(leaf).encode()
    return leaf.reshape(-1).contiguous().view(torch.uint8).numpy().tobytes()


def last_step(output: Path) -> int:
    """The last step that was written down."""
    return max((step for step, _, _ in read_metrics(output / METRICS_FILE)), default=0)


def latest_step(output: Path) -> int:
    """The step of the checkpoint that `latest` names, or 0."""
    path = output / "checkpoints" / LATEST_FILE
    return (parse_checkpoint_name(path.read_text().strip()) if path.exists() else 0) or 0


COLUMNS = ("trials", "losses", "sample ids", "weights", "states", "unreadable", "exit codes")
HEADER = f"{'kind':<12}{'fault':<14}" + "".join(f"{word:>11}" for word in COLUMNS) + f"{'steps on':>10}{'redone':>10}"


@dataclass
class Tally:
    """What became of the trials with one kind of fault."""

    kind: str
    fault: str
    trials: int = 0
    losses: int = 0
    samples: int = 0
    weights: int = 0
    states: int = 0
    unreadable: int = 0
    """Checkpoints, or a `latest` that names none that is whole."""
    other: int = 0
    """Commands that ended with another code than they should, or that lost more steps than there are between two checkpoints."""
    after: list[int] = field(default_factory=list)
    """Steps that followed the fault."""
    lost: list[int] = field(default_factory=list)
    """Steps that had to be done again."""
    said: list[str] = field(default_factory=list)
    """What there is to say of those that differ."""

    def compare(self, output: Path, wanted: Result) -> None:
        """Counts what differs from the reference."""
        result = result_of(output)
        self.losses += result.metrics != wanted.metrics
        self.samples += result.samples != wanted.samples
        self.weights += result.record != wanted.record
        self.states += result.state != wanted.state
        lines = zip(result.metrics.splitlines(), wanted.metrics.splitlines(), strict=False)
        self.said += [f"{output.name}: {got}, and not {want}" for got, want in lines if got != want][:1]

    @property
    def counts(self) -> tuple[int, ...]:
        """Trials, and what differed."""
        return self.trials, self.losses, self.samples, self.weights, self.states, self.unreadable, self.other

    @property
    def line(self) -> str:
        """Its row of the table."""
        ends = f"{min(self.after, default=0):>10}{max(self.lost, default=0):>10}"
        return f"{self.kind:<12}{self.fault:<14}" + "".join(f"{count:>11}" for count in self.counts) + ends

    @property
    def is_good(self) -> bool:
        """Whether nothing differed."""
        return not any(self.counts[1:])


def total(kind: str, fault: str, tallies: Sequence[Tally]) -> Tally:
    """Several of one kind in one row."""
    sums = [sum(counts) for counts in zip(*(tally.counts for tally in tallies), strict=True)]
    after, lost, said = (
        [entry for tally in tallies for entry in getattr(tally, name)] for name in ("after", "lost", "said")
    )
    return Tally(kind, fault, *sums, after, lost, said)
