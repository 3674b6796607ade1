"""The mean of several models: weight by weight, and only of models of one make."""

import json

import pytest
import torch
from safetensors.torch import load_file

from moviegen.contracts.stage import read_stage
from moviegen.errors import UsageError
from moviegen.models.tae import TAE, TAEConfig
from moviegen.weights import save_model
from training.average import AverageConfig, average, run_average

SIZES = {"channels": 8, "multipliers": (1, 2), "num_res_blocks": 1, "latent_channels": 4, "norm_groups": 4,
         "spatial_downsample_levels": (0,), "temporal_downsample_levels": (0,)}  # fmt: skip


@pytest.fixture
def models(tmp_path):
    folders = {}
    for number, name in enumerate("ab"):
        torch.manual_seed(number)
        save_model(TAE(TAEConfig(**SIZES)), tmp_path / name)
        folders[name] = str(tmp_path / name)
    return folders


def flags(models, output, *more):
    return [
        *(word for name, path in models.items() for word in (f"--models.{name}", path)),
        "--output",
        str(output),
        *more,
    ]


def test_the_mean_is_the_mean_and_loads(models, tmp_path):
    assert average(flags(models, tmp_path / "mean", "--kind", "tae")) == 0
    states = [load_file(f"{folder}/model.safetensors") for folder in (*models.values(), tmp_path / "mean/model")]
    for name, tensor in states[2].items():
        torch.testing.assert_close(tensor, (states[0][name] + states[1][name]) / 2)
    assert TAE.from_pretrained(tmp_path / "mean/model").config.latent_channels == 4
    assert read_stage(tmp_path / "mean").kind == "tae"


def test_shares_count_and_what_is_done_is_not_done_again(models, tmp_path, capsys):
    config = AverageConfig(models, str(tmp_path / "mean"), weights={"b": 3.0}, kind="tae")
    assert run_average(config)
    states = [load_file(f"{folder}/model.safetensors") for folder in (*models.values(), tmp_path / "mean/model")]
    name = "encoder.conv_in.spatial.weight"
    torch.testing.assert_close(states[2][name], states[0][name] / 4 + states[1][name] * 3 / 4)
    before = (tmp_path / "mean/stage.json").stat().st_mtime_ns
    assert run_average(config)
    assert (tmp_path / "mean/stage.json").stat().st_mtime_ns == before
    assert "done, mean of 2 models" in capsys.readouterr().err


def test_models_of_another_make_have_no_mean(models, tmp_path):
    config = json.loads((tmp_path / "b/config.json").read_text())
    (tmp_path / "b/config.json").write_text(json.dumps({**config, "norm_groups": 2}))
    with pytest.raises(UsageError, match=r"config.json differs between"):
        average(flags(models, tmp_path / "mean"))
    (tmp_path / "b/config.json").unlink()
    with pytest.raises(UsageError, match="not of one make"):
        average(flags(models, tmp_path / "mean"))


def test_one_model_or_a_weight_for_nobody_is_refused(models, tmp_path):
    with pytest.raises(UsageError, match="at least 2"):
        average(["--models.a", models["a"], "--output", str(tmp_path / "mean")])
    with pytest.raises(UsageError, match=r"no such model; there are a, b"):
        average(flags(models, tmp_path / "mean", "--weights.c", "1"))
