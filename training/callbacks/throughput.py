"""How fast each bucket trains: seconds a step, tokens and model FLOPs a second, MFU, and the share of the time that waits for data.

FLOPs are those of `moviegen train plan` (`training/plan/work.py`), so that what was predicted compares with what is reached. Times go
into `throughput.csv` and the loggers, never into `metrics.csv`, which is the same byte by byte however a run was interrupted.
"""

import csv
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, astuple, fields
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor

from moviegen.contracts.lake import atomic_write
from training.callbacks.readings import THROUGHPUT_FILE, Reading, read_throughput
from training.cli import say
from training.data.batch import Batch
from training.modules.stage import StageModule
from training.plan.gpus import peak_of

PROBE = 1024
"""Side of the matrices whose product tells a processor's peak."""


class Throughput(Callback):
    """Measures every step, writes a row a bucket every `log_every_n_steps`; stands first: others' time is not a step's."""

    def __init__(self, peak_tflops: float | None = None) -> None:
        """Throughput.

        Args:
            peak_tflops: What MFU is a share of, in 1e12 FLOP/s of one device; the data sheet's dense bf16 of the GPU when not given, on a
                CPU or an unknown GPU what a product of matrices reaches.
        """
        if peak_tflops is not None and peak_tflops <= 0:
            raise ValueError(f"throughput.peak_tflops is {peak_tflops}, wanted more than 0")
        self.peak_tflops = peak_tflops
        self.text = ""
        """The last reading in short, for the progress line."""
        self._peak = 0.0
        self._seen: set[str] = set()
        self._times: dict[str, list[tuple[Any, Any, Any, float, float, float, float]]] = {}

    def on_train_start(self, trainer: Trainer, pl_module: StageModule) -> None:
        """Keeps the rows up to the step that training goes on from."""
        self._path = Path(trainer.default_root_dir) / THROUGHPUT_FILE
        self._seen.clear()
        self._times.clear()
        if trainer.is_global_zero:
            kept = [row for row in read_throughput(self._path) if row.step <= trainer.global_step]
            with atomic_write(self._path) as temporary, open(temporary, "w", newline="") as file:
                csv.writer(file).writerows([[f.name for f in fields(Reading)], *map(astuple, kept)])

    def on_train_batch_start(self, trainer: Trainer, pl_module: StageModule, batch: Batch, batch_idx: int) -> None:
        """Starts the clock."""
        self._start, self._computed = _mark(pl_module.device), None

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: StageModule, optimizer: Any) -> None:
        """Notes when forward and backward were done."""
        self._computed = _mark(pl_module.device)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: StageModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Stops the clock; writes what was measured when it is time."""
        end = _mark(pl_module.device)
        if batch.bucket in self._seen:
            tokens, flops = pl_module.sample_work(batch)
            mine = len(batch) / _ranks_a_batch(trainer)
            times = (self._start, self._computed or end, end, batch.wait_s, tokens * mine, flops * mine, mine)
            self._times.setdefault(batch.bucket, []).append(times)
        self._seen.add(batch.bucket)
        has_stepped = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if has_stepped and trainer.global_step % max(1, trainer.log_every_n_steps) == 0:
            self._report(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: StageModule) -> None:
        """Writes what is left."""
        self._report(trainer, pl_module)

    def _report(self, trainer: Trainer, pl_module: StageModule) -> None:
        """One row a bucket; on all ranks at the same step, since they share buckets."""
        if not self._times:
            return
        peak = self._peak = self._peak or self._find_peak(trainer, pl_module.device)
        sums = {bucket: _sums(times) for bucket, times in sorted(self._times.items())}
        means = _over_ranks(trainer, pl_module, torch.tensor([*sums.values()], dtype=torch.float64))
        readings = [
            _reading(trainer, bucket, len(self._times[bucket]), row, peak)
            for bucket, row in zip(sums, means, strict=True)
        ]
        self._times.clear()
        if not trainer.is_global_zero:
            return
        with open(self._path, "a", newline="") as file:
            csv.writer(file).writerows(map(astuple, readings))
        values = {name: value for reading in readings for name, value in _named(reading).items()}
        for logger in trainer.loggers:
            logger.log_metrics(values, step=trainer.global_step)
        seconds = sum(row.steps * row.step_s for row in readings)
        mfu = sum(row.steps * row.step_s * row.mfu for row in readings) / max(1e-12, seconds)
        waited = sum(row.steps * row.wait_s for row in readings)
        whole = sum(row.steps * (row.wait_s + row.step_s + row.optimizer_s) for row in readings)
        self.text = f"MFU {mfu:.1%}, data wait {waited / max(1e-12, whole):.0%}"

    def _find_peak(self, trainer: Trainer, device: torch.device) -> float:
        """FLOP/s that MFU is a share of; says once where the number is from."""
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else "this processor"
        if self.peak_tflops is not None:
            peak, source = self.peak_tflops * 1e12, "as throughput.peak_tflops says"
        elif device.type == "cuda" and (known := peak_of(name)) is not None:
            peak, source = known, f"dense bf16 of {name}'s data sheet"
        else:
            peak, source = measured_peak(device), f"measured by a product of matrices on {name}"
        if trainer.is_global_zero:
            say(f"throughput: MFU is a share of {peak / 1e12:.3g} TFLOP/s, {source} (--throughput.peak_tflops)")
        return peak


def measured_peak(device: torch.device) -> float:
    """FLOP/s of the best of five products of square matrices: fp32 on a CPU, bf16 elsewhere."""
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    side = PROBE if device.type == "cpu" else 8 * PROBE
    a = torch.ones(side, side, device=device, dtype=dtype)
    best = math.inf
    for _ in range(5):
        start = _mark(device)
        a @ a
        best = min(best, _seconds(start, _mark(device)))
    return 2 * side**3 / best


def _mark(device: torch.device) -> Any:
    """A moment: on a GPU, that of the work queued so far, without waiting for it."""
    if device.type != "cuda":
        return time.perf_counter()
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event


def _seconds(start: Any, end: Any) -> float:
    if isinstance(end, float):
        return end - start
    end.synchronize()
    return start.elapsed_time(end) / 1000


def _sums(times: Sequence[tuple[Any, Any, Any, float, float, float, float]]) -> list[float]:
    """Seconds of computing, of the optimiser, of waiting; tokens, FLOPs, samples; of one rank, of all its batches."""
    rows = [(_seconds(a, b), _seconds(b, c), *rest) for a, b, c, *rest in times]
    return [sum(column) for column in zip(*rows, strict=True)]


def _over_ranks(trainer: Trainer, pl_module: StageModule, values: Tensor) -> list[list[float]]:
    if trainer.world_size == 1:
        return values.tolist()
    return trainer.strategy.reduce(values.float().to(pl_module.device), reduce_op="mean").tolist()  # type: ignore[union-attr]


def _ranks_a_batch(trainer: Trainer) -> int:
    """Ranks that share the same samples: those of context and tensor parallelism."""
    groups = (getattr(trainer.strategy, "distributed_sampler_kwargs", None) or {}).get(
        "num_replicas", trainer.world_size
    )
    return max(1, trainer.world_size // groups)


def _reading(trainer: Trainer, bucket: str, steps: int, sums: Sequence[float], peak: float) -> Reading:
    compute_s, optimizer_s, wait_s, tokens, flops, samples = sums
    rate = flops / max(1e-12, compute_s)
    return Reading(
        trainer.global_step, bucket, steps, compute_s / steps, optimizer_s / steps, wait_s / steps,
        tokens * trainer.world_size / max(1e-12, compute_s), rate / 1e12, rate / peak,
        samples * trainer.world_size / max(1e-12, compute_s + optimizer_s + wait_s),
    )  # fmt: skip


def _named(reading: Reading) -> dict[str, float]:
    """Metric -> value, as loggers take them: `perf/mfu/16x9-f128`."""
    kept = ("step_s", "optimizer_s", "tokens_per_s", "samples_per_s", "tflops", "mfu")
    values = {name: value for name, value in asdict(reading).items() if name in kept} | {"data_wait": reading.data_wait}
    return {f"perf/{name}/{reading.bucket}": value for name, value in values.items()}
