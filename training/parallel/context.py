"""Context parallelism: the tokens of one sample among ranks, each of which holds all weights [S §3.1.6].

Every rank of the group gets the same whole inputs and gives the same whole output; between the patches and the last linear map it has
only its own tokens. Cross-attention needs no word to the others: queries are divided, the text is whole. Self-attention sees the whole
sequence in one of two ways:

- `ulysses`: queries, keys and values change places, so that each rank has a share of the heads and all tokens, and the outcome changes
  back: 4 L D / c numbers a layer and pass, of which (c - 1) / c come from others; a quarter of gathering at c = 8. Heads must divide.
- `gather`: keys and values of all tokens are gathered, in the backward their gradients are summed and scattered; queries stay, as the
  paper has it [S §3.1.6]: 2 L D numbers a layer and pass. Any number of heads.

**How gradients are to be reduced.** The backward of the gathered output multiplies by the size c of the group, and nothing else is reduced
over it. So the gradient of each weight is, on each context rank, c x the part that comes of its tokens: *the mean over context ranks is the
gradient*, and they look exactly like data-parallel ranks that have all the same sample. FSDP2 over the flattened (shard, context) mesh with
its usual mean is right as it is. All of a group must have the same batch, noise and t.
"""

from dataclasses import replace

from torch import nn
from torch.distributed.device_mesh import DeviceMesh

from training.parallel.division import Division, divide, transformer_of
from training.plan.bill import ContextKind


def split_context(network: nn.Module, mesh: DeviceMesh, kind: ContextKind = "ulysses") -> None:
    """Divides the sequences of a network among the ranks of a mesh of one dimension, in place; names and values of weights stay.

    Raises UsageError when heads do not divide or when there is no transformer.
    """
    if mesh.size() > 1:
        divide(network, replace(division_of(network), context=mesh.get_group(), kind=kind))


def division_of(network: nn.Module) -> Division:
    """How a network's sequences are divided so far."""
    so_far = transformer_of(network).part_of
    return so_far if isinstance(so_far, Division) else Division()
