"""Networks larger than a rank's memory: the first rank alone builds the weights, the others their shapes; each then gets its part.

The weights are those of one rank, whatever the mesh: the first rank draws or loads them as one rank does, and sends them tensor by tensor.
"""

import os
import warnings
from collections.abc import Callable, Iterator, Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import checkpoint as dcp
from torch.distributed.tensor import DTensor

from training.parallel.storage import MemoryReader


def is_first_process() -> bool:
    """Whether this process will be rank 0, as far as its environment says before ranks are connected."""
    for name in ("RANK", "SLURM_PROCID"):
        if name in os.environ:
            return int(os.environ[name]) == 0
    return all(int(os.environ.get(name, 0)) == 0 for name in ("LOCAL_RANK", "NODE_RANK", "GROUP_RANK"))


@torch.no_grad()
def spread(module: nn.Module, networks: Sequence[nn.Module], divide: Callable[[], None], device: torch.device) -> None:
    """Has `divide` divide networks without memory, then fills this rank's part of them, and all else of the module, with what the first
    rank built. Raises ValueError when that rank built shapes alone."""
    is_first = dist.get_rank() == 0
    values = [dict(_tensors(network)) if is_first else {} for network in networks]
    if any(tensor.is_meta for state in values for tensor in state.values()):
        raise ValueError("the first rank has shapes alone: RANK, SLURM_PROCID or LOCAL_RANK must be 0 for it alone")
    for network in networks:
        network.to("meta")
    divide()
    for network, state in zip(networks, values, strict=True):
        network.to_empty(device=device)
        for name, target in _tensors(network):
            _fill(target, _sent(state.get(name), target, device))
    divided = {id(tensor) for network in networks for _, tensor in _tensors(network)}
    for _, tensor in _tensors(module):
        if id(tensor) not in divided:
            tensor.data = _sent(tensor.data if is_first else None, tensor, device)


def _tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()


def _sent(tensor: Tensor | None, target: Tensor, device: torch.device) -> Tensor:
    """A whole tensor of the first rank's, on every rank."""
    whole = torch.empty(target.shape, dtype=target.dtype, device=device)
    if tensor is not None:
        whole.copy_(tensor.detach())
    dist.broadcast(whole, 0)
    return whole


def _fill(target: Tensor, whole: Tensor) -> None:
    if not isinstance(target, DTensor):
        target.detach().copy_(whole)
        return
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="torch.distributed is disabled"
        )  # each rank has the whole, and takes its boxes
        dcp.load({"": target.detach()}, storage_reader=MemoryReader({"": whole}), no_dist=True)
