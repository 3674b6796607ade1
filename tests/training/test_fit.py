"""One stage from command to model folder, interrupted in every way, against the run that was not."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from moviegen.contracts.stage import read_stage
from moviegen.errors import MovieGenError, UsageError
from moviegen.models.tae import TAE
from moviegen.pipelines.video import VideoPipeline
from training.callbacks.guard import RECORDS_FOLDER, NonFiniteGuard
from training.callbacks.metrics import CURVE_FILE, METRICS_FILE, read_metrics
from training.checkpoint import STATE_FILE, checkpoints, load_state, newest_checkpoint, parse_checkpoint_name
from training.config import weights_sha256
from training.fit import fit, look, validate
from training.modules.tae import TAEModule


def tae_flags(stage: Path, lake: Path, folder: Path, *more: str) -> list[str]:
    return ["--config", str(stage), "--data.lake", str(lake), "--output", str(folder), *more]


def dit_flags(stage: Path, encoded: Path, folder: Path, *more: str) -> list[str]:
    places = ["--data.latents", str(encoded / "latents"), "--model.tae", str(encoded / "model")]
    return ["--config", str(stage), *places, "--output", str(folder), *more]


@pytest.fixture
def signal_at(monkeypatch, signals_as_typed):
    """Sends a signal to this process while a step is running."""

    original = NonFiniteGuard.on_train_batch_start

    def arrange(step: int, number: int) -> None:
        def interrupted(self, trainer, pl_module, batch, batch_idx):
            original(self, trainer, pl_module, batch, batch_idx)
            if trainer.global_step == step:
                os.kill(os.getpid(), number)

        monkeypatch.setattr(NonFiniteGuard, "on_train_batch_start", interrupted)

    yield arrange
    monkeypatch.undo()


def test_a_finished_stage_is_a_model_a_record_and_a_curve(trained_tae):
    result = read_stage(trained_tae)
    assert (result.kind, result.step) == ("tae", 6)
    assert result.model_sha256 == weights_sha256(trained_tae / "model")
    assert TAE.from_pretrained(trained_tae / "model").config.latent_channels == 4
    assert (trained_tae / CURVE_FILE).stat().st_size > 1000
    rows = read_metrics(trained_tae / METRICS_FILE)
    assert [step for step, name, _ in rows if name == "train/loss"] == [1, 2, 3, 4, 5, 6]
    for metric in ("val/psnr", "val/ssim", "val/flicker_error", "val/latent_outliers"):
        assert [step for step, name, _ in rows if name == metric] == [3, 6]
    assert [path.name for path in checkpoints(trained_tae / "checkpoints")] == [
        "step-00000004.ckpt",
        "step-00000006.ckpt",
    ]


def test_a_finished_stage_is_not_run_again(trained_tae, tae_stage, toy_lake, monkeypatch):
    monkeypatch.setattr(TAE, "__init__", lambda *a, **k: pytest.fail("built a network for nothing"))
    before = (trained_tae / "stage.json").stat().st_mtime_ns
    assert fit(tae_flags(tae_stage, toy_lake, trained_tae)) == 0
    assert (trained_tae / "stage.json").stat().st_mtime_ns == before


def test_interrupted_and_resumed_equals_uninterrupted(trained_tae, tae_stage, toy_lake, tmp_path, signal_at):
    flags = tae_flags(tae_stage, toy_lake, tmp_path / "run")
    for step, number, exit_code in ((0, signal.SIGUSR1, 143), (2, signal.SIGTERM, 143), (4, signal.SIGINT, 130)):
        signal_at(step, number)
        assert fit(flags) == exit_code
        assert newest_checkpoint(tmp_path / "run/checkpoints")[0].name == f"step-{step + 1:08d}.ckpt"
        assert read_stage(tmp_path / "run") is None
    signal_at(-1, number)
    assert fit(flags) == 0
    assert (tmp_path / "run" / METRICS_FILE).read_text() == (trained_tae / METRICS_FILE).read_text()
    assert weights_sha256(tmp_path / "run/model") == weights_sha256(trained_tae / "model")


def test_two_dit_stages_and_resume(dit_stage, encoded, tmp_path, signal_at, capsys):
    flags = dit_flags(dit_stage, encoded, tmp_path / "whole")
    assert fit(flags) == 0
    pipeline = VideoPipeline.from_pretrained(tmp_path / "whole/model")
    assert (pipeline.defaults.num_frames, pipeline.defaults.width, pipeline.defaults.height) == (16, 32, 32)
    video = pipeline("a red circle moves left", num_inference_steps=2)
    assert video.frames.shape == (16, 32, 32, 3)

    flags = dit_flags(dit_stage, encoded, tmp_path / "parts")
    signal_at(3, signal.SIGTERM)
    assert fit(flags) == 143
    checkpoint = tmp_path / "parts/checkpoints/step-00000004.ckpt"
    assert f"stopped after step 4, saved as {checkpoint}; the same command goes on" in capsys.readouterr().err
    signal_at(-1, signal.SIGTERM)
    assert fit(flags) == 0
    assert f"goes on at step 4, from {checkpoint}" in capsys.readouterr().err
    for name in (METRICS_FILE, "stage.json"):
        assert (tmp_path / "parts" / name).read_text() == (tmp_path / "whole" / name).read_text()

    from_before = [
        "--model.init_from",
        str(tmp_path / "whole/model"),
        "--model.video_dit",
        "null",
        "--model.text",
        "null",
    ]
    assert fit(dit_flags(dit_stage, encoded, tmp_path / "next", *from_before)) == 0
    first, last = (dict_of(read_metrics(tmp_path / name / METRICS_FILE), "train/loss") for name in ("whole", "next"))
    assert last[1] < first[1]


def dict_of(rows, metric):
    return {step: value for step, name, value in rows if name == metric}


def test_a_gradient_accumulated_over_two_batches_resumes_too(tae_stage, toy_lake, tmp_path, signal_at):
    more = ("--trainer.accumulate_grad_batches", "2", "--trainer.max_steps", "3")
    assert fit(tae_flags(tae_stage, toy_lake, tmp_path / "whole", *more)) == 0
    signal_at(1, signal.SIGTERM)
    assert fit(tae_flags(tae_stage, toy_lake, tmp_path / "parts", *more)) == 143
    signal_at(-1, signal.SIGTERM)
    assert fit(tae_flags(tae_stage, toy_lake, tmp_path / "parts", *more)) == 0
    assert (tmp_path / "parts" / METRICS_FILE).read_text() == (tmp_path / "whole" / METRICS_FILE).read_text()


CONTEST = (
    "--model.losses.gan", "0.1", "--model.losses.gan_start_step", "2", "--model.losses.gan_channels", "8",
    "--trainer.gradient_clip_val", "null",
)  # fmt: skip
PLATEAUS = (
    "--model.optimizer.schedule", "plateau", "--model.optimizer.plateau_patience", "1", "--model.optimizer.lr", "0.3",
    "--trainer.val_check_interval", "1",
)  # fmt: skip


@pytest.mark.parametrize("more", [CONTEST, PLATEAUS], ids=["a judge", "plateaus"])
def test_what_a_stage_remembers_besides_resumes_too(more, tae_stage, toy_lake, tmp_path, signal_at):
    assert fit(tae_flags(tae_stage, toy_lake, tmp_path / "whole", *more)) == 0
    signal_at(3, signal.SIGTERM)
    assert fit(tae_flags(tae_stage, toy_lake, tmp_path / "parts", *more)) == 143
    signal_at(-1, signal.SIGTERM)
    assert fit(tae_flags(tae_stage, toy_lake, tmp_path / "parts", *more)) == 0
    assert (tmp_path / "parts" / METRICS_FILE).read_text() == (tmp_path / "whole" / METRICS_FILE).read_text()
    assert weights_sha256(tmp_path / "parts/model") == weights_sha256(tmp_path / "whole/model")
    state = load_state(newest_checkpoint(tmp_path / "whole/checkpoints")[0])
    rows = read_metrics(tmp_path / "whole" / METRICS_FILE)
    if more is CONTEST:
        judged = [step for step, name, _ in rows if name == "train/discriminator"]
        assert judged == [3, 4, 5, 6], "from its start step on"
        assert len(state["optimizer_states"]) == 2
        assert state["global_step"] == 6, "the judge's steps do not count"
    else:
        assert state["plateau"]["scale"] < 1
        assert state["optimizer_states"][0]["param_groups"][0]["lr"] == pytest.approx(0.3 * state["plateau"]["scale"])


def test_more_steps_go_on_from_the_last(trained_tae, tae_stage, toy_lake, tmp_path):
    folder = tmp_path / "run"
    assert fit(tae_flags(tae_stage, toy_lake, folder, "--trainer.max_steps", "4")) == 0
    assert look(tae_flags(tae_stage, toy_lake, folder)).text == "goes on at step 4"
    assert fit(tae_flags(tae_stage, toy_lake, folder)) == 0
    assert weights_sha256(folder / "model") == weights_sha256(trained_tae / "model")


def test_a_damaged_checkpoint_is_left_aside(trained_tae, tae_stage, toy_lake, tmp_path, capsys):
    folder = tmp_path / "run"
    assert fit(tae_flags(tae_stage, toy_lake, folder, "--trainer.max_steps", "5")) == 0
    newest = checkpoints(folder / "checkpoints")[-1] / STATE_FILE
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    assert fit(tae_flags(tae_stage, toy_lake, folder)) == 0
    assert "sha256 differs): left aside" in capsys.readouterr().err
    assert weights_sha256(folder / "model") == weights_sha256(trained_tae / "model")


def test_other_settings_are_refused_and_named(trained_tae, tae_stage, toy_lake):
    flags = tae_flags(tae_stage, toy_lake, trained_tae, "--model.optimizer.lr", "0.5")
    with pytest.raises(UsageError, match=r"model.optimizer.lr: 0.001 -> 0.5"):
        fit(flags)
    assert read_stage(trained_tae) is not None


def test_what_cannot_be_read_is_said(tae_stage, toy_lake, tmp_path):
    with pytest.raises(UsageError, match="nowhere: no such folder, so no lake"):
        fit(tae_flags(tae_stage, tmp_path / "nowhere", tmp_path / "run"))
    with pytest.raises(UsageError, match="no shards of subset 'tox', only of toy; name one"):
        fit(tae_flags(tae_stage, toy_lake, tmp_path / "run", "--data.subset", "tox"))
    with pytest.raises(UsageError, match=r"did you mean '(model\.)?losses.opl'"):
        fit(tae_flags(tae_stage, toy_lake, tmp_path / "run", "--model.losses.opq", "1"))
    with pytest.raises(UsageError, match=r"max_steps or --trainer.max_time"):
        fit(tae_flags(tae_stage, toy_lake, tmp_path / "run", "--trainer.max_steps", "-1"))


def test_a_gradient_that_stays_infinite_ends_the_run(tae_stage, toy_lake, tmp_path):
    flags = tae_flags(tae_stage, toy_lake, tmp_path / "run", "--model.losses.l1", "1e39", "--guard.patience", "3")
    with pytest.raises(
        MovieGenError, match=r"not finite in 3 steps in a row; its samples: [0-9a-f]{32} \(shards/.+\.tar\)"
    ):
        fit(flags)
    assert len(list((tmp_path / "run" / RECORDS_FOLDER).iterdir())) == 3


def test_a_sample_that_is_not_finite_costs_one_step_and_is_named(tae_stage, toy_lake, tmp_path, monkeypatch, capsys):
    original = NonFiniteGuard.on_train_batch_start

    def spoilt(self, trainer, pl_module, batch, batch_idx):
        if batch.index == 1:
            batch.pixels[-1, 0, 0, 0, 0] = float("nan")
            spoilt.key = batch.keys[-1]
        original(self, trainer, pl_module, batch, batch_idx)

    monkeypatch.setattr(NonFiniteGuard, "on_train_batch_start", spoilt)
    assert fit(tae_flags(tae_stage, toy_lake, tmp_path, "--trainer.max_steps", "3")) == 0
    (path,) = (tmp_path / RECORDS_FOLDER).iterdir()
    assert path.name == "step-00000001.rank-0.json"
    record = json.loads(path.read_text())
    (batch,) = record["batches"]
    assert (record["step"], batch["batch"], batch["loss"], record["gradient_norm"]) == (1, 1, "nan", "nan")
    assert [sample["key"] for sample in batch["samples"] if not sample["data"]["pixels"]["is_finite"]] == [spoilt.key]
    assert record["not_finite"][0].startswith("tae.")
    shard = next(sample["shard"] for sample in batch["samples"] if sample["key"] == spoilt.key)
    assert (toy_lake / shard).is_file()
    assert f"its data are not finite in: {spoilt.key} ({shard}); record: {path}" in capsys.readouterr().err
    weights = load_state(newest_checkpoint(tmp_path / "checkpoints")[0])["state_dict"]
    assert all(torch.isfinite(tensor).all() for tensor in weights.values())


def test_a_signal_while_validation_runs_waits_for_its_end(trained_tae, tae_stage, toy_lake, tmp_path, monkeypatch):
    original, flags = TAEModule.validation_step, tae_flags(tae_stage, toy_lake, tmp_path)

    def interrupted(self, batch, batch_idx):
        os.kill(os.getpid(), signal.SIGTERM) if batch_idx == 0 else None
        return original(self, batch, batch_idx)

    monkeypatch.setattr(TAEModule, "validation_step", interrupted)
    assert fit(flags) == 143
    assert newest_checkpoint(tmp_path / "checkpoints")[0].name == "step-00000003.ckpt"
    monkeypatch.undo()
    assert fit(flags) == 0
    assert (tmp_path / METRICS_FILE).read_text() == (trained_tae / METRICS_FILE).read_text()
    assert weights_sha256(tmp_path / "model") == weights_sha256(trained_tae / "model")


def test_permanent_checkpoints_stay(tae_stage, toy_lake, tmp_path):
    more = ("--checkpoints.every_steps", "1", "--checkpoints.keep", "1", "--checkpoints.permanent_every_steps", "2")
    assert fit(tae_flags(tae_stage, toy_lake, tmp_path, "--trainer.max_steps", "5", *more)) == 0
    assert [parse_checkpoint_name(path.name) for path in checkpoints(tmp_path / "checkpoints")] == [2, 4, 5]


def test_validate_prints_what_training_logged(trained_tae, tae_stage, toy_lake, capsys):
    assert validate(tae_flags(tae_stage, toy_lake, trained_tae)) == 0
    printed = dict(line.split("\t") for line in capsys.readouterr().out.splitlines())
    logged = dict_of(read_metrics(trained_tae / METRICS_FILE), "val/psnr")
    assert float(printed["val/psnr"]) == pytest.approx(logged[6], rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("every_steps", [2, 3])
@pytest.mark.parametrize("point", ["checkpoint.written", "checkpoint.synced", "checkpoint.renamed", "commit.written"])
def test_killed_while_saving_goes_on_from_the_last_whole_checkpoint(
    point, every_steps, trained_tae, tae_stage, toy_lake, tmp_path
):
    command = [
        sys.executable,
        "-c",
        "import torch, sys; torch.set_num_threads(1); from training.fit import fit; fit(sys.argv[1:])",
    ]
    flags = tae_flags(tae_stage, toy_lake, tmp_path / "run", "--checkpoints.every_steps", str(every_steps))
    number = 1 if point in ("commit.written", "checkpoint.renamed") else 2
    killed = subprocess.run(
        [*command, *flags], env={**os.environ, "FAULT_AT": f"{point}#{number}"}, timeout=300, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert newest_checkpoint(tmp_path / "run/checkpoints")[0] is not None
    assert fit(flags) == 0
    assert (tmp_path / "run" / METRICS_FILE).read_text() == (trained_tae / METRICS_FILE).read_text()
    assert weights_sha256(tmp_path / "run/model") == weights_sha256(trained_tae / "model")


def test_what_is_computed_again_changes_no_digit_and_no_stage(dit_stage, encoded, tmp_path, capsys):
    whole, again = tmp_path / "whole", tmp_path / "again"
    assert fit(dit_flags(dit_stage, encoded, whole)) == 0
    flags = ["--model.execution.checkpointing", '{"block": 1, "ffn": 2}']
    assert fit(dit_flags(dit_stage, encoded, again, *flags)) == 0
    assert (again / METRICS_FILE).read_bytes() == (whole / METRICS_FILE).read_bytes()
    assert weights_sha256(again / "model") == weights_sha256(whole / "model")
    capsys.readouterr()
    assert fit(dit_flags(dit_stage, encoded, again)) == 0, "the same stage: nothing to do"
    assert "done" in capsys.readouterr().err
    with pytest.raises(UsageError, match="checkpointing"):
        fit(dit_flags(dit_stage, encoded, tmp_path / "wrong", "--model.execution.checkpointing", '{"fn": 2}'))
