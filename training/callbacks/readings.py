"""`throughput.csv`: how fast some steps of a bucket were, a row each; read, put together by bucket, as lines for people."""

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

THROUGHPUT_FILE = "throughput.csv"


@dataclass(frozen=True)
class Reading:
    """Some steps of one bucket, the mean over the ranks."""

    step: int
    """The last of them."""
    bucket: str
    steps: int
    """Batches; the first of a bucket after a start, which compiles and allocates, is left out."""
    step_s: float
    """Seconds of forward and backward of one batch: no optimiser, validation or checkpoint."""
    optimizer_s: float
    """Seconds of clipping and the optimiser a batch."""
    wait_s: float
    """Seconds a batch that training waited for the loader."""
    tokens_per_s: float
    """Of all ranks, while they compute."""
    tflops: float
    """Model FLOPs a second of one rank while it computes, in 1e12."""
    mfu: float
    """Share of the peak that is."""
    samples_per_s: float = math.nan
    """Of all ranks, the optimiser and waiting included; NaN in files of before there was this column."""

    @property
    def data_wait(self) -> float:
        """Share of the time of a step, optimiser included, that waits for data."""
        return self.wait_s / max(1e-12, self.wait_s + self.step_s + self.optimizer_s)


def read_throughput(path: Path) -> list[Reading]:
    """The rows of a `throughput.csv`; what a crash has cut is left out."""
    if not path.exists():
        return []
    with open(path, newline="") as file:
        rows = list(csv.reader(line for line in file if line.endswith("\n")))
    whole = [row for row in rows[1:] if len(row) == len(rows[0])]
    return [Reading(int(row[0]), row[1], int(row[2]), *map(float, row[3:])) for row in whole if row[-1]]


def by_bucket(readings: Iterable[Reading]) -> list[Reading]:
    """One reading a bucket, over all its steps; the bucket that took longest first."""
    found: dict[str, list[Reading]] = {}
    for reading in readings:
        found.setdefault(reading.bucket, []).append(reading)
    return sorted((_mean(rows) for rows in found.values()), key=lambda row: -row.steps * row.step_s)


def _mean(rows: Sequence[Reading]) -> Reading:
    steps, seconds = sum(row.steps for row in rows), sum(row.steps * row.step_s for row in rows)

    def mean(name: str) -> float:  # of what is counted a batch
        return sum(row.steps * getattr(row, name) for row in rows) / steps

    def rate(name: str) -> float:  # of what is counted a second
        return sum(row.steps * row.step_s * getattr(row, name) for row in rows) / max(1e-12, seconds)

    whole = [row.steps * (row.step_s + row.optimizer_s + row.wait_s) for row in rows]
    known = [
        (spent, row.samples_per_s) for spent, row in zip(whole, rows, strict=True) if row.samples_per_s >= 0
    ]  # no NaN
    spent_s = sum(spent for spent, _ in known)
    samples = sum(spent * value for spent, value in known) / max(1e-12, spent_s) if known else math.nan
    return Reading(
        rows[-1].step, rows[-1].bucket, steps, seconds / steps, mean("optimizer_s"), mean("wait_s"), rate("tokens_per_s"),
        rate("tflops"), rate("mfu"), samples,
    )  # fmt: skip


def table(readings: Sequence[Reading]) -> list[str]:
    """Lines for people: a bucket each. No line without readings."""
    if not readings:
        return []
    lines = [
        f"{'bucket':<24}{'steps':>7}{'s/step':>10}{'optimiser':>11}{'data wait':>11}{'tokens/s':>12}{'TFLOP/s':>10}{'MFU':>8}"
    ]
    lines += [
        f"{row.bucket:<24}{row.steps:>7}{row.step_s:>10.3g}{row.optimizer_s:>11.3g}{row.data_wait:>11.1%}{row.tokens_per_s:>12,.0f}"
        f"{row.tflops:>10.3g}{row.mfu:>8.1%}"
        for row in readings
    ]
    return lines
