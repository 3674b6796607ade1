"""A dry run says what there will be, and is right about it."""

import re

import pytest

from training.checkpoint import checkpoints, load_state, num_bytes
from training.cli import train


def test_sizes_are_those_that_come_and_nothing_is_written(trained_tae, tae_stage, toy_lake, tmp_path, capsys):
    words = ["fit", "--config", str(tae_stage), "--data.lake", str(toy_lake)]
    assert train([*words, "--output", str(tmp_path / "run"), "--dry-run"]) == 0
    said = capsys.readouterr().err
    assert f"{tmp_path / 'run'}: to do" in said
    assert not (tmp_path / "run").exists()
    (predicted,) = re.findall(r"checkpoints of ([\d.]+) (.B) every 2 steps", said)
    size = float(predicted[0]) * {"MB": 1e6, "kB": 1e3}[predicted[1]]
    real = num_bytes(load_state(checkpoints(trained_tae / "checkpoints")[-1]))  # of tensors: the file has names besides
    assert size == pytest.approx(real, rel=0.04)
    assert train([*words, "--output", str(trained_tae), "--dry-run"]) == 0
    assert capsys.readouterr().err.splitlines() == [f"{trained_tae}: done, 6 steps"]


def test_adapters_are_a_small_part_of_what_is_trained(dit_stage, encoded, tmp_path, capsys):
    places = [
        "--data.latents",
        str(encoded / "latents"),
        "--model.tae",
        str(encoded / "model"),
        "--output",
        str(tmp_path / "run"),
    ]
    found = []
    for more in ([], ["--model.lora.rank", "2"]):
        assert train(["fit", "--config", str(dit_stage), *places, *more, "--dry-run"]) == 0
        trained, held = re.findall(r"trains ([\d,]+) of ([\d,]+) numbers", capsys.readouterr().err)[0]
        found.append((int(trained.replace(",", "")), int(held.replace(",", ""))))
    (whole, held), (adapters, with_adapters) = found
    assert with_adapters == held + adapters
    assert 0 < adapters < whole / 4
