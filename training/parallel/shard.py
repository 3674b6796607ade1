"""How a stage's networks are divided over a mesh, beside the models, which know nothing of it.

The transformer is sharded block by block (FSDP2 [PyTorch], as the paper does with FSDP [S §3.1.6]). What else trains (text and
vision encoders, autoencoders and their judges) is small: every rank holds it whole, and gradients are averaged after the backward.
Frozen networks are whole on every rank.
"""

from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor

from moviegen.models.execution import blocks_of
from training.parallel.mesh import FSDP, GRADIENTS, part


def shard_network(network: nn.Module, mesh: DeviceMesh, policy: MixedPrecisionPolicy) -> None:
    """Divides a transformer's weights over `shard` x `context`, copies of which `replicate` has: block by block, and the rest as one,
    so that a rank never holds more than two blocks whole."""
    over = part(mesh, "replicate", FSDP) if mesh["replicate"].size() > 1 else part(mesh, FSDP)
    for module in (*blocks_of(network), network):
        fully_shard(module, mesh=over, mp_policy=policy, reshard_after_forward=True)  # after validation too


def mixed_precision(is_bf16: bool, is_reduced_in_bf16: bool) -> MixedPrecisionPolicy:
    """Weights in float32 that are gathered and used in bfloat16, or as they are; gradients summed in float32 unless told otherwise."""
    if not is_bf16:
        return MixedPrecisionPolicy()
    reduce = torch.bfloat16 if is_reduced_in_bf16 else torch.float32
    return MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=reduce, output_dtype=torch.float32)


@torch.no_grad()
def average_gradients(parameters: Iterable[nn.Parameter], mesh: DeviceMesh) -> None:
    """Averages the gradients of weights that every rank holds whole. One that no rank has stays absent, as on one rank."""
    group = part(mesh, GRADIENTS).get_group()
    size = dist.get_world_size(group)
    whole = [p for p in parameters if p.requires_grad and not isinstance(p, DTensor)]
    dtypes = sorted({p.dtype for p in whole}, key=str) if size > 1 else []  # a set has another order on each rank
    for dtype in dtypes:
        mine = [p for p in whole if p.dtype == dtype]
        flags = torch.tensor([float(p.grad is not None) for p in mine], dtype=dtype, device=mine[0].device)
        flat = torch.cat([*(_gradient(p).reshape(-1) for p in mine), flags])
        dist.all_reduce(flat, group=group)
        flat /= size
        parts = flat[: -len(mine)].split([p.numel() for p in mine])
        for parameter, mean, share in zip(mine, parts, flat[-len(mine) :].tolist(), strict=True):
            parameter.grad = mean.view_as(parameter).clone() if share else None


def _gradient(parameter: nn.Parameter) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
