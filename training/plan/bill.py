"""One plan and what it costs: memory a GPU by part, bytes sent, seconds a step. Pure functions of a trace, a mesh and rates."""

from dataclasses import dataclass, fields
from typing import Literal

from .gpus import GPU, Rates
from .mesh import Mesh, receive_rate
from .trace import Trace

HALF, FULL = 2, 4
"""Bytes of bf16 and of fp32."""

RESERVE = 6e9
"""Bytes a GPU holds beside ours: CUDA's context, NCCL's buffers, what is lost between blocks. Our assumption."""

ContextKind = Literal["ulysses", "gather"]
"""How attention sees a divided sequence: all-to-all to whole heads, or keys and values gathered as in the paper [S §3.1.6]."""


@dataclass(frozen=True)
class Settings:
    """What of a plan is chosen beside the mesh."""

    micro_batch: int = 1
    """Samples that a data-parallel group takes at a time."""
    accumulate: int = 1
    """Micro-batches a step."""
    recomputed: int = 0
    """Blocks whose inner activations are computed again in the backward."""
    context_kind: ContextKind = "ulysses"
    ema: bool = True
    """Whether an average of the weights is kept, sharded, in fp32."""
    frozen_bytes: float = 0.0
    """Of networks beside it that are not trained: text encoders, autoencoder."""


@dataclass(frozen=True)
class Memory:
    """Bytes a GPU holds at its fullest moment, by part."""

    weights: float
    """fp32, sharded."""
    gradients: float
    optimizer: float
    """AdamW's two moments, fp32, sharded."""
    ema: float
    gathered: float
    """bf16 weights of the block at work, the next one and of what is in no block; gradients on their way to their shard."""
    kept: float
    """What blocks keep for their backward."""
    live: float
    """What the block at work holds at its fullest beside that."""
    frozen: float
    reserve: float

    @property
    def total(self) -> float:
        """All of it."""
        return sum(getattr(self, f.name) for f in fields(self))


def memory(trace: Trace, mesh: Mesh, settings: Settings, tokens: int) -> Memory:
    """What a GPU holds when its largest samples have so many tokens."""
    state = trace.parameters / (mesh.weight_shards * mesh.tensor)
    block, local, micro = trace.block_parameters / mesh.tensor, tokens / mesh.context, settings.micro_batch
    inputs = micro * local * trace.dim * HALF / mesh.tensor
    beside = _kept_by_division(trace, mesh, settings, tokens)
    kept = micro * trace.kept.at(local) / mesh.tensor + beside
    whole = trace.num_layers - settings.recomputed
    return Memory(
        weights=FULL * state,
        gradients=FULL * state,
        optimizer=2 * FULL * state,
        ema=FULL * state * settings.ema,
        gathered=(2 * block + 2 * block + trace.other_parameters / mesh.tensor) * HALF
        if mesh.weight_shards > 1
        else HALF * trace.parameters / mesh.tensor,
        kept=whole * kept + settings.recomputed * inputs + 2 * inputs,
        live=micro * trace.peak.at(local) / mesh.tensor + beside - (kept if whole else 0.0),
        frozen=settings.frozen_bytes,
        reserve=RESERVE,
    )


def _kept_by_division(trace: Trace, mesh: Mesh, settings: Settings, tokens: int) -> float:
    """Bytes that a block keeps because it is divided: each sub-layer's input is that of all tensor ranks, and where keys and values are
    gathered, they are those of all context ranks."""
    states = settings.micro_batch * tokens * trace.dim * HALF
    gathered = 3 * states / mesh.context * _others(mesh.tensor)
    if settings.context_kind == "gather":
        gathered += 2 * states / mesh.tensor * _others(mesh.context)
    return gathered


@dataclass(frozen=True)
class Seconds:
    """Seconds of one step, by part."""

    linear: float
    attention: float
    traffic: float
    """Of reading and writing activations in what is no matrix product."""
    sharding: float
    """Gathering weights and scattering gradients, as far as they do not hide behind the computing."""
    replicas: float
    context: float
    tensor: float
    frozen: float = 0.0
    """Of encoders that do not train."""

    @property
    def total(self) -> float:
        """All of it."""
        return sum(getattr(self, f.name) for f in fields(self))


def seconds(
    trace: Trace, mesh: Mesh, settings: Settings, tokens: int, gpu: GPU, rates: Rates, frozen_flops: float = 0.0
) -> Seconds:
    """Predicted seconds of one step, in all of whose samples there are so many tokens; `frozen_flops` of encoders a sample, which every
    GPU of those that share the sample computes."""
    layers, again = trace.num_layers, settings.recomputed / trace.num_layers
    times, parts = settings.micro_batch * settings.accumulate, mesh.context * mesh.tensor
    text = trace.linear.fixed * (mesh.context - 1)  # every part of a sequence maps the whole text
    linear = times * (layers * (trace.linear.at(tokens) + text) + trace.other.at(tokens)) / parts
    attention = times * layers * trace.attention(tokens) / parts
    kept = times * layers * trace.kept.at(tokens / mesh.context) / mesh.tensor
    compute = {
        "linear": linear * (3 + again) / (gpu.flops * rates.linear),
        "attention": attention * ((1 + again) / rates.attention + 2.5 / rates.attention_backward) / gpu.flops,
        "traffic": kept * (3 + 2 * again) / (gpu.memory_rate * rates.memory),
    }
    sent = traffic(trace, mesh, settings, tokens)
    inner = {"tensor": 1, "context": mesh.tensor, "sharding": mesh.tensor, "replicas": mesh.tensor * mesh.weight_shards}
    sizes = {
        "tensor": mesh.tensor, "context": mesh.context, "sharding": mesh.weight_shards, "replicas": mesh.replicate,
    }  # fmt: skip
    spent = {name: sent[name] / receive_rate(gpu, inner[name], sizes[name], rates) for name in sent}
    hidden = min(spent["sharding"], rates.overlap * sum(compute.values()))
    frozen = times * frozen_flops / (gpu.flops * rates.linear)
    return Seconds(**compute, **{**spent, "sharding": spent["sharding"] - hidden}, frozen=frozen)


def traffic(trace: Trace, mesh: Mesh, settings: Settings, tokens: int) -> dict[str, float]:
    """Bytes a GPU receives in one step, by dimension of the mesh."""
    times, layers = settings.micro_batch * settings.accumulate, trace.num_layers
    runs = 2 + settings.recomputed / layers  # forward, backward, forward again
    states = times * tokens * trace.dim * HALF  # the stream of one block
    if settings.context_kind == "ulysses":
        context = layers * runs * 4 * states / (mesh.context * mesh.tensor)
    else:
        context = layers * runs * 2 * states / mesh.tensor  # the backward scatters sums of gradients
    shards, weights = mesh.weight_shards, trace.parameters / mesh.tensor
    return {
        # each of three sub-layers gathers the sequence and scatters its sums
        "tensor": layers * runs * 6 * states / mesh.context * _others(mesh.tensor),
        "context": context * _others(mesh.context),
        "sharding": settings.accumulate * weights * (2 * HALF + FULL) * _others(shards),
        "replicas": 2 * FULL * weights / shards * _others(mesh.replicate),
    }


def _others(size: int) -> float:
    return (size - 1) / size
