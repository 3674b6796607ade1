"""Norm and clipping of gradients that lie on one rank or in parts on many."""

from collections.abc import Iterable, Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor


def local(tensor: Tensor) -> Tensor:
    """This rank's part of a tensor, sharing its memory."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def gradients_of(parameters: Iterable[Tensor]) -> list[Tensor]:
    """The gradients there are."""
    return [p.grad for p in parameters if p.grad is not None]


@torch.no_grad()
def total_norm(gradients: Sequence[Tensor]) -> Tensor:
    """Euclidean norm of all gradients together, the same on every rank; NaN or infinite when any rank's is."""
    if not any(isinstance(gradient, DTensor) for gradient in gradients):
        return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(list(gradients))))
    squares = []
    for parts in _by_layout(gradients).values():
        norms = [norm.double() for norm in torch._foreach_norm([local(part) for part in parts])]
        square = torch.stack(norms).square().sum()
        for group in _groups(parts[0]):
            dist.all_reduce(square, group=group)
        squares.append(square)
    return torch.stack(squares).sum().sqrt()


def _by_layout(gradients: Sequence[Tensor]) -> dict[object, list[Tensor]]:
    """The gradients by the mesh dimensions that they are divided over."""
    layouts: dict[object, list[Tensor]] = {}
    for gradient in gradients:
        key = (gradient.device_mesh, gradient.placements) if isinstance(gradient, DTensor) else None
        key = (key[0], tuple(p.is_shard() for p in key[1])) if key else None
        layouts.setdefault(key, []).append(gradient)
    return layouts


def _groups(gradient: Tensor) -> list[dist.ProcessGroup]:
    if not isinstance(gradient, DTensor):
        return []
    mesh: DeviceMesh = gradient.device_mesh
    return [mesh.get_group(i) for i, placement in enumerate(gradient.placements) if placement.is_shard()]


@torch.no_grad()
def clip_norm(parameters: Iterable[nn.Parameter], largest: float) -> Tensor:
    """Scales gradients in place so that their norm is at most `largest`; the norm before. As torch's own where they lie on one rank."""
    parameters = list(parameters)
    gradients = gradients_of(parameters)
    if not any(isinstance(gradient, DTensor) for gradient in gradients):
        return nn.utils.clip_grad_norm_(parameters, largest)
    norm = total_norm(gradients)
    factor = (largest / (norm + 1e-6)).clamp(max=1.0)
    torch._foreach_mul_([local(gradient) for gradient in gradients], factor)
    return norm
