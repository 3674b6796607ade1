"""What a stage's command tells people: how a stage ended, and why a checkpoint cannot be gone on from."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from moviegen.errors import UsageError
from training.callbacks.metrics import CURVE_FILE, METRICS_FILE, read_metrics
from training.callbacks.readings import THROUGHPUT_FILE, by_bucket, read_throughput, table
from training.callbacks.samples import ORACLE_FILE
from training.checkpoint import newest_checkpoint, parse_checkpoint_name
from training.stage import CHECKPOINTS_FOLDER


@contextlib.contextmanager
def taken_from(checkpoint: Path | str | None) -> Iterator[None]:
    """Turns torch's error about a checkpoint of another network, gone on from with --allow_changed, into a UsageError."""
    try:
        yield
    except RuntimeError as error:
        if "Error(s) in loading state_dict" not in str(error):
            raise
        reasons = "\n  ".join(line.strip() for line in str(error).splitlines()[1:6])
        raise UsageError(
            f"{checkpoint}: is of another network:\n  {reasons}\nchoose another --output; weights of another stage are begun from "
            "with --model.init_from"
        ) from error


def going_on(folder: Path, checkpoint: Path | str) -> str:
    """What a person reads when a stage is taken up again: at which step, from which checkpoint."""
    step = parse_checkpoint_name(Path(checkpoint).name)
    return f"{folder}: {'goes on' if step is None else f'goes on at step {step}'}, from {checkpoint}"


def stopped(folder: Path, step: int) -> str:
    """What a person reads when a signal has ended a stage: how far it is, and where that is saved."""
    path, _ = newest_checkpoint(folder / CHECKPOINTS_FOLDER, is_first=False)
    saved = f"saved as {path}" if path is not None else "nothing is saved yet"
    return f"{folder}: stopped after step {step}, {saved}; the same command goes on"


def closing(folder: Path, text: str) -> str:
    """What a person reads at the end of a stage: how far, how good, where everything lies, how fast each bucket was."""
    rows = read_metrics(folder / METRICS_FILE)
    last = {name: value for _, name, value in rows if name == "train/loss" or name.startswith("val/")}
    losses = ", ".join(f"{name} {value:.4g}" for name, value in sorted(last.items()))
    files = [folder / name for name in ("model", CURVE_FILE, ORACLE_FILE, METRICS_FILE) if (folder / name).exists()]
    lines = [f"{folder}: {text}{f'; {losses}' if losses else ''}", *(f"  {path}" for path in files)]
    return "\n".join([*lines, *(f"  {line}" for line in table(by_bucket(read_throughput(folder / THROUGHPUT_FILE))))])
