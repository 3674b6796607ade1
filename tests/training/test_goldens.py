"""The first losses of each kind of stage, to the last digit of the machine that wrote them and to 1e-3 on any other.

A change of these numbers is a change of what is trained: say so and show the curve. Written anew by
`MOVIEGEN_WRITE_GOLDENS=1 pytest tests/training/test_goldens.py`.
"""

import json
import os

import pytest

from training.callbacks.metrics import METRICS_FILE, read_metrics
from training.fit import fit

TOLERANCE = 1e-3
"""Relative: other CPUs sum in another order and another libx264 may encode the toy clips a little differently."""


@pytest.fixture(scope="module")
def losses(trained_tae, dit_stage, encoded, tmp_path_factory):
    """Training losses by kind."""
    folder = tmp_path_factory.mktemp("golden") / "video_dit"
    places = ["--data.latents", str(encoded / "latents"), "--model.tae", str(encoded / "model")]
    assert fit(["--config", str(dit_stage), *places, "--output", str(folder)]) == 0
    return {kind: values_of(path) for kind, path in {"tae": trained_tae, "video_dit": folder}.items()}


def values_of(folder):
    wanted = ("train/loss", "val/loss")
    return {name: [v for _, n, v in read_metrics(folder / METRICS_FILE) if n == name] for name in wanted}


def test_losses_are_the_golden_ones(losses, repo_root):
    path = repo_root / "tests/goldens/losses.json"
    if os.environ.get("MOVIEGEN_WRITE_GOLDENS"):
        path.write_text(json.dumps(losses, indent=1, sort_keys=True) + "\n")
    golden = json.loads(path.read_text())
    assert sorted(golden) == sorted(losses)
    for kind, series in golden.items():
        for name, values in series.items():
            assert losses[kind][name] == pytest.approx(values, rel=TOLERANCE), f"{kind} {name}"
