"""MFU and data wait: from the plan's formulas, a row a bucket, apart from what must be the same byte by byte."""

import csv
import time
from pathlib import Path

import pytest
import torch

from moviegen.models.catalog import KINDS
from moviegen.models.text import TextContext
from training.callbacks.readings import THROUGHPUT_FILE, Reading, by_bucket, read_throughput, table
from training.callbacks.throughput import measured_peak
from training.data.batch import Batch
from training.data.loader import BatchLoader
from training.fit import fit
from training.plan.gpus import GPUS, peak_of
from training.plan.work import work


def run(stage: Path, folder: Path, **flags) -> list[Reading]:
    """Readings of a stage that is run with those flags; `__` stands for a dot."""
    words = [word for name, value in flags.items() for word in (f"--{name.replace('__', '.')}", str(value))]
    assert fit(["--config", str(stage), "--output", str(folder), *words]) == 0
    return read_throughput(folder / THROUGHPUT_FILE)


def test_a_row_a_bucket_into_the_file_and_every_logger(dit_stage, encoded, tmp_path, capsys):
    logger = {"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": {"save_dir": str(tmp_path / "csv")}}
    import json

    readings = run(
        dit_stage, tmp_path / "run", data__latents=encoded / "latents", model__tae=encoded / "model",
        trainer__log_every_n_steps=2, trainer__max_steps=12, throughput__peak_tflops=0.05, trainer__logger=json.dumps(logger),
    )  # fmt: skip
    assert {reading.bucket for reading in readings} >= {"1x1-f16", "1x1-f1"}
    for reading in readings:
        assert reading.mfu == pytest.approx(reading.tflops / 0.05)
        assert reading.step_s > 0
        assert 0 <= reading.data_wait < 1
    said = capsys.readouterr().err
    assert "as throughput.peak_tflops says" in said
    assert "data wait" in said
    (logged,) = (tmp_path / "csv").rglob("metrics.csv")
    columns = next(csv.reader(logged.open()))
    assert {"perf/mfu/1x1-f16", "perf/data_wait/1x1-f16", "perf/step_s/1x1-f1", "train/loss"} <= set(columns)
    assert "perf" not in (tmp_path / "run" / "metrics.csv").read_text()


def test_tensorboard_has_them_by_default_and_an_interrupted_file_goes_on(tae_stage, toy_lake, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    first = run(tae_stage, tmp_path / "run", data__lake=toy_lake, trainer__log_every_n_steps=2)
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert any(tag.startswith("perf/mfu/") for tag in events.Tags()["scalars"])
    assert "val/loss" in events.Tags()["scalars"]
    second = run(tae_stage, tmp_path / "run", data__lake=toy_lake, trainer__log_every_n_steps=2, trainer__max_steps=10)
    assert second[: len(first)] == first
    assert second[-1].step == 10


def test_flops_of_a_step_are_those_that_are_counted():
    """Of a network with a short text: the formula against the flop counter on the very shapes."""
    from torch.utils.flop_counter import FlopCounterMode

    config = KINDS["video_dit"].config(
        dim=64, num_layers=3, num_heads=4, ffn_dim=128, context_widths=(32,), max_frames=4, max_height=8, max_width=8
    )
    with torch.device("meta"):
        network = KINDS["video_dit"].network(config)
        text = TextContext(torch.empty(1, 24, 32), torch.empty(1, 24, dtype=torch.bool))
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(torch.empty(1, 16, 4, 16, 16), torch.empty(1), [text])
    assert work("video_dit", config).forward_flops(4 * 64, 24) == pytest.approx(counter.get_total_flops(), rel=0.01)


def test_waiting_for_a_batch_is_measured_without_the_step():
    class Slow(torch.utils.data.Dataset):
        def __getitem__(self, index: int) -> Batch:
            time.sleep(0.05)
            return Batch(index, "1x1-f1", ["a"], [""], [0.0])

    loader = iter(BatchLoader(Slow(), 0))
    for _ in range(2):
        assert 0.05 <= next(loader).wait_s < 0.2
        time.sleep(0.3)


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA H200", 989e12),
        ("NVIDIA A100-SXM4-80GB", GPUS["a100"].flops),
        ("NVIDIA B200", 2250e12),
        ("NVIDIA GeForce GT 710", None),
    ],
)
def test_gpus_are_known_by_what_torch_calls_them(name, peak):
    assert peak_of(name) == peak


def test_a_processor_s_peak_is_measured():
    assert 1e8 < measured_peak(torch.device("cpu")) < 1e14


def test_buckets_are_summed_up_by_their_steps():
    rows = [Reading(10, "a", 2, 1.0, 0.1, 0.5, 100.0, 1.0, 0.1), Reading(20, "a", 6, 2.0, 0.1, 0.1, 50.0, 2.0, 0.2)]
    (mean,) = by_bucket(rows)
    assert (mean.step, mean.steps, mean.step_s) == (20, 8, 1.75)
    assert mean.wait_s == pytest.approx(0.2)
    assert mean.mfu == pytest.approx((2 * 0.1 + 12 * 0.2) / 14)
    assert len(table([mean])) == 2
    assert table([]) == []
