"""The audio transformer against the paper's numbers and what each input must do."""

from fractions import Fraction

import pytest
import torch
from torch import nn

from moviegen.config import load_config
from moviegen.models.audio_dit import AudioDiT, AudioDiTConfig, nearest_frames, num_audio_latents
from moviegen.models.layers import rotary_angles, rotate
from moviegen.models.text import TextContext

TINY = AudioDiTConfig(
    dim=32, num_layers=2, num_heads=4, ffn_dim=48, latent_channels=6, video_width=10, context_widths=(8,)
)
T = torch.tensor([0.2, 0.7])


@pytest.fixture(scope="module")
def network() -> AudioDiT:
    torch.manual_seed(0)
    model = AudioDiT(TINY).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    return model


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def text(seed: int = 0) -> list[TextContext]:
    return [TextContext(draw(2, 5, 8, seed=seed), torch.ones(2, 5, dtype=torch.bool))]


def test_the_13b_size_is_the_paper_s_s_6_1_6(repo_root):
    """[S §6.1.6]; two matrices in the feed-forward, one map from t for all layers [S §6.1.2]."""
    config = load_config(AudioDiTConfig, repo_root / "configs/models/audio_dit/13b.yaml")
    assert config == AudioDiTConfig()
    assert (config.num_layers, config.dim, config.ffn_dim) == (36, 4608, 18432)
    with torch.device("meta"):
        model = AudioDiT(config)
    assert model.modulation.weight.numel() == 6 * 4608**2
    assert all(module.bias is None for module in model.modules() if isinstance(module, nn.Linear))


@torch.no_grad()
def test_every_input_counts(network):
    x, video, audio = draw(2, 9, 6), draw(2, 9, 10, seed=1), draw(2, 9, 6, seed=2)
    out = network(x, T, text(), video, audio)
    assert out.shape == x.shape
    for other in (
        network(x, T + 0.1, text(), video, audio),
        network(x, T, text(seed=4), video, audio),
        network(x, T, text(), video.flip(1), audio),
        network(x, T, text(), video, audio.flip(1)),
    ):
        assert (other - out).abs().max() > 1e-3


@torch.no_grad()
def test_no_video_and_no_audio_are_zeros(network):
    """Dropped conditions [S §6.1.6]: zero features and a zero context."""
    x = draw(2, 9, 6)
    expected = network(x, T, text(), torch.zeros(2, 9, 10), torch.zeros(2, 9, 6))
    torch.testing.assert_close(network(x, T, text()), expected)


@torch.no_grad()
def test_padding_changes_nothing(network):
    x = draw(2, 9, 6)
    mask = torch.arange(9) < torch.tensor([[9], [6]])
    out = network(x, T, text(), mask=mask)
    context = [TextContext(text()[0].features[1:], text()[0].mask[1:])]
    alone = network(x[1:, :6], T[1:], context)
    torch.testing.assert_close(out[1:, :6], alone, rtol=1e-4, atol=1e-5)


def test_at_first_the_velocity_is_zero_and_then_everything_learns():
    torch.manual_seed(0)
    model, x = AudioDiT(TINY), draw(2, 9, 6)
    inputs = (x, T, text(), draw(2, 9, 10, seed=1), draw(2, 9, 6, seed=2))
    assert not model(*inputs).any()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(3):
        optimiser.zero_grad()
        (model(*inputs) - x).square().mean().backward()
        optimiser.step()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_rotary_positions_are_llama_s():
    from transformers import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, apply_rotary_pos_emb

    query, key = draw(2, 4, 7, 8), draw(2, 4, 7, 8, seed=1)
    llama = LlamaRotaryEmbedding(LlamaConfig(hidden_size=32, num_attention_heads=4, max_position_embeddings=16))
    cos, sin = llama(query, torch.arange(7)[None])
    expected = apply_rotary_pos_emb(query, key, cos, sin)
    angles = rotary_angles(7, 8)
    torch.testing.assert_close((rotate(query, angles), rotate(key, angles)), expected, rtol=1e-5, atol=1e-6)


def test_only_the_distance_of_two_positions_counts():
    query, key, angles = draw(1, 1, 1, 8), draw(1, 1, 1, 8, seed=1), rotary_angles(20, 8)
    product = [(rotate(query, angles[i : i + 1]) * rotate(key, angles[i + 3 : i + 4])).sum() for i in (0, 5, 16)]
    torch.testing.assert_close(torch.stack(product), product[0].expand(3), rtol=1e-4, atol=1e-4)


def test_each_latent_sees_the_frame_of_its_moment():
    assert nearest_frames(16, Fraction(16), 25).tolist()[:4] == [0, 0, 1, 2]  # middles at 20, 60, 100, 140 ms
    assert nearest_frames(16, Fraction(16), 25)[-1] == 15
    assert nearest_frames(4, Fraction(25), 6).tolist() == [0, 1, 2, 3, 3, 3]
    odd = nearest_frames(1134, Fraction(24000, 1001), num_audio_latents(1134, Fraction(24000, 1001)))
    assert (len(odd), odd[-1].item()) == (1183, 1133)  # 47.3 s at 23.976
    assert num_audio_latents(720, Fraction(24)) == 750  # 30 s [S §6.1.6]


def test_what_does_not_fit_is_named(network):
    with pytest.raises(ValueError, match=r"video is \(2, 8, 10\), wanted \(2, 9, 10\)"):
        network(draw(2, 9, 6), T, text(), draw(2, 8, 10))
    with pytest.raises(ValueError, match="0 text contexts, wanted 1"):
        network(draw(2, 9, 6), T, [])
    with pytest.raises(ValueError, match="must be an even number"):
        AudioDiTConfig(dim=36, num_heads=4)
