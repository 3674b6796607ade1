"""Model folders: there and back, strict, silent, and never a pickle."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from moviegen.errors import UsageError
from moviegen.models.text import ByteTextEncoder, ByteTextEncoderConfig
from moviegen.models.video_dit import VideoDiT
from moviegen.weights import average, load_model, save_model

CONFIG = ByteTextEncoderConfig(dim=16, num_layers=1, num_heads=2, ffn_dim=24)


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    save_model(ByteTextEncoder(CONFIG), tmp_path / "text")
    return tmp_path / "text"


def edit_state(folder, change):
    state = load_file(folder / "model.safetensors")
    change(state)
    save_file(state, folder / "model.safetensors")


def test_a_saved_model_comes_back_the_same_and_says_nothing(tmp_path, capsys):
    model = ByteTextEncoder(CONFIG)
    save_model(model, tmp_path)
    loaded = load_model(ByteTextEncoder, tmp_path)
    assert loaded.config == CONFIG
    assert not loaded.training
    for (name, saved), (same_name, tensor) in zip(model.state_dict().items(), loaded.state_dict().items(), strict=True):
        assert name == same_name
        assert torch.equal(saved, tensor)
    assert capsys.readouterr().out == ""


def test_the_same_model_gives_the_same_bytes(folder, tmp_path):
    save_model(load_model(ByteTextEncoder, folder), tmp_path / "again")
    for name in ("model.safetensors", "config.json"):
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_the_hub_s_own_way_in_is_strict_too(folder):
    edit_state(folder, lambda state: state.pop("norm.weight"))
    with pytest.raises(UsageError, match=r"norm\.weight is missing"):
        ByteTextEncoder.from_pretrained(str(folder))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("norm.weight"), "norm.weight is missing"),
        (lambda s: s.update(extra=torch.zeros(1)), "extra is unknown"),
        (lambda s: s.update({"norm.weight": torch.zeros(3)}), r"norm.weight is \(3,\), wanted \(16,\)"),
    ],
)
def test_tensors_that_do_not_fit_are_named(folder, change, message):
    edit_state(folder, change)
    with pytest.raises(UsageError, match=message):
        load_model(ByteTextEncoder, folder)


def test_a_truncated_file_is_named(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UsageError, match=r"model\.safetensors"):
        load_model(ByteTextEncoder, folder)


def test_missing_files_are_named_and_a_pickle_does_not_count(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(UsageError, match=r"model\.safetensors is missing"):
        load_model(ByteTextEncoder, folder)


def test_another_class_s_folder_is_refused(folder):
    with pytest.raises(UsageError, match="no config of VideoDiT"):
        load_model(VideoDiT, folder)


def test_an_unknown_config_field_is_refused(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_heads": 3}))
    with pytest.raises(UsageError, match="num_heads"):
        load_model(ByteTextEncoder, folder)


def test_averages():
    states = [
        {"a": torch.tensor([1.0, 2.0]), "n": torch.tensor(3)},
        {"a": torch.tensor([3.0, 6.0]), "n": torch.tensor(3)},
    ]
    assert average(states)["a"].tolist() == [2.0, 4.0]
    assert average(states, [3, 1])["a"].tolist() == [1.5, 3.0]
    assert average(states)["n"] == 3
    assert torch.equal(average([states[0]] * 3)["a"], states[0]["a"])


def test_what_has_no_average_is_refused():
    with pytest.raises(ValueError, match="nothing"):
        average([])
    with pytest.raises(ValueError, match="2 checkpoints but 1"):
        average([{}, {}], [1.0])
    with pytest.raises(ValueError, match=r"differs from the first in \['a'\]"):
        average([{"a": torch.zeros(2)}, {"a": torch.zeros(3)}])
    with pytest.raises(ValueError, match="no mean"):
        average([{"n": torch.tensor(1)}, {"n": torch.tensor(2)}])


def test_a_folder_from_before_a_field_came_still_loads(tmp_path):
    from moviegen.models.tae import TAE, TAEConfig

    torch.manual_seed(0)
    tae = TAE(TAEConfig(channels=8, multipliers=(1, 2), num_res_blocks=1, latent_channels=4, norm_groups=4,
                        spatial_downsample_levels=(0,), temporal_downsample_levels=(0,), tile_overlap_frames=0))  # fmt: skip
    save_model(tae, tmp_path / "tae")
    config = tmp_path / "tae" / "config.json"
    values = json.loads(config.read_text())
    config.write_text(json.dumps({name: value for name, value in values.items() if name != "latent_convs"}))
    assert load_model(TAE, tmp_path / "tae").config == tae.config
    config.write_text(json.dumps({name: value for name, value in values.items() if name != "channels"}))
    with pytest.raises(UsageError, match="channels missing or unknown"):
        load_model(TAE, tmp_path / "tae")
