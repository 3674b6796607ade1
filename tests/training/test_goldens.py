"""The first losses of each kind of stage: to the last digit on a machine as the one that wrote them (processor, PyTorch, PyAV), and
within TOLERANCE on any other.

A change of these numbers is a change of what is trained, or of the order of a sum: say which, and for the first show the curve. Written
anew by `MOVIEGEN_WRITE_GOLDENS=1 pytest tests/training/test_goldens.py`. The digits do not depend on OMP_NUM_THREADS: conftest.py
sets one thread.
"""

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from training.callbacks.metrics import METRICS_FILE, read_metrics
from training.fit import fit

TOLERANCE = 1e-5
"""Relative: the kernels of another processor sum in another order. On the processor that wrote them, kernels with AVX-512, with AVX2 and
with neither differ by up to 2.4e-6; four times that."""


def machine() -> dict[str, str]:
    """What the last digits depend on."""
    return {
        "processor": processor(),
        "kernels": torch.backends.cpu.get_cpu_capability(),
        "torch": version("torch").partition("+")[0],
        "av": version("av"),
    }


def processor() -> str:
    """`AuthenticAMD 25 1`: maker, family and model, by which libraries choose kernels."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().split("\n\n")[0].splitlines() if path.exists() else []
    values = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    found = [values[name] for name in ("vendor_id", "cpu family", "model") if name in values]
    return " ".join(found) or platform.machine()


@pytest.fixture(scope="module")
def losses(tae_stage, dit_stage, toy_lake, encode_with, tmp_path_factory):
    """Training losses by kind; the autoencoder's linear path is fitted to as many batches as when nothing is said."""
    folder = tmp_path_factory.mktemp("golden")
    tae = ["--config", str(tae_stage), "--data.lake", str(toy_lake), "--model.linear_fit_batches", "64"]
    assert fit([*tae, "--output", str(folder / "tae")]) == 0
    encoded = encode_with(folder / "tae", folder / "encode")
    places = ["--data.latents", str(encoded / "latents"), "--model.tae", str(encoded / "model")]
    assert fit(["--config", str(dit_stage), *places, "--output", str(folder / "video_dit")]) == 0
    return {kind: values_of(folder / kind) for kind in ("tae", "video_dit")}


def values_of(folder):
    wanted = ("train/loss", "val/loss")
    return {name: [v for _, n, v in read_metrics(folder / METRICS_FILE) if n == name] for name in wanted}


def test_losses_are_the_golden_ones(losses, repo_root):
    path = repo_root / "tests/goldens/losses.json"
    if os.environ.get("MOVIEGEN_WRITE_GOLDENS"):
        path.write_text(json.dumps({"machine": machine(), "losses": losses}, indent=1, sort_keys=True) + "\n")
    golden = json.loads(path.read_text())
    tolerance = 0 if golden["machine"] == machine() else TOLERANCE
    assert sorted(golden["losses"]) == sorted(losses)
    for kind, series in golden["losses"].items():
        for name, values in series.items():
            assert losses[kind][name] == pytest.approx(values, rel=tolerance, abs=0), f"{kind} {name}"
