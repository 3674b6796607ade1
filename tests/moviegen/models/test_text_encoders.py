"""The paper's three text encoders behind one interface: against their own libraries, with each other, in a product [S §3.1.4, App A.1]."""

from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from moviegen.config import load_config
from moviegen.errors import UsageError
from moviegen.models.clip_text import long_prompt_parameters
from moviegen.models.text import ContextProjections, TextContext, TextEncoder
from moviegen.models.text_encoders import (
    EncoderSource,
    TextEncodersConfig,
    load_encoder,
    load_encoders,
    load_text_encoder,
    save_text_encoder,
)
from moviegen.models.video_dit import VideoDiT, VideoDiTConfig
from moviegen.prompts import with_fps
from moviegen.testing.tiny_text import WIDTHS, tiny_encoders

pytest.importorskip("open_clip", reason="moviegen[detectors] installs it")

TEXTS = ['a red circle moves under a sign that says "open 24 hours"', "", "a red circle"]


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> TextEncodersConfig:
    torch.manual_seed(0)
    return tiny_encoders(tmp_path_factory.mktemp("text"))


@pytest.fixture(scope="module")
def encoders(config) -> list[TextEncoder]:
    return load_encoders(config)


def real(context: TextContext, row: int) -> torch.Tensor:
    """The features of one text without its padding."""
    return context.features[row, context.mask[row]]


def test_the_three_real_ones_are_named_as_the_paper_s_s_3_1_4(repo_root):
    config = load_config(TextEncodersConfig, repo_root / "configs/models/text/paper.yaml")
    dit = load_config(VideoDiTConfig, repo_root / "configs/models/video_dit/30b.yaml")
    assert config.widths == dit.context_widths == (4096, 1280, 1472)  # [S Fig 8]
    assert [e.max_length for e in config.encoders] == [512, 256, 256]
    assert [e.role for e in config.encoders] == ["prompt", "prompt", "quoted"]
    assert [e.library for e in config.encoders] == ["transformers", "open_clip", "transformers"]


def test_all_three_are_frozen_and_padding_is_masked_and_trimmed_s_3_1_4(encoders):
    for encoder, width in zip(encoders, WIDTHS, strict=True):
        assert isinstance(encoder, TextEncoder)
        assert encoder.width == width
        assert not any(parameter.requires_grad for parameter in encoder.model.parameters())
        together = encoder.encode(TEXTS)
        assert together.mask.any(0).all()  # no longer than the longest text
        assert together.mask.any(1).all()  # no text is a token too
        assert together.features.shape == (3, int(together.mask.sum(1).max()), width)
        for row, text in enumerate(TEXTS):
            torch.testing.assert_close(real(together, row), encoder.encode([text]).features[0], rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("number", [0, 2], ids=["ul2", "byt5"])
def test_ul2_and_byt5_are_transformers_own_to_the_bit_s_3_1_4(config, encoders, number):
    """Tolerance 0 for a text alone: the T5 stack of the same weights, called by itself."""
    from transformers import AutoTokenizer, T5EncoderModel

    folder = config.encoders[number].source
    theirs, tokenizer = T5EncoderModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    for text, read in zip(TEXTS, ["open 24 hours", "", ""] if number == 2 else TEXTS, strict=True):
        expected = theirs(tokenizer([read], return_tensors="pt").input_ids).last_hidden_state
        assert torch.equal(encoders[number].encode([text]).features, expected)


@torch.no_grad()
def test_metaclip_is_open_clip_s_own_s_3_1_4(config, encoders):
    """Pooled and projected our hidden layer is `encode_text` of the whole model, of texts that no stretched row touches."""
    import open_clip

    whole = open_clip.create_model(f"local-dir:{config.encoders[1].source}").eval()
    context, texts = encoders[1].encode(TEXTS), open_clip.SimpleTokenizer(context_length=77)(TEXTS)
    last = torch.stack([real(context, row)[-1] for row in range(3)])
    torch.testing.assert_close(last @ encoders[1].model.text_projection, whole.encode_text(texts), rtol=1e-4, atol=1e-5)
    assert not hasattr(encoders[1].model, "visual")


def test_positions_and_biases_are_what_a_long_prompt_trains_s_app_a_1(encoders):
    names = {name for name, _ in long_prompt_parameters(encoders[1].model)}
    assert "positional_embedding" in names
    assert names == {n for n, _ in encoders[1].model.named_parameters() if n.endswith("bias")} | {
        "positional_embedding"
    }


def test_metaclip_reads_256_tokens_ul2_512_byt5_256_s_3_1_4(encoders):
    lengths = [encoder.encode([f'"{"circle " * 600}"']).mask.shape[1] for encoder in encoders]
    assert lengths == [512, 256, 256]


def test_the_frame_rate_and_the_camera_are_read_as_text_and_not_as_letters_s_3_1_4(encoders):
    plain, at_16 = TEXTS[0], with_fps(TEXTS[0], Fraction(16), "zoom in")
    assert at_16.startswith("FPS-16. zoom in. ")
    for encoder, changes in zip(encoders, (True, True, False), strict=True):
        before, after = encoder.encode([plain]).features, encoder.encode([at_16]).features
        assert (before.shape != after.shape) is changes
        assert changes or torch.equal(before, after)


@torch.no_grad()
def test_contexts_stand_one_after_the_other_each_through_linear_and_layer_norm_s_3_1_4(encoders):
    torch.manual_seed(0)
    contexts = [encoder.encode(TEXTS) for encoder in encoders]
    projections = ContextProjections(WIDTHS, 32)
    joined = projections(contexts)
    lengths = [c.mask.shape[1] for c in contexts]
    assert joined.features.shape == (3, sum(lengths), 32)
    for project, context, part in zip(projections, contexts, joined.features.split(lengths, dim=1), strict=True):
        expected = context.features @ project[0].weight.T
        expected = (expected - expected.mean(-1, keepdim=True)) / (
            expected.var(-1, correction=0, keepdim=True) + 1e-5
        ).sqrt()
        torch.testing.assert_close(part, expected, rtol=1e-4, atol=1e-5)
    assert torch.equal(joined.mask, torch.cat([c.mask for c in contexts], dim=1))
    half = [TextContext(c.features.bfloat16(), c.mask) for c in contexts]
    assert projections(half).features.dtype == torch.float32


@torch.no_grad()
def test_a_video_network_sees_each_of_the_three(encoders):
    torch.manual_seed(0)
    network = VideoDiT(
        VideoDiTConfig(
            dim=32, num_layers=1, num_heads=4, ffn_dim=48, latent_channels=4, context_widths=WIDTHS,
            max_frames=2, max_height=2, max_width=2,
        )
    ).eval()  # fmt: skip
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    x, t = torch.randn(3, 4, 1, 4, 4), torch.full((3,), 0.5)
    contexts = [encoder.encode(TEXTS) for encoder in encoders]
    out = network(x, t, contexts)
    for number, context in enumerate(contexts):
        changed = [*contexts]
        changed[number] = replace(context, features=context.features + 1 * context.mask[..., None] * torch.randn(1))
        assert (network(x, t, changed) - out).abs().max() > 1e-4
        changed[number] = replace(context, features=context.features + 9 * ~context.mask[..., None])
        torch.testing.assert_close(network(x, t, changed), out, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_each_travels_in_a_product_s_folder(config, tmp_path, dtype):
    for number, source in enumerate(config.encoders):
        encoder = load_encoder(replace(source, dtype=dtype))
        row = save_text_encoder(encoder, tmp_path / f"text_{number}")
        again = load_text_encoder(row, tmp_path / f"text_{number}")
        assert (again.max_length, again.role, again.width) == (source.max_length, source.role, source.width)
        expected = encoder.encode(TEXTS)
        assert str(expected.features.dtype) == f"torch.{dtype}"
        assert torch.equal(again.encode(TEXTS).features, expected.features)


def test_what_is_not_there_or_does_not_fit_is_named(config, tmp_path):
    with pytest.raises(UsageError, match="16 wide, wanted 1280"):
        load_encoder(replace(config.encoders[1], width=1280))
    for library, files in (("transformers", "model.safetensors"), ("open_clip", "open_clip_model.safetensors")):
        with pytest.raises(UsageError, match=rf"wanted a folder.*{files}"):
            load_encoder(EncoderSource(library, str(tmp_path), 8, 16))
    with pytest.raises(ValueError, match="wanted 1 or more"):
        TextEncodersConfig(())
    with pytest.raises(ValueError, match="max_length 0"):
        EncoderSource("transformers", "x", 8, 0)
