"""What a network's arithmetic is, counted by running one block of it on fake tensors: the one place where FLOPs come from, for the plan
before the launch and for MFU while it runs.

All costs but attention are linear in the number of tokens, so two lengths give every other; attention is 4 L L' D a forward. Nothing is
allocated. Autoencoders are run whole, at each shape.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from moviegen.errors import UsageError
from moviegen.models.catalog import KINDS
from moviegen.models.execution import blocks_of

LENGTHS = (1, 2)
"""Patches in time, of 16x16 patches each, at which a video network's FLOPs are counted; a network of sound is run on as many latents."""
AREA = 256
TEXT = 2
"""Which argument of a block is the text."""
BACKWARD = 3
"""FLOPs of a training step over those of a forward: the backward is two more. What is recomputed does not count."""
AUTOENCODERS = ("tae", "audio_codec")

Config = TypeVar("Config")


@dataclass(frozen=True)
class Line:
    """A cost that is `fixed + per_token * tokens`."""

    fixed: float
    per_token: float

    def at(self, tokens: float) -> float:
        """The cost of so many tokens."""
        return self.fixed + self.per_token * tokens


def line_through(places: tuple[int, int], values: tuple[float, float]) -> Line:
    """The line through two points."""
    slope = (values[1] - values[0]) / (places[1] - places[0])
    return Line(values[0] - slope * places[0], slope)


@dataclass(frozen=True)
class Work:
    """A transformer's arithmetic for one sample: FLOPs of a forward, two a multiplication and addition."""

    kind: str
    dim: int
    num_heads: int
    num_layers: int
    text_tokens: int
    """Of the longest text."""
    block_parameters: int
    """Of one block."""
    other_parameters: int
    """Of all that is in no block."""
    linear: Line
    """FLOPs of a block's matrix products."""
    other: Line
    """FLOPs of what is in no block."""

    @property
    def parameters(self) -> int:
        """Of the network."""
        return self.num_layers * self.block_parameters + self.other_parameters

    @property
    def max_recomputed(self) -> int:
        """Blocks whose activations can be computed again instead of kept."""
        return self.num_layers

    def attention(self, tokens: float, text_tokens: float | None = None) -> float:
        """FLOPs of a block's attention: every token to every token, and to the text."""
        return 4.0 * tokens * (tokens + (self.text_tokens if text_tokens is None else text_tokens)) * self.dim

    def forward_flops(self, tokens: float, text_tokens: float | None = None) -> float:
        """FLOPs of one forward of one sample, whose text is the longest when its length is not given."""
        block = self.linear.at(tokens) + self.attention(tokens, text_tokens)
        # what does not grow with the tokens is the text's: its projections (and the little that t costs)
        of_text = 0.0 if text_tokens is None else self.num_layers * self.linear.fixed + self.other.fixed
        shorter = of_text * ((text_tokens or 0) / max(1, self.text_tokens) - 1)
        return self.num_layers * block + self.other.at(tokens) + shorter

    def train_flops(self, tokens: float, text_tokens: float | None = None) -> float:
        """Model FLOPs of a training step on one sample."""
        return BACKWARD * self.forward_flops(tokens, text_tokens)


_KNOWN: dict[str, Work] = {}
"""Work by kind and config: counting takes a quarter of a second."""


def work(kind: str, config: Any) -> Work:
    """The arithmetic of a network of that config. Raises UsageError for a kind that is no transformer."""
    name = f"{kind} {config}"
    if name not in _KNOWN:
        _KNOWN[name] = _count(kind, config)
    return _KNOWN[name]


def _count(kind: str, config: Any) -> Work:
    if kind not in KINDS or not hasattr(config, "num_layers") or not hasattr(KINDS[kind].config, "context_widths"):
        raise UsageError(f"moviegen train plan: {kind} is no transformer; wanted a network of equal blocks")
    runs = [_run(kind, config, length) for length in LENGTHS]
    with torch.device("meta"):
        network = KINDS[kind].network(shortened(config, LENGTHS[0]))
    block = sum(p.numel() for p in blocks_of(network)[0].parameters())
    positions = _position_rows(config) * config.dim  # the network that is run has short tables
    other = sum(p.numel() for p in network.parameters()) - block + positions - _position_parameters(network)
    tokens, text_tokens = tuple(run[0] for run in runs), runs[0][1]
    linear, rest = (line_through(tokens, tuple(run[i] for run in runs)) for i in (2, 3))  # type: ignore[arg-type]
    return Work(kind, config.dim, config.num_heads, config.num_layers, text_tokens, block, other, linear, rest)


def _run(kind: str, config: Any, length: int) -> tuple[int, int, float, float]:
    """(tokens, tokens of text, FLOPs of the block's matrix products, FLOPs of what is in no block)."""
    from torch.utils.flop_counter import FlopCounterMode

    with fake(), torch.no_grad():
        network, args, tokens = network_of_length(kind, config, length)
        with FlopCounterMode(display=False) as whole:
            block_args = args_of_block(network, args)
        with FlopCounterMode(display=False) as block:
            blocks_of(network)[0](*block_args)
    linear = block.get_total_flops()
    return tokens, block_args[TEXT].shape[1], linear, whole.get_total_flops() - linear


def autoencoder_flops(kind: str, config: Any, shape: tuple[int, ...]) -> int:
    """FLOPs of one forward, there and back, on a sample: (3, T, H, W) pixels for a tae, (1, N) sound for an audio_codec."""
    return _there_and_back_flops(kind, config, shape)[1]


def encoder_flops(kind: str, config: Any, shape: tuple[int, ...]) -> int:
    """FLOPs of the way there alone."""
    return _there_and_back_flops(kind, config, shape)[0]


@lru_cache(maxsize=256)
def _there_and_back_flops(kind: str, config: Any, shape: tuple[int, ...]) -> tuple[int, int]:
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"):
        network = KINDS[kind].network(config)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            moments = network.encode(torch.empty(1, *shape))  # type: ignore[operator]
            there = counter.get_total_flops()
            network.decode(moments.mean, shape[1])  # type: ignore[operator]
    return there, counter.get_total_flops()


def there_and_back(network: nn.Module, sample: Tensor) -> Tensor:
    """What an autoencoder makes of (1, C, ...) again, from the mean of its latents."""
    size = sample.shape[2]
    return network.decode(network.encode(sample).mean, size)  # type: ignore[operator]


def network_of_length(kind: str, config: Any, length: int) -> tuple[nn.Module, tuple[Any, ...], int]:
    """(network of one block, its arguments, their tokens): within `fake`, so long a sample."""
    small = shortened(config, length)
    inputs = KINDS[kind].inputs(small)
    tokens = length * AREA
    return KINDS[kind].network(small), _of_length(inputs.args, inputs.tokens, tokens), tokens


def args_of_block(network: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """What the first block is given when the network is run."""
    seen: list[tuple[Any, ...]] = []
    handle = blocks_of(network)[0].register_forward_pre_hook(lambda module, args: seen.append(args))
    network(*args)
    handle.remove()
    return seen[0]


@contextmanager
def fake() -> Iterator[None]:
    """Within, tensors have shapes and types, bf16 where none is said, and no content."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with FakeTensorMode(), torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(before)


def shortened(config: Config, length: int) -> Config:
    """One block, and as many patches as the run has."""
    sizes = {"max_frames": length, "max_height": 16, "max_width": 16} if hasattr(config, "max_frames") else {}
    return replace(config, num_layers=1, **sizes)  # type: ignore[type-var]


def _of_length(args: tuple[Any, ...], tokens: int, wanted: int) -> tuple[Any, ...]:
    """Inputs with so many tokens: those of sound come in one length."""
    return tuple(
        each.new_empty((each.shape[0], wanted, *each.shape[2:]))
        if isinstance(each, Tensor) and each.dim() > 1 and each.shape[1] == tokens
        else each
        for each in args
    )


def _position_rows(config: Any) -> int:
    return config.max_frames + config.max_height + config.max_width if hasattr(config, "max_frames") else 0


def _position_parameters(network: nn.Module) -> int:
    tables = [m for name, m in network.named_modules() if name.split(".")[-1] == "positions"]
    return sum(p.numel() for table in tables for p in table.parameters())
