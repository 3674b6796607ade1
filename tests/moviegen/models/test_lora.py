"""Adapters: nothing at the start, the same merged, and nothing trains beside them."""

import pytest
import torch

from moviegen.config import load_config
from moviegen.models.catalog import KINDS
from moviegen.models.lora import LoRAConfig, adapt, adapters_of, merged
from moviegen.models.text import TextContext
from moviegen.models.video_dit import VideoDiT, VideoDiTConfig

CONFIG = VideoDiTConfig(
    dim=32, num_layers=2, num_heads=2, ffn_dim=48, latent_channels=4, context_widths=(16,), max_frames=4, max_height=8, max_width=8,
)  # fmt: skip


@pytest.fixture
def network() -> VideoDiT:
    torch.manual_seed(0)
    network = VideoDiT(CONFIG)
    for p in network.parameters():  # those that begin at zero too, or the output is zero whatever is adapted
        torch.nn.init.normal_(p, std=0.1)
    return network


def inputs():
    torch.manual_seed(1)
    text = TextContext(torch.randn(2, 5, 16), torch.ones(2, 5, dtype=torch.bool))
    return torch.randn(2, 4, 2, 8, 8), torch.tensor([0.3, 0.8]), [text]


def taught(network) -> None:
    """As if something had been learned."""
    for _, module in adapters_of(network):
        torch.nn.init.normal_(module.lora_b, std=0.1)


def test_at_the_start_nothing_changes_and_weights_keep_their_names(network):
    before, names = network(*inputs()), set(network.state_dict())
    adapt(network, LoRAConfig(rank=4))
    assert torch.equal(network(*inputs()), before)
    assert names < set(network.state_dict())
    assert len(list(adapters_of(network))) == 2 * (4 + 4 + 3)


def test_merged_equals_unmerged_and_is_of_the_network_s_own_make(network):
    adapt(network, LoRAConfig(rank=4, alpha=8.0, targets=("attention", "ffn")))
    start = network(*inputs())
    taught(network)
    learned, whole = network(*inputs()), merged(network)
    assert (learned - start).abs().max() > 1e-3
    assert torch.allclose(whole(*inputs()), learned, atol=1e-6)
    assert not list(adapters_of(whole))
    assert set(whole.state_dict()) == set(VideoDiT(CONFIG).state_dict())
    assert whole.patch_in.weight.data_ptr() == network.patch_in.weight.data_ptr()
    assert merged(whole) is whole


def test_adapters_alone_have_gradients_and_each_is_drawn_from_the_seed(network):
    adapt(network, LoRAConfig(rank=2), seed=3)
    taught(network)
    network(*inputs()).square().mean().backward()
    with_gradient = {name for name, p in network.named_parameters() if p.grad is not None}
    assert with_gradient == {name for name, _ in network.named_parameters() if ".lora_" in name}
    firsts = [module.lora_a for _, module in adapters_of(network)]
    again = VideoDiT(CONFIG)
    adapt(again, LoRAConfig(rank=2), seed=3)
    assert all(torch.equal(a, m.lora_a) for a, (_, m) in zip(firsts, adapters_of(again), strict=True))


@pytest.mark.parametrize("kind", ["video_dit", "edit_dit", "personal_dit", "audio_dit", "upsampler"])
def test_every_transformer_can_be_adapted_and_merged(kind, repo_root):
    config = load_config(KINDS[kind].config, repo_root / "configs/models" / kind / "tiny.yaml")
    network = KINDS[kind].network(config)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    adapt(network, LoRAConfig(rank=2))
    taught(network)
    after = merged(network).state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert set(after) == set(before)
    assert len(changed) == len(list(adapters_of(network))) > 0
    assert all("blocks" in name and name.endswith(".weight") for name in changed)


@pytest.mark.parametrize("values", [{"rank": 0}, {"alpha": 0.0}, {"targets": ()}, {"targets": ("norm",)}])
def test_settings_that_make_no_sense_are_refused(values):
    with pytest.raises(ValueError, match="lora"):
        LoRAConfig(**values)
