"""Stages of several processes: ranks that wait for each other's gradients, workers that outlive no signal."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from moviegen.contracts.stage import read_stage
from moviegen.testing.ranks import run_ranks
from training.callbacks.metrics import METRICS_FILE, read_metrics
from training.checkpoint import newest_checkpoint
from training.config import weights_sha256
from training.fit import fit

SIGNALLED = """
import os, signal, sys
import torch
torch.set_num_threads(1)
from training.callbacks.guard import NonFiniteGuard
from training.fit import fit
original = NonFiniteGuard.on_train_batch_start
def told(self, trainer, pl_module, batch, batch_idx):
    original(self, trainer, pl_module, batch, batch_idx)
    if trainer.global_step == 2:
        children = open(f"/proc/self/task/{os.getpid()}/children").read().split()
        print("children", *children, flush=True)
        for pid in (*map(int, children), os.getpid()):
            os.kill(pid, signal.SIGTERM)
NonFiniteGuard.on_train_batch_start = told
sys.exit(fit(sys.argv[1:]))
"""
"""A scheduler tells every process of a job."""


def ended(script: str, flags: list[str]) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", script, *flags]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500, check=False)


def fit_rank(rank: int, argv: list[str]) -> int:
    """Runs a stage on this rank as torchrun would have it."""
    os.environ.update(TORCHELASTIC_RUN_ID="test", LOCAL_WORLD_SIZE=os.environ["WORLD_SIZE"])
    return fit(argv)


def two_ranks(flags: list[str]) -> list[int]:
    """Exit codes of a stage on two ranks of Lightning's own strategy."""
    more = ["--trainer.strategy", "ddp", "--trainer.devices", "2", "--trainer.accelerator", "cpu"]
    return run_ranks(2, fit_rank, [*flags, *more])


def judged_steps(folder: Path) -> list[int]:
    assert read_stage(folder) is not None
    return [step for step, name, _ in read_metrics(folder / METRICS_FILE) if name == "train/discriminator"]


def test_a_judge_that_begins_later_needs_no_setting_on_two_ranks(tae_stage, toy_lake, tmp_path):
    flags = ["--config", str(tae_stage), "--data.lake", str(toy_lake), "--output", str(tmp_path / "run")]
    contest = ["--model.losses.gan", "0.1", "--model.losses.gan_start_step", "2", "--model.losses.gan_channels", "8"]
    assert two_ranks([*flags, *contest, "--trainer.gradient_clip_val", "null", "--trainer.max_steps", "4"]) == [0, 0]
    assert judged_steps(tmp_path / "run") == [3, 4]


@pytest.mark.slow
def test_a_codecs_judge_too(toy_lake, tmp_path, repo_root):
    from training.recipe import load_recipe

    stage = load_recipe(repo_root / "configs/recipes/audio_tiny.yaml").stages[0].fit
    path = tmp_path / "stage.json"
    path.write_text(json.dumps(stage))
    flags = ["--config", str(path), "--data.lake", str(toy_lake), "--output", str(tmp_path / "run")]
    more = ["--model.losses.gan_start_step", "1", "--trainer.max_steps", "3", "--trainer.val_check_interval", "2"]
    assert two_ranks([*flags, *more]) == [0, 0]
    assert judged_steps(tmp_path / "run") == [2, 3]


def test_sigterm_with_workers_ends_the_step_and_the_workers(trained_tae, tae_stage, toy_lake, tmp_path):
    folder = tmp_path / "run"
    flags = ["--config", str(tae_stage), "--data.lake", str(toy_lake), "--output", str(folder)]
    done = ended(SIGNALLED, [*flags, "--data.num_workers", "2"])
    assert done.returncode == 143, done.stderr
    assert newest_checkpoint(folder / "checkpoints")[0].name == "step-00000003.ckpt", (
        "the step that ran is finished and saved"
    )
    assert read_stage(folder) is None
    told = next(line for line in done.stdout.splitlines() if line.startswith("children"))
    workers = list(map(int, told.split()[1:]))
    assert len(workers) >= 2
    assert [pid for pid in workers if lives(pid)] == []
    assert fit(flags) == 0
    assert (folder / METRICS_FILE).read_text() == (trained_tae / METRICS_FILE).read_text()
    assert weights_sha256(folder / "model") == weights_sha256(trained_tae / "model")


def lives(pid: int, patience_s: float = 5.0) -> bool:
    """Whether a process still runs after a while."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return False
        if state == "Z":
            return False
        time.sleep(0.05)
    return True
