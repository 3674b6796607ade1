"""Low-rank adapters (LoRA): a few numbers beside frozen weights, learned instead of them, and added to them in the end.

y = W x + (alpha / rank) B (A x), A (rank, in) drawn, B (out, rank) zero: at the start nothing changes. An adapted map keeps the name
`weight` of its matrix, so weights load as ever, and `merged` gives a network of the network's own make.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moviegen.models.execution import blocks_of

TARGETS = ("attention", "cross_attention", "ffn")
"""Parts of a block whose matrices can be adapted."""


@dataclass(frozen=True)
class LoRAConfig:
    """Which maps are adapted, and how. Ranks and targets are our decision: the paper finetunes whole models."""

    rank: int = 16
    """Rows of A and columns of B."""
    alpha: float = 16.0
    """B A is multiplied by alpha / rank."""
    targets: tuple[str, ...] = TARGETS
    """Parts of every block: attention, cross_attention, ffn."""

    def __post_init__(self) -> None:
        if self.rank < 1 or self.alpha <= 0:
            raise ValueError(f"lora: rank {self.rank} and alpha {self.alpha} must be more than 0")
        if odd := sorted(set(self.targets) - set(TARGETS)) or ([] if self.targets else ["none"]):
            raise ValueError(f"lora.targets {odd[0]}: wanted some of {', '.join(TARGETS)}")


class LoRALinear(nn.Linear):
    """A linear map whose weight stays, with an adapter that learns."""

    def __init__(self, linear: nn.Linear, config: LoRAConfig, generator: torch.Generator) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight, self.bias = linear.weight, linear.bias
        self.scale = config.alpha / config.rank
        bound = 1 / math.sqrt(self.in_features)  # as nn.Linear draws its own
        drawn = torch.rand(config.rank, self.in_features, generator=generator) * 2 * bound - bound
        self.lora_a = nn.Parameter(drawn.to(self.weight))
        self.lora_b = nn.Parameter(self.weight.new_zeros(self.out_features, config.rank))

    def forward(self, input: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        return super().forward(input) + self.scale * F.linear(F.linear(input, self.lora_a), self.lora_b)

    def merged_weight(self) -> Tensor:
        """W + (alpha / rank) B A."""
        return self.weight + self.scale * (self.lora_b @ self.lora_a)


def adapt(network: nn.Module, config: LoRAConfig, seed: int = 0) -> None:
    """Freezes a transformer and puts adapters beside the matrices of its blocks, in place. Raises ValueError when its blocks have none of
    the targets."""
    network.requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    places = [(block, name) for block in blocks_of(network) for name in linears_of(block, config)]
    if not places:
        raise ValueError(f"lora: the blocks of {type(network).__name__} have no {' or '.join(config.targets)}")
    for block, name in places:
        owner, _, leaf = name.rpartition(".")
        setattr(block.get_submodule(owner), leaf, LoRALinear(block.get_submodule(name), config, generator))


def linears_of(block: nn.Module, config: LoRAConfig) -> list[str]:
    """Names, within a block, of the maps that are adapted."""
    return [
        name
        for name, module in block.named_modules()
        if type(module) is nn.Linear and name.partition(".")[0] in config.targets
    ]


def adapters_of(network: nn.Module) -> Iterator[tuple[str, LoRALinear]]:
    """(name, module) of each adapted map."""
    return ((name, module) for name, module in network.named_modules() if isinstance(module, LoRALinear))


@torch.no_grad()
def merged(network: nn.Module) -> nn.Module:
    """A network of the same config whose weights have the adapters in them; the network itself where it has none. What is not adapted is
    shared with it, not copied."""
    adapters = dict(adapters_of(network))
    if not adapters:
        return network
    state = {name: tensor for name, tensor in network.state_dict().items() if not name.endswith((".lora_a", ".lora_b"))}
    for name, module in adapters.items():
        state[f"{name}.weight"] = module.merged_weight()
    with torch.device("meta"):
        whole = type(network)(network.config)
    whole.load_state_dict(state, assign=True)
    return whole.eval()
