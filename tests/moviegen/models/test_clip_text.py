"""CLIP text towers that read long prompts, against the libraries they come from."""

import pytest
import torch

from moviegen.errors import UsageError
from moviegen.models.clip_text import OpenClipTextEncoder, long_prompt_parameters, stretch_positions
from moviegen.models.text import TextEncoder, TransformersTextEncoder


def test_a_stretched_table_keeps_its_first_rows_and_its_ends():
    table = torch.arange(77.0)[:, None].expand(-1, 2)
    long = stretch_positions(table, 256)
    assert long.shape == (256, 2)
    assert torch.equal(long[:20], table[:20])
    assert long[-1, 0] == 76
    assert (long[:, 0].diff() > 0).all()
    assert torch.equal(stretch_positions(table, 77), table)
    with pytest.raises(ValueError, match="cannot shrink"):
        stretch_positions(table, 76)


@pytest.fixture(scope="module")
def clip_repository(tmp_path_factory):
    """A whole CLIP (both towers), as MetaCLIP is published, with a tokenizer of letters."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerFast

    torch.manual_seed(0)
    letters = ["<pad>", *"abcdefghijklmnopqrstuvwxyz ", "<end>"]
    core = Tokenizer(models.WordLevel({letter: i for i, letter in enumerate(letters)}, unk_token="<pad>"))
    core.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    core.post_processor = processors.TemplateProcessing(single="$A <end>", special_tokens=[("<end>", 28)])
    text = {
        "vocab_size": len(letters), "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 2, "max_position_embeddings": 77, "bos_token_id": 28, "eos_token_id": 28, "pad_token_id": 0,
    }  # fmt: skip
    vision = {
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 8,
        "patch_size": 4,
    }  # fmt: skip
    folder = tmp_path_factory.mktemp("metaclip")
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)).save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<pad>", eos_token="<end>").save_pretrained(folder)
    return folder


def test_the_text_tower_of_a_whole_clip_reads_256_tokens(clip_repository):
    """[S §3.1.4]"""
    from transformers import CLIPModel

    encoder = TransformersTextEncoder.from_pretrained(clip_repository, max_length=256)
    assert encoder.encode(["a" * 300]).features.shape == (1, 256, 16)
    short = encoder.encode(["a red circle"])
    whole = CLIPModel.from_pretrained(clip_repository).eval()
    ids = encoder.tokenizer(["a red circle"], return_tensors="pt").input_ids
    with torch.no_grad():
        expected = whole.text_model(input_ids=ids).last_hidden_state
    torch.testing.assert_close(short.features, expected)  # fewer than 20 tokens: nothing was stretched


def test_positions_and_biases_are_what_is_trained(clip_repository):
    """[S App A.1]"""
    encoder = TransformersTextEncoder.from_pretrained(clip_repository, max_length=256)
    names = [name for name, _ in long_prompt_parameters(encoder.model)]
    assert sum("position" in name for name in names) == 1
    assert all("position" in name or name.endswith(".bias") for name in names)
    assert len(names) == 1 + sum(name.endswith(".bias") for name, _ in encoder.model.named_parameters())


@pytest.fixture(scope="module")
def open_clip_file(tmp_path_factory):
    open_clip = pytest.importorskip("open_clip", reason="moviegen[detectors] installs it")
    from safetensors.torch import save_file

    torch.manual_seed(0)
    network = open_clip.create_model("RN50-quickgelu").eval()
    path = tmp_path_factory.mktemp("open_clip") / "weights.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, path)
    return network, path


@torch.no_grad()
def test_an_open_clip_tower_is_open_clip_s_and_reads_long_prompts(open_clip_file):
    import open_clip

    network, path = open_clip_file
    encoder = OpenClipTextEncoder.from_file("RN50-quickgelu", path)
    assert isinstance(encoder, TextEncoder)
    assert encoder.width == 512
    together = encoder.encode(["a red circle", "a blue square moves to the left", ""])
    ids = open_clip.get_tokenizer("RN50-quickgelu")(["a red circle"])
    expected = network.encode_text(ids)
    last = together.features[0, int(together.mask[0].sum()) - 1]
    torch.testing.assert_close(last @ encoder.model.text_projection, expected[0], rtol=1e-3, atol=1e-4)
    assert together.mask.sum(1).tolist() == [5, 9, 2]
    long = encoder.encode(["word " * 400])
    assert long.features.shape == (1, 256, 512)
    assert not any(p.requires_grad for p in encoder.model.parameters())


def test_wrong_files_are_named(tmp_path, open_clip_file):
    with pytest.raises(UsageError, match="open_clip has no model 'RN9000'"):
        OpenClipTextEncoder.from_file("RN9000", tmp_path / "x")
    with pytest.raises(UsageError, match="no such file"):
        OpenClipTextEncoder.from_file("RN50-quickgelu", tmp_path / "x")
    (tmp_path / "y.safetensors").write_bytes(b"nothing")
    with pytest.raises(UsageError, match="not the weights of RN50-quickgelu"):
        OpenClipTextEncoder.from_file("RN50-quickgelu", tmp_path / "y.safetensors")
