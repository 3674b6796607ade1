"""Model folders from weights that many ranks share: gathered tensor by tensor, written by the first rank as they come.

Only the first rank runs a module's `export`; the others follow it: told which network comes next, they give their parts of it.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from moviegen.contracts.lake import atomic_write
from moviegen.weights import save_whole, saving_by
from training.parallel.tensor_file import in_file_order, spec_of, write_tensors


def export_together(
    export: Callable[[], None], networks: Sequence[nn.Module], group: dist.ProcessGroup, is_first: bool
) -> None:
    """Runs `export` on the first rank, with the weights of `networks` gathered from all: the bytes are those that one rank writes, and
    no rank ever holds more than one whole tensor of them. To be called on all ranks."""
    if not is_first:
        while (number := _told(None, group)) is not None:
            for _ in gathered(networks[number].state_dict()):
                pass
        return
    try:
        with saving_by(partial(_save, networks, group)):
            export()
    finally:
        _told(None, group)


logging.getLogger("torch.distributed.tensor._redistribute").setLevel(
    logging.ERROR
)  # two gathers in a row: once an export, no loss


def gathered(state: Mapping[str, Tensor]) -> Iterator[Tensor]:
    """The whole tensors of a state, in the order of a file; on all ranks at once."""
    for name in in_file_order({name: spec_of(tensor) for name, tensor in state.items()}):
        tensor = state[name].detach()
        yield tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


@torch.no_grad()
def _save(networks: Sequence[nn.Module], group: dist.ProcessGroup, state: dict[str, Tensor], path: Path) -> None:
    if not any(isinstance(tensor, DTensor) for tensor in state.values()):
        save_whole(state, path)
        return
    number = next(i for i, network in enumerate(networks) if network.state_dict().keys() == state.keys())
    _told(number, group)
    tensors = gathered(state)
    try:
        with atomic_write(path) as temporary:
            write_tensors(temporary, {name: spec_of(tensor) for name, tensor in state.items()}, tensors)
    finally:
        for _ in tensors:  # what the disk refused: the others give it all the same
            pass


def _told(number: int | None, group: dist.ProcessGroup) -> int | None:
    """What the first rank says."""
    said = [number]
    dist.broadcast_object_list(said, src=0, group=group)
    return said[0]
