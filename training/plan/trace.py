"""What a block costs, counted by running it: our own blocks on fake tensors, in bf16, at two lengths. All costs but attention are linear
in the number of tokens, so two lengths give every other; attention is 4 L L' D a forward. Nothing is allocated.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from moviegen.errors import UsageError
from moviegen.models.catalog import KINDS
from moviegen.models.execution import blocks_of

LENGTHS = (64, 128)
"""Patches in time, of 16x16 patches each, at which a video network is run; so many tokens that the most memory is held where activations
are most, not where gradients of weights are. A network of sound is run on as many latents."""
AREA = 256
TEXT = 2
"""Which argument of a block is the text."""


@dataclass(frozen=True)
class Line:
    """A cost that is `fixed + per_token * tokens`."""

    fixed: float
    per_token: float

    def at(self, tokens: float) -> float:
        """The cost of so many tokens."""
        return self.fixed + self.per_token * tokens


@dataclass(frozen=True)
class Trace:
    """A network's costs for one sample. Bytes are those of bf16 activations; FLOPs of a forward, two a multiplication and addition."""

    kind: str
    dim: int
    num_heads: int
    num_layers: int
    text_tokens: int
    block_parameters: int
    """Of one block."""
    other_parameters: int
    """Of all that is in no block."""
    linear: Line
    """FLOPs of a block's matrix products."""
    other: Line
    """FLOPs of what is in no block."""
    kept: Line
    """Bytes that a block keeps for its backward when nothing is recomputed."""
    peak: Line
    """Most bytes that one block's forward and backward hold at a time, what it keeps included, its weights and gradients not."""

    @property
    def parameters(self) -> int:
        """Of the network."""
        return self.num_layers * self.block_parameters + self.other_parameters

    def attention(self, tokens: float) -> float:
        """FLOPs of a block's attention: every token to every token, and to the text."""
        return 4.0 * tokens * (tokens + self.text_tokens) * self.dim

    def forward_flops(self, tokens: float) -> float:
        """FLOPs of one forward of one sample."""
        return self.num_layers * (self.linear.at(tokens) + self.attention(tokens)) + self.other.at(tokens)

    def train_flops(self, tokens: float) -> float:
        """Model FLOPs of a training step on one sample: the backward is two forwards; what is recomputed does not count."""
        return 3 * self.forward_flops(tokens)


def trace(kind: str, config: Any) -> Trace:
    """The costs of a network of that config. Raises UsageError for a kind that is no transformer."""
    if kind not in KINDS or not hasattr(config, "num_layers"):
        raise UsageError(f"moviegen train plan: {kind} is no transformer; plans are made for networks of equal blocks")
    runs = [_run(kind, config, length) for length in LENGTHS]
    with torch.device("meta"):
        network = KINDS[kind].network(_small(config, LENGTHS[0]))
    block = sum(p.numel() for p in blocks_of(network)[0].parameters())
    positions = _position_rows(config) * config.dim  # the traced network has short tables
    other = sum(p.numel() for p in network.parameters()) - block + positions - _position_parameters(network)
    lines = [
        Line(low - (high - low) / (runs[1].tokens - runs[0].tokens) * runs[0].tokens, (high - low) / (runs[1].tokens - runs[0].tokens))
        for low, high in zip(runs[0].costs, runs[1].costs, strict=True)
    ]  # fmt: skip
    return Trace(kind, config.dim, config.num_heads, config.num_layers, runs[0].text_tokens, block, other, *lines)


@dataclass(frozen=True)
class _Run:
    tokens: int
    text_tokens: int
    costs: tuple[float, float, float, float]
    """Linear FLOPs of the block, FLOPs of the rest, bytes kept, peak bytes."""


def _run(kind: str, config: Any, length: int) -> _Run:
    from torch.utils.flop_counter import FlopCounterMode

    with _fake():
        network = KINDS[kind].network(_small(config, length))
        inputs = KINDS[kind].inputs(_small(config, length))
        args, tokens = _of_length(inputs.args, inputs.tokens, length * AREA), length * AREA
        block_args: list[tuple[Any, ...]] = []
        block = blocks_of(network)[0]
        handle = block.register_forward_pre_hook(lambda module, args: block_args.append(args))
        with FlopCounterMode(display=False) as whole, torch.no_grad():
            network(*args)
        handle.remove()
        kept, peak, linear = _measure_block(block, block_args[0])
    text = block_args[0][TEXT]
    return _Run(tokens, text.shape[1], (linear, whole.get_total_flops() - linear, kept, peak))


def _measure_block(block: nn.Module, args: tuple[Any, ...]) -> tuple[float, float, float]:
    """(bytes kept after the forward, most bytes held, FLOPs of a forward's matrix products)."""
    from torch.distributed._tools.mem_tracker import MemTracker
    from torch.utils.flop_counter import FlopCounterMode

    leaves = [
        each.detach().requires_grad_(each.is_floating_point()) if isinstance(each, Tensor) else each for each in args
    ]
    tracker = MemTracker()
    tracker.track_external(block, *(each for each in leaves if isinstance(each, Tensor)))
    with tracker:
        with FlopCounterMode(display=False) as counter:
            out = block(*leaves)
        kept = _held(tracker, "current")
        out.backward(torch.empty_like(out))
        peak = _held(tracker, "peak")
    return kept, peak, counter.get_total_flops()


def _held(tracker: Any, which: str) -> float:
    """Bytes of activations and of what is in passing; not of weights, gradients and inputs."""
    snapshot = tracker.get_tracker_snapshot(which)
    return sum(
        size for sizes in snapshot.values() for kind, size in sizes.items()
        if getattr(kind, "value", kind) in ("Activation", "Temp")
    )  # fmt: skip


@contextmanager
def _fake() -> Iterator[None]:
    from torch._subclasses.fake_tensor import FakeTensorMode

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with FakeTensorMode(), torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(before)


def _small(config: Any, length: int) -> Any:
    """One block, and as many patches as the run has."""
    sizes = {"max_frames": length, "max_height": 16, "max_width": 16} if hasattr(config, "max_frames") else {}
    return replace(config, num_layers=1, **sizes)


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
