"""A stage by Lightning, killed once at every crash point and typed again: the bytes of a run that nothing happened to."""

import json
import signal
from pathlib import Path

import pytest
import yaml

from moviegen.testing.forks import Run, fork_runs
from training.callbacks.metrics import METRICS_FILE
from training.checkpoint import STATE_FILE, checkpoints
from training.stage import CRASH_POINTS

IMPORTS = ("training.fit", "torch.utils.tensorboard", "matplotlib.backends.backend_agg", "pyarrow.parquet", "av", "cv2",
           "training.modules.tae", "training.data.datamodule")  # fmt: skip
SPECIAL = {
    "damaged.renamed",
    "record.written",
    "record.synced",
    "record.renamed",
    "record.settled",
    "checkpoint.replaced",
}
"""Where an undisturbed stage does not come: damaged checkpoints, steps that are not finite, a checkpoint in another one's place. Those
are met by `test_stage.py`, as all others are, without a network."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory, tae_stage) -> Path:
    """YAML of the smallest stage that saves, drops a checkpoint and validates."""
    values = yaml.safe_load(tae_stage.read_text())
    values["model"]["init_args"]["tae"] |= {"channels": 4, "multipliers": [1, 1, 1, 1], "linear_path": False}
    values["data"]["init_args"] |= {
        "resolution": 16,
        "tokens_per_batch": 4,
        "validation": {"fraction": 0.2, "max_samples": 1},
    }
    values["trainer"] |= {"max_steps": 3, "val_check_interval": 2}
    values["checkpoints"] = {"every_steps": 1, "keep": 2}
    path = tmp_path_factory.mktemp("crash") / "stage.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def typed(stage, lake, folder, crash_point="") -> Run:
    argv = ("train", "fit", "--config", str(stage), "--data.lake", str(lake), "--output", str(folder))
    return Run(argv, crash_point=crash_point)


def left(folder: Path) -> dict[str, object]:
    """What a finished stage computed."""
    return {
        "metrics": (folder / METRICS_FILE).read_text(),
        "record": json.loads((folder / "stage.json").read_text()),  # it has the SHA-256 of the weights
        "checkpoints": [path.name for path in checkpoints(folder / "checkpoints")],
        "temporaries": sorted(path.name for path in folder.rglob(".*.tmp")),
    }


@pytest.mark.slow
def test_killed_at_every_crash_point_a_stage_ends_the_same(stage, toy_lake, tmp_path):
    points = [point for point in CRASH_POINTS if point not in SPECIAL]
    assert len(points) >= 37
    whole, places = tmp_path / "whole", {point: tmp_path / point for point in points}
    runs = [typed(stage, toy_lake, whole)]
    for point, folder in places.items():
        runs += [typed(stage, toy_lake, folder, f"{point}#1"), typed(stage, toy_lake, folder)]
    first, *rest = fork_runs(runs, IMPORTS)
    assert first.code == 0, first.said
    wanted = left(whole)
    assert wanted["temporaries"] == []
    for point, killed, again in zip(points, rest[::2], rest[1::2], strict=True):
        assert killed.code == -signal.SIGKILL, f"{point}: {killed.said}"
        assert again.code == 0, f"{point}: {again.said}"
        assert left(places[point]) == wanted, point
    assert (checkpoints(whole / "checkpoints")[-1] / STATE_FILE).is_file()
