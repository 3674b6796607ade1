"""The video transformer: shapes, sizes, masks, positions, against the paper's numbers and torch's own parts."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from moviegen.config import load_config
from moviegen.models.layers import Attention, SwiGLU, sinusoids
from moviegen.models.text import TextContext
from moviegen.models.video_dit import VideoDiT, VideoDiTConfig, grow_positions, grow_table, patchify, unpatchify

TINY = VideoDiTConfig(
    dim=32, num_layers=3, num_heads=4, ffn_dim=48, latent_channels=4, context_widths=(8, 6),
    max_frames=4, max_height=4, max_width=5,
)  # fmt: skip


@pytest.fixture(scope="module")
def network() -> VideoDiT:
    """With every weight random: at initialisation the output is zero."""
    torch.manual_seed(0)
    model = VideoDiT(TINY).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    return model


def texts(batch: int = 2, lengths: tuple[int, int] = (5, 3), seed: int = 0) -> list[TextContext]:
    generator = torch.Generator().manual_seed(seed)
    return [
        TextContext(torch.randn(batch, length, width, generator=generator), torch.ones(batch, length, dtype=torch.bool))
        for length, width in zip(lengths, TINY.context_widths, strict=True)
    ]


def latents(batch: int = 2, seed: int = 0) -> torch.Tensor:
    return torch.randn(batch, 4, 2, 4, 6, generator=torch.Generator().manual_seed(seed))


@settings(deadline=None)
@given(
    st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.sampled_from([(1, 2, 2), (2, 1, 3)])
)
def test_patchify_is_undone_by_unpatchify(batch, t, h, w, patch):
    x = torch.randn(batch, 3, t * patch[0], h * patch[1], w * patch[2])
    tokens = patchify(x, patch)
    assert tokens.shape == (batch, t * h * w, 3 * math.prod(patch))
    assert torch.equal(unpatchify(tokens, (t, h, w), patch), x)


def test_patchify_and_a_linear_layer_are_a_convolution_of_kernel_and_stride_one_patch():
    x, weight = torch.randn(2, 3, 4, 6, 8), torch.randn(5, 3, 1, 2, 2)
    expected = F.conv3d(x, weight, stride=(1, 2, 2)).flatten(2).transpose(1, 2)
    linear = weight.permute(0, 2, 3, 4, 1).reshape(5, -1)
    torch.testing.assert_close(F.linear(patchify(x, (1, 2, 2)), linear), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("frames", "width", "height", "tokens"),
    [
        (256, 768, 768, 73_728),
        (256, 1024, 576, 73_728),
        (256, 576, 1024, 73_728),
        (256, 1008, 576, 72_576),
        (1, 256, 256, 256),
        (256, 256, 256, 8192),
    ],
)
def test_the_paper_s_token_counts_s_3_1_6(frames, width, height, tokens):
    x = torch.empty(1, 16, -(-frames // 8), height // 8, width // 8, device="meta")
    patches = patchify(x, (1, 2, 2))
    assert patches.shape == (1, tokens, 64)
    assert tokens * 64 == x.numel()


@pytest.mark.parametrize(("size", "blocks"), [("30b", 28.99e9), ("5b", 4.83e9)])
def test_one_map_from_t_serves_all_layers(repo_root, size, blocks):
    """[S §6.1.2; derived from Table 1]"""
    with torch.device("meta"):
        model = VideoDiT(load_config(VideoDiTConfig, repo_root / f"configs/models/video_dit/{size}.yaml"))
    assert sum(p.numel() for p in model.blocks.parameters()) == pytest.approx(blocks, rel=0.002)
    assert model.modulation.weight.numel() == 6 * model.config.dim**2
    biases = sum(block.modulation_bias.numel() for block in model.blocks)
    assert biases == 6 * model.config.dim * model.config.num_layers


def test_the_30b_size_is_the_paper_s_table_1(repo_root):
    config = load_config(VideoDiTConfig, repo_root / "configs/models/video_dit/30b.yaml")
    assert config == VideoDiTConfig()
    assert (config.num_layers, config.dim, config.ffn_dim, config.num_heads) == (48, 6144, 16384, 48)
    assert config.patch_dim == 64


def test_linear_layers_have_no_bias():
    with torch.device("meta"):
        model = VideoDiT(TINY)
    assert [
        name for name, module in model.named_modules() if isinstance(module, nn.Linear) and module.bias is not None
    ] == []


def test_at_first_the_velocity_is_zero_and_every_parameter_that_matters_then_learns():
    torch.manual_seed(0)
    model = VideoDiT(TINY)
    x, t = latents(), torch.tensor([0.1, 0.9])
    assert not model(x, t, texts()).any()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(3):  # zero-initialised maps open one after the other
        optimiser.zero_grad()
        (model(x, t, texts()) - x).square().mean().backward()
        optimiser.step()
    still = [name for name, parameter in model.named_parameters() if parameter.grad is None or not parameter.grad.any()]
    assert still == []


@torch.no_grad()
def test_output_has_the_input_s_shape_and_depends_on_everything(network):
    x, t, contexts = latents(), torch.tensor([0.3, 0.6]), texts()
    out = network(x, t, contexts)
    assert out.shape == x.shape
    assert (network(x, t + 0.1, contexts) - out).abs().max() > 1e-3
    assert (network(x, t, texts(seed=1)) - out).abs().max() > 1e-3
    for place in ((0, 0, 0), (1, 3, 5)):  # first and last corner: attention runs both ways
        changed = x.clone()
        changed[(0, 0, *place)] += 1
        difference = (network(changed, t, contexts) - out).abs().amax(1)
        assert (difference[0] > 1e-6).all()
        assert not difference[1].any()


@torch.no_grad()
def test_padding_of_a_text_changes_nothing(network):
    x, t = latents(), torch.tensor([0.3, 0.6])
    short, other = texts()
    padded = TextContext(F.pad(short.features, (0, 0, 0, 4), value=9.0), F.pad(short.mask, (0, 4)))
    torch.testing.assert_close(network(x, t, [padded, other]), network(x, t, [short, other]), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_positions_are_added_at_the_input_of_every_layer(network):
    inputs, outputs = [], []

    def record(block, arguments, output):
        inputs.append(arguments[0])
        outputs.append(output)

    hooks = [block.register_forward_hook(record) for block in network.blocks]
    network(latents(), torch.tensor([0.3, 0.6]), texts())
    for hook in hooks:
        hook.remove()
    positions = network.positions((2, 2, 3))
    for before, after in zip(outputs, inputs[1:], strict=False):
        torch.testing.assert_close(after, before + positions, rtol=0, atol=1e-6)


@torch.no_grad()
def test_position_of_a_token_is_the_sum_of_its_three(network):
    tables = network.positions
    positions = tables((2, 3, 4)).reshape(2, 3, 4, -1)
    torch.testing.assert_close(positions[1, 2, 3], tables.time[1] + tables.height[2] + tables.width[3])


@torch.no_grad()
def test_attention_is_torch_s_own():
    ours = Attention(16, 4)
    theirs = nn.MultiheadAttention(16, 4, bias=False, batch_first=True)
    theirs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key.weight, ours.value.weight]))
    theirs.out_proj.weight.copy_(ours.output.weight)
    x, context = torch.randn(2, 5, 16), torch.randn(2, 7, 16)
    mask = torch.arange(7) < torch.tensor([[7], [3]])
    expected, _ = theirs(x, context, context, key_padding_mask=~mask)
    torch.testing.assert_close(ours(x, context, mask), expected, rtol=1e-4, atol=1e-5)


def test_the_feed_forward_is_llama_s():
    from transformers import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaMLP

    ours, theirs = (
        SwiGLU(8, 12),
        LlamaMLP(LlamaConfig(hidden_size=8, intermediate_size=12, hidden_act="silu", num_attention_heads=2)),
    )
    for mine, other in ((ours.gate, theirs.gate_proj), (ours.input, theirs.up_proj), (ours.output, theirs.down_proj)):
        other.weight.data.copy_(mine.weight.data)
    x = torch.randn(2, 3, 8)
    torch.testing.assert_close(ours(x), theirs(x))


def test_sinusoids_are_cosines_then_sines():
    row = sinusoids(torch.tensor([0.0, 2.0]), 4)
    assert row[0].tolist() == [1, 1, 0, 0]
    torch.testing.assert_close(row[1], torch.tensor([math.cos(2), math.cos(0.02), math.sin(2), math.sin(0.02)]))


def test_qk_norm_bounds_queries():
    torch.manual_seed(0)
    model = VideoDiT(replace(TINY, qk_norm=True))
    assert sum("query_norm" in name for name, _ in model.named_parameters()) == 2 * TINY.num_layers


@torch.no_grad()
def test_growing_keeps_what_was_learned(network):
    grown = grow_positions(network, max_frames=8, max_height=6, max_width=10, mode="append").eval()
    x, t = latents(), torch.tensor([0.3, 0.6])
    torch.testing.assert_close(grown(x, t, texts()), network(x, t, texts()))
    assert grown(torch.randn(1, 4, 8, 12, 20), torch.tensor([0.5]), texts(1)).shape == (1, 4, 8, 12, 20)
    stretched = grow_positions(network, max_frames=4, max_height=12, max_width=15)
    assert (stretched.config.max_height, len(stretched.positions.height)) == (12, 12)
    assert torch.equal(stretched.positions.time, network.positions.time)


def test_a_stretched_table_keeps_its_field_of_view():
    line = torch.arange(16.0)[:, None].expand(-1, 3)
    stretched = grow_table(line, 48)
    inner = stretched[1:-1, 0]
    torch.testing.assert_close(inner, (torch.arange(1, 47) + 0.5) / 3 - 0.5)  # three patches where there was one
    assert torch.equal(grow_table(line, 16), line)
    assert torch.equal(grow_table(line, 20, "append")[:16], line)


def test_tables_grow_from_16_to_32_to_96_s_3_2_2():
    """Each step reads the table before at its new places: a line stays a line, and the field of view what it was."""
    x = torch.arange(16.0)[:, None]
    for rows, factor in ((32, 2), (96, 6)):
        x = grow_table(x, rows)
        at = (torch.arange(rows) + 0.5) / factor - 0.5
        inner = (at > 0.5) & (at < 14.5)  # both steps hold the ends
        torch.testing.assert_close(x[inner, 0], at[inner], rtol=0, atol=1e-5)


def test_tables_do_not_shrink():
    with pytest.raises(ValueError, match="cannot shrink"):
        grow_table(torch.zeros(4, 2), 3)
    with pytest.raises(ValueError, match="'interpolate', 'append'"):
        grow_table(torch.zeros(4, 2), 5, "repeat")


@pytest.mark.parametrize(
    ("x", "contexts", "message"),
    [
        (torch.zeros(1, 4, 1, 3, 4), texts(1), r"multiples of the patch \(1, 2, 2\)"),
        (torch.zeros(1, 3, 1, 4, 4), texts(1), r"wanted \(B, 4"),
        (torch.zeros(1, 4, 1, 4, 4), texts(1)[:1], "1 text contexts, wanted 2"),
        (torch.zeros(1, 4, 5, 4, 4), texts(1), r"\(4, 4, 5\) rows; grow_positions"),
    ],
)
def test_what_does_not_fit_is_named(network, x, contexts, message):
    with pytest.raises(ValueError, match=message):
        network(x, torch.tensor([0.5]), contexts)


def test_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match="not divisible by num_heads 5"):
        replace(TINY, num_heads=5)
    with pytest.raises(ValueError, match="at least 1"):
        replace(TINY, context_widths=())
