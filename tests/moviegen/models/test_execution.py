"""Kernels, recomputation and compiling change how a network runs, never what it says."""

import pytest
import torch
from torch import nn

from moviegen.models.execution import OPS, Execution, compile_blocks, flex, sdpa, set_attention, set_checkpointing
from moviegen.models.text import TextContext
from moviegen.models.video_dit import VideoDiT, VideoDiTConfig

TINY = VideoDiTConfig(
    dim=32, num_layers=3, num_heads=2, ffn_dim=48, latent_channels=4, context_widths=(8,),
    max_frames=2, max_height=4, max_width=4,
)  # fmt: skip


@pytest.fixture
def network() -> VideoDiT:
    torch.manual_seed(0)
    model = VideoDiT(TINY)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    return model


def inputs():
    generator = torch.Generator().manual_seed(0)
    mask = torch.arange(6) < torch.tensor([[6], [4]])
    context = TextContext(torch.randn(2, 6, 8, generator=generator), mask)
    return torch.randn(2, 4, 2, 4, 4, generator=generator), torch.tensor([0.2, 0.7]), [context]


@torch.no_grad()
def test_flex_attention_is_sdpa():
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(2, 3, n, 16, generator=generator) for n in (8, 6, 6))
    for mask in (None, torch.arange(6) < torch.tensor([[6], [2]])):
        torch.testing.assert_close(flex(query, key, value, mask), sdpa(query, key, value, mask), rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_a_whole_network_by_flex_attention(network):
    expected = network(*inputs())
    set_attention(network, "flex")
    torch.testing.assert_close(network(*inputs()), expected, rtol=1e-4, atol=1e-5)
    set_attention(network, "sdpa")
    assert torch.equal(network(*inputs()), expected)


def test_flex_says_that_it_has_no_backward_here(network):
    set_attention(network, "flex")
    with pytest.raises(ValueError, match="no backward on a CPU"):
        network(*inputs())
    with pytest.raises(ValueError, match="one of sdpa, flex"):
        set_attention(network, "fast")


def saved_bytes(network: VideoDiT) -> tuple[int, list[torch.Tensor]]:
    """Bytes of activations kept for the backward, and the gradients."""
    kept = {}
    parameters = {p.data_ptr() for p in network.parameters()}

    def pack(tensor):
        if tensor.data_ptr() not in parameters:
            kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    network.zero_grad()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = network(*inputs()).square().mean()
    loss.backward()
    return sum(kept.values()), [p.grad.clone() for p in network.parameters()]


@pytest.mark.parametrize("op", OPS)
def test_recomputing_keeps_less_and_gives_the_same_gradients(network, op):
    plain, expected = saved_bytes(network)
    set_checkpointing(network, {op: 1})
    one, _ = saved_bytes(network)
    set_checkpointing(network, {op: 3})
    three, gradients = saved_bytes(network)
    assert three < one < plain
    assert all(torch.equal(a, b) for a, b in zip(gradients, expected, strict=True))
    set_checkpointing(network, {})
    assert saved_bytes(network)[0] == plain


def test_what_cannot_be_recomputed_is_named(network):
    with pytest.raises(ValueError, match="0 to 3 blocks"):
        set_checkpointing(network, {"ffn": 4})
    with pytest.raises(ValueError, match="one of block, attention"):
        set_checkpointing(network, {"norm": 1})


def test_blocks_compile_one_by_one_and_keep_their_names(network):
    expected, names = network(*inputs()), list(network.state_dict())
    compile_blocks(network, backend="eager")
    torch.testing.assert_close(network(*inputs()), expected, rtol=1e-5, atol=1e-6)
    assert list(network.state_dict()) == names


def test_yaml_says_how_a_network_runs(network, tmp_path, monkeypatch):
    from moviegen.config import load_config

    (tmp_path / "run.yaml").write_text("attention: flex\ncheckpointing: {ffn: 3, attention: 1}\ncompile: true\n")
    execution = load_config(Execution, tmp_path / "run.yaml")
    assert execution == Execution("flex", {"ffn": 3, "attention": 1}, compile=True)
    compiled = []
    monkeypatch.setattr(type(network.blocks[0]), "compile", lambda block, **options: compiled.append(block))
    execution.apply(network)
    assert compiled == list(network.blocks)
    assert all(block.attention.kernel is flex for block in network.blocks)
    assert [block.attention.is_checkpointed for block in network.blocks] == [True, False, False]
    Execution().apply(network)
    assert all(block.attention.kernel is sdpa for block in network.blocks)
    with pytest.raises(ValueError, match="one of sdpa, flex"):
        Execution("fast").apply(network)
