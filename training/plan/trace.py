"""What a network's step holds in memory, seen by a tracker while our own blocks run on fake tensors in bf16, beside its arithmetic.

Bytes of a block are linear in the number of tokens, so two lengths give every other. Autoencoders are run whole, at the shapes of their
stage.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from moviegen.models.catalog import KINDS
from moviegen.models.execution import blocks_of

from .work import (
    AUTOENCODERS,
    Line,
    Work,
    args_of_block,
    autoencoder_flops,
    fake,
    line_through,
    network_of_length,
    shortened,
    there_and_back,
    work,
)

LENGTHS = (64, 128)
"""Patches in time, of 16x16 patches each, at which a video network is run; so many tokens that the most memory is held where activations
are most, not where gradients of weights are. A network of sound is run on as many latents."""


@dataclass(frozen=True)
class Trace(Work):
    """A network's costs for one sample: its arithmetic, and bytes of bf16 activations."""

    kept: Line
    """Bytes that a block keeps for its backward when nothing is recomputed."""
    peak: Line
    """Most bytes that one block's forward and backward hold at a time, what it keeps included, its weights and gradients not."""


def trace(kind: str, config: Any) -> Trace:
    """The costs of a network of that config. Raises UsageError for a kind that is no transformer."""
    counted = work(kind, config)
    runs = [_bytes_of_block(kind, config, length) for length in LENGTHS]
    tokens = (runs[0][0], runs[1][0])
    kept, peak = (line_through(tokens, (runs[0][i], runs[1][i])) for i in (1, 2))
    return Trace(**{f.name: getattr(counted, f.name) for f in fields(Work)}, kept=kept, peak=peak)


_KNOWN: dict[str, tuple[int, float, float]] = {}
"""What `_bytes_of_block` found, by kind and config without what does not matter: it takes seconds."""


def _bytes_of_block(kind: str, config: Any, length: int) -> tuple[int, float, float]:
    """(tokens, bytes kept, most bytes held) of a block."""
    name = f"{kind} {shortened(config, length)} {length}"
    if name not in _KNOWN:
        _KNOWN[name] = _run_block(kind, config, length)
    return _KNOWN[name]


def _run_block(kind: str, config: Any, length: int) -> tuple[int, float, float]:
    with fake():
        network, args, tokens = network_of_length(kind, config, length)
        with torch.no_grad():
            block_args = args_of_block(network, args)
        return tokens, *bytes_held(blocks_of(network)[0], block_args)


def bytes_held(module: nn.Module, args: tuple[Any, ...]) -> tuple[float, float]:
    """(bytes kept after the forward, most bytes held until the backward is done): activations and what is in passing."""
    from torch.distributed._tools.mem_tracker import MemTracker

    leaves = [
        each.detach().requires_grad_(each.is_floating_point()) if isinstance(each, Tensor) else each for each in args
    ]
    tracker = MemTracker()
    tracker.track_external(module, *(each for each in leaves if isinstance(each, Tensor)))
    with tracker:
        out = module(*leaves)
        kept = held(tracker, "current")
        out.backward(torch.empty_like(out))
        return kept, held(tracker, "peak")


def held(tracker: Any, which: str) -> float:
    """Bytes of activations and of what is in passing; not of weights, gradients and inputs."""
    snapshot = tracker.get_tracker_snapshot(which)
    return sum(
        size for sizes in snapshot.values() for kind, size in sizes.items()
        if getattr(kind, "value", kind) in ("Activation", "Temp")
    )  # fmt: skip


@dataclass(frozen=True)
class Table:
    """A cost that is known at some numbers of tokens."""

    values: Mapping[int, float]
    fixed: float = 0.0

    def at(self, tokens: float) -> float:
        """The cost of so many tokens. Raises KeyError for others than those it was made for."""
        return self.values[round(tokens)]


@dataclass(frozen=True)
class AutoencoderTrace(Trace):
    """An autoencoder's costs at the shapes of a stage: one block that holds all of it, which is never recomputed."""

    @property
    def max_recomputed(self) -> int:
        """None."""
        return 0

    def attention(self, tokens: float, text_tokens: float | None = None) -> float:
        """None beside what the table has."""
        return 0.0


class _ThereAndBack(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, sample: Tensor) -> Tensor:
        return there_and_back(self.network, sample)


def trace_autoencoder(kind: str, config: Any, shapes: Mapping[int, Sequence[int]]) -> AutoencoderTrace:
    """The costs of an autoencoder on samples of those shapes, by their number of tokens. FLOPs are counted at each; bytes tracked at the
    one with most FLOPs and taken in proportion at the others."""
    assert kind in AUTOENCODERS, kind
    flops = {tokens: float(autoencoder_flops(kind, config, tuple(shape))) for tokens, shape in shapes.items()}
    largest = max(flops, key=lambda tokens: flops[tokens])
    parameters, kept, peak = _autoencoder_bytes(kind, config, tuple(shapes[largest]))
    tables = [
        Table({tokens: size * value / flops[largest] for tokens, value in flops.items()}) for size in (kept, peak)
    ]
    return AutoencoderTrace(kind, 0, 1, 1, 0, parameters, 0, Table(flops), Line(0.0, 0.0), *tables)  # type: ignore[arg-type]


@lru_cache(maxsize=32)
def _autoencoder_bytes(kind: str, config: Any, shape: tuple[int, ...]) -> tuple[int, float, float]:
    """(parameters, bytes kept, most bytes held)."""
    with torch.device("meta"):
        network = KINDS[kind].network(config)
    parameters = sum(p.numel() for p in network.parameters())
    with fake():
        _make_fake(network)
        return parameters, *bytes_held(_ThereAndBack(network), (torch.empty(1, *shape),))


def _make_fake(network: nn.Module) -> None:
    """Puts fake weights in place: a module whose constructor converts itself cannot be built of them."""
    for module in network.modules():
        for store in (module._parameters, module._buffers):
            for name, tensor in store.items():
                if tensor is not None:
                    empty = torch.empty(tensor.shape, dtype=torch.bfloat16)
                    store[name] = nn.Parameter(empty) if isinstance(tensor, nn.Parameter) else empty  # type: ignore[assignment]
