"""A whole block of each transformer against its formula, written out with sums and exponentials in float64 [S Fig 8, §6.1.2]."""

import math

import pytest
import torch
from torch import nn

from moviegen.models.audio_dit import AudioBlock, AudioDiTConfig
from moviegen.models.layers import RMSNorm, rotary_angles
from moviegen.models.video_dit import Block, VideoDiTConfig

DIM, HEADS, FFN, EPS = 12, 3, 20, 1e-5


def rms(x, weight):
    return x / (x.pow(2).mean(-1, keepdim=True) + EPS).sqrt() * weight


def heads(x):
    return torch.stack(x.split(DIM // HEADS, dim=-1), dim=1)


def turned(x, angles):
    """Each pair (i, i + D / 2) as a complex number times exp(i angle)."""
    half = x.shape[-1] // 2
    z = torch.complex(x[..., :half], x[..., half:]) * torch.polar(torch.ones_like(angles), angles)
    return torch.cat([z.real, z.imag], dim=-1)


def attend(x, source, module, visible, angles=None):
    query, key, value = (
        heads(t @ w.weight.T) for t, w in ((x, module.query), (source, module.key), (source, module.value))
    )
    if angles is not None:
        query, key = turned(query, angles), turned(key, angles)
    scores = torch.einsum("bhqd,bhkd->bhqk", query, key) / math.sqrt(DIM // HEADS)
    weights = scores.exp() * visible[:, None, None, :]
    out = torch.einsum("bhqk,bhkd->bhqd", weights / weights.sum(-1, keepdim=True), value)
    return torch.cat(list(out.unbind(1)), dim=-1) @ module.output.weight.T


def reference(block, x, modulation, text, text_mask, feed_forward, visible, angles=None):
    rows = (modulation + block.modulation_bias)[:, :, None]
    normed = rms(x, block.attention_norm.weight) * (1 + rows[:, 1]) + rows[:, 0]
    x = x + rows[:, 2] * attend(normed, normed, block.attention, visible, angles)
    x = x + attend(x, text, block.cross_attention, text_mask.double())
    return x + rows[:, 5] * feed_forward(rms(x, block.ffn_norm.weight) * (1 + rows[:, 4]) + rows[:, 3])


def swiglu(ffn):
    def forward(x):
        gate = x @ ffn.gate.weight.T
        return (gate / (1 + (-gate).exp()) * (x @ ffn.input.weight.T)) @ ffn.output.weight.T

    return forward


def gelu(ffn):
    def forward(x):
        hidden = x @ ffn.input.weight.T
        return (0.5 * hidden * (1 + torch.erf(hidden / math.sqrt(2)))) @ ffn.output.weight.T

    return forward


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(0)
    x, modulation, text = (torch.randn(2, n, DIM, generator=generator, dtype=torch.float64) for n in (7, 6, 5))
    return x, modulation, text, torch.arange(5) < torch.tensor([[5], [2]])


def randomised(block):
    torch.manual_seed(1)
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.5)
    return block.double().eval()


@torch.no_grad()
def test_a_video_block_is_the_paper_s_formula(inputs):
    """[S Fig 8]"""
    config = VideoDiTConfig(dim=DIM, num_layers=1, num_heads=HEADS, ffn_dim=FFN, norm_eps=EPS)
    block = randomised(Block(config))
    x, modulation, text, text_mask = inputs
    expected = reference(block, x, modulation, text, text_mask, swiglu(block.ffn), torch.ones(2, 7).double())
    torch.testing.assert_close(block(x, modulation, text, text_mask), expected, rtol=0, atol=1e-12)


@torch.no_grad()
def test_an_audio_block_is_the_paper_s_formula(inputs):
    """[S §6.1.2], rotary positions and GELU ours."""
    config = AudioDiTConfig(dim=DIM, num_layers=1, num_heads=HEADS, ffn_dim=FFN, norm_eps=EPS)
    block = randomised(AudioBlock(config))
    x, modulation, text, text_mask = inputs
    angles, mask = rotary_angles(7, DIM // HEADS).double(), torch.arange(7) < torch.tensor([[7], [4]])
    out = block(x, modulation, text, text_mask, angles, mask)
    expected = reference(block, x, modulation, text, text_mask, gelu(block.ffn), mask.double(), angles)
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-12)


def test_rms_norm_s_gradients_are_the_numerical_ones_and_its_values_pytorch_s():
    norm = RMSNorm(6, eps=EPS).double()
    nn.init.normal_(norm.weight)
    x = torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    weight = norm.weight

    def values(x, weight):
        return torch.func.functional_call(norm, {"weight": weight}, (x,))

    assert torch.autograd.gradcheck(values, (x, weight))
    plain = nn.RMSNorm(6, eps=EPS).double()
    plain.load_state_dict(norm.state_dict())
    assert torch.equal(norm(x), plain(x))


def test_rms_norm_is_llama_s():
    from transformers.models.llama.modeling_llama import LlamaRMSNorm

    ours, theirs = RMSNorm(8, eps=EPS), LlamaRMSNorm(8, eps=EPS)
    nn.init.normal_(ours.weight)
    theirs.weight.data.copy_(ours.weight.data)
    x = torch.randn(3, 4, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-6, atol=1e-6)
