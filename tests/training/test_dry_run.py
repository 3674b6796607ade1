"""A dry run says what there will be, and is right about it."""

import re

import pytest

from training.checkpoint import checkpoints, load_state, num_bytes
from training.cli import train
from training.dry_run import cache_text


def test_sizes_are_those_that_come_and_nothing_is_written(trained_tae, tae_stage, toy_lake, tmp_path, capsys):
    words = ["fit", "--config", str(tae_stage), "--data.lake", str(toy_lake)]
    assert train([*words, "--output", str(tmp_path / "run"), "--dry-run"]) == 0
    said = capsys.readouterr().err
    assert f"{tmp_path / 'run'}: to do" in said
    assert not (tmp_path / "run").exists()
    assert "kept in host memory, at most: decoded clips 1073.7 MB" in said
    (predicted,) = re.findall(r"checkpoints of ([\d.]+) (.B) every 2 steps", said)
    size = float(predicted[0]) * {"MB": 1e6, "kB": 1e3}[predicted[1]]
    real = num_bytes(load_state(checkpoints(trained_tae / "checkpoints")[-1]))  # of tensors: the file has names besides
    assert size == pytest.approx(real, rel=0.04)
    assert train([*words, "--output", str(trained_tae), "--dry-run"]) == 0
    assert capsys.readouterr().err.splitlines() == [f"{trained_tae}: done, 6 steps"]


@pytest.mark.parametrize(
    ("data", "model", "ranks", "said"),
    [
        ({"num_workers": 0, "cache_bytes": 10**9}, {}, 1, ["clips 1000.0 MB"]),
        ({"num_workers": 4, "cache_bytes": 10**9, "parts": {"a": {}, "b": {}, "no": None}}, {}, 2, ["clips 20000.0 MB"]),
        ({"num_workers": 4}, {"latent_cache_bytes": 10**9}, 2, ["latents 2000.0 MB"]),
        ({"num_workers": 0, "cache_bytes": 10**6}, {"latent_cache_bytes": 10**6}, 1, ["clips 1.0 MB", "latents 1.0 MB"]),
        ({"num_workers": 4}, {}, 2, []),
    ],
)  # fmt: skip
def test_host_memory_counts_every_cache_there_will_be(data, model, ranks, said):
    lines = cache_text({"data": {"init_args": data}, "model": {"init_args": model}}, ranks)
    assert re.findall(r"(?:clips|latents) [\d.]+ MB", " ".join(lines)) == said


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
