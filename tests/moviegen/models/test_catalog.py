"""What `moviegen models` says of a size is what the formulas and the paper say."""

import json
import time

import pytest
import torch

from moviegen.config import load_config
from moviegen.errors import UsageError
from moviegen.models import catalog_cli
from moviegen.models.catalog import KINDS, TEXT_TOKENS, columns, count
from moviegen.models.video_dit import VideoDiTConfig


def test_flops_of_the_30b_model_are_the_formula_s(repo_root):
    """2 L (4 d² + 2 d² + 3 d f) + 4 L N d + 4 L T d a token, and the text's keys and values 4 L d² T once."""
    config = load_config(VideoDiTConfig, repo_root / "configs/models/video_dit/30b.yaml")
    size = count("video_dit", config)
    layers, dim, ffn, tokens, text = config.num_layers, config.dim, config.ffn_dim, 73_728, sum(TEXT_TOKENS)
    assert size.tokens == tokens
    a_token = 2 * layers * (6 * dim**2 + 3 * dim * ffn) + 4 * layers * tokens * dim + 4 * layers * text * dim
    assert size.flops == pytest.approx(a_token * tokens + 4 * layers * dim**2 * text, rel=0.003)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_tiny_size_that_is_counted(repo_root, kind):
    path = repo_root / "configs" / "models" / kind / "tiny.yaml"
    config = load_config(KINDS[kind].config, path)
    size = count(kind, config, "tiny")
    assert size.parameters == sum(p.numel() for p in KINDS[kind].network(config).parameters())
    assert size.flops > 0
    assert size.tokens > 0


def test_json_has_the_table_s_keys(tmp_path, capsys, repo_root):
    folder = tmp_path / "text"
    folder.mkdir()
    (folder / "small.yaml").write_text((repo_root / "configs/models/text/tiny.yaml").read_text())
    assert catalog_cli.main([str(tmp_path), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert list(row) == columns() == ["kind", "size", "parameters", "tokens", "flops", "inputs"]
    assert (row["kind"], row["size"]) == ("text", "small")
    assert catalog_cli.main([str(tmp_path)]) == 0
    assert "small" in capsys.readouterr().out


def test_a_folder_without_sizes_is_named(tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        catalog_cli.main([str(tmp_path / "none")])
    with pytest.raises(UsageError, match="of a kind that moviegen knows"):
        catalog_cli.main([str(tmp_path)])


def test_counting_allocates_nothing():
    before = torch.get_default_device()
    count("video_dit", VideoDiTConfig())
    assert torch.get_default_device() == before


@pytest.mark.parametrize(
    ("kind", "size", "low", "high"),
    [
        ("video_dit", "30b", 28.9e9, 29.5e9),  # [S Table 1]; derived
        ("video_dit", "5b", 4.7e9, 5.0e9),  # [S §3.6.2]
        ("video_dit", "small", 0.40e9, 0.45e9),
        ("upsampler", "7b", 7.0e9, 7.7e9),  # [S §3.1.5]
        ("audio_dit", "13b", 12.0e9, 13.5e9),  # [S §6.1.6]
    ],
)
def test_parameter_counts_are_the_names_and_building_takes_less_than_2_s_s_table_1(repo_root, kind, size, low, high):
    config = load_config(KINDS[kind].config, repo_root / f"configs/models/{kind}/{size}.yaml")
    assert low < sum(p.numel() for p in build(repo_root, kind, config).parameters()) < high


@pytest.mark.parametrize(
    ("kind", "size"), [("tae", "full"), ("audio_codec", "full"), ("edit_dit", "30b"), ("personal_dit", "30b")]
)
def test_every_other_network_is_built_in_less_than_2_s(repo_root, kind, size):
    config = load_config(KINDS[kind].config, repo_root / f"configs/models/{kind}/{size}.yaml")
    assert all(p.is_meta for p in build(repo_root, kind, config).parameters())


def build(repo_root, kind, config):
    """A network on meta, made in less than 2 s of processor time; torch's imports, which the tiny one makes, are not counted."""
    with torch.device("meta"):
        KINDS[kind].network(load_config(KINDS[kind].config, repo_root / f"configs/models/{kind}/tiny.yaml"))
        begin = time.process_time()
        network = KINDS[kind].network(config)
        assert time.process_time() - begin < 2
    return network
