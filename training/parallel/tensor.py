"""Tensor parallelism: the matrices of each block among ranks, and the tokens among them wherever no matrix is [S §3.1.6, App A.2].

Query, key, value, gate and input maps are divided by their outputs (heads, feed-forward units), output maps by their inputs. Each of the
three sub-layers gathers the tokens, works with its share of heads or units, and sums and scatters what comes out: 6 L D numbers a layer
and pass, of which (t - 1) / t come from others. Norms, modulation and residuals see a rank's own tokens only: the paper's sequence
parallelism. What is in no block is computed by every rank.

Every weight becomes a DTensor of one mesh: divided ones `Shard`, the others `Replicate`; names, and values of `full_tensor()`, stay. A
module reads its weights as plain local tensors, so that a forward is what it was.

**How gradients are to be reduced: not at all.** The gradient of a divided weight is complete for the part that is here, that of a weight
which all ranks hold is complete and equal on every tensor rank after the backward. Never average over the tensor dimension.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Placement, Replicate, Shard, distribute_tensor
from torch.distributed.tensor.parallel import ParallelStyle, parallelize_module

from moviegen.errors import UsageError
from moviegen.models.execution import blocks_of
from training.parallel.collectives import gather_rows, scatter_rows, sum_gradients
from training.parallel.context import division_of
from training.parallel.division import divide, transformer_of

BY_TOKEN = ("patch_in", "patch_out", "audio_in", "video_in", "audio_out", "final_norm")
"""Modules of a transformer, beside its blocks, that see a rank's own tokens: each rank has a part of their weights' gradients."""


def split_tensors(network: nn.Module, mesh: DeviceMesh) -> None:
    """Divides the matrices of a network's blocks among the ranks of a mesh of one dimension, in place; meta weights stay meta.

    Raises UsageError when heads or feed-forward units do not divide.
    """
    if mesh.size() == 1:
        return
    transformer = transformer_of(network)
    units = transformer.config.ffn_dim
    if units % mesh.size():
        raise UsageError(
            f"{type(transformer).__name__} has {units} feed-forward units, which mesh.tensor {mesh.size()} does not divide"
        )
    divide(network, replace(division_of(network), tensor=mesh.get_group()))
    for block in blocks_of(network):
        parallelize_module(block, mesh, _styles(block))
    for name in BY_TOKEN:
        if hasattr(transformer, name):
            Whole(sums_gradients=True)._apply(getattr(transformer, name), mesh)
    Whole(sums_gradients=False)._apply(network, mesh)


def _styles(block: nn.Module) -> Mapping[str, ParallelStyle]:
    """What becomes of each module of a block."""
    styles: dict[str, ParallelStyle] = {layer: GatherAndScatter() for layer in ("attention", "cross_attention", "ffn")}
    for name, module in block.named_modules():
        if isinstance(module, nn.Linear):
            styles[name] = Divided(Shard(1) if name.endswith(".output") else Shard(0))
    return {**styles, "": Whole(sums_gradients=True)}  # last: what is not divided by then


class Divided(ParallelStyle):
    """A linear map of which each rank has some of its outputs, `Shard(0)`, or inputs, `Shard(1)`."""

    def __init__(self, placement: Placement) -> None:
        self.placement = placement

    def _apply(self, module: nn.Module, device_mesh: DeviceMesh) -> nn.Module:
        _distribute(module, device_mesh, self.placement)
        return _read_locally(module, sums_gradients=False)


class Whole(ParallelStyle):
    """All weights of a module, and of those within it, that no other style has taken: every rank holds them."""

    def __init__(self, *, sums_gradients: bool) -> None:
        self.sums_gradients = sums_gradients
        """Whether each rank has a part of their gradients: where modules see some of the tokens, or some of the heads."""

    def _apply(self, module: nn.Module, device_mesh: DeviceMesh) -> nn.Module:
        for each in module.modules():
            if any(not isinstance(weight, DTensor) for weight in each.parameters(recurse=False)):
                _distribute(each, device_mesh, Replicate())
                _read_locally(each, sums_gradients=self.sums_gradients)
        return module


class GatherAndScatter(ParallelStyle):
    """A sub-layer of divided maps: it sees the tokens of all ranks, and of the sum of what they make of them each gets its own."""

    def _apply(self, module: nn.Module, device_mesh: DeviceMesh) -> nn.Module:
        group = device_mesh.get_group()

        def gather(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
            return gather_rows(args[0], group), *args[1:]

        def scatter(module: nn.Module, args: tuple[Any, ...], out: Tensor) -> Tensor:
            return scatter_rows(out, group)

        module.register_forward_pre_hook(gather)
        module.register_forward_hook(scatter)
        return module


def _distribute(module: nn.Module, mesh: DeviceMesh, placement: Placement) -> None:
    for name, weight in module.named_parameters(recurse=False):
        divided = nn.Parameter(distribute_tensor(weight, mesh, [placement]), requires_grad=weight.requires_grad)
        module.register_parameter(name, divided)


def _read_locally(module: nn.Module, *, sums_gradients: bool) -> nn.Module:
    """The module, which from now on reads its weights as the tensors that are here."""
    names = tuple(name for name, _ in module.named_parameters(recurse=False))
    module.__class__ = _reading_locally(type(module), names, sums_gradients)
    return module


@cache
def _reading_locally(kind: type[nn.Module], names: tuple[str, ...], sums_gradients: bool) -> type[nn.Module]:
    """A class of modules like `kind`: one for all that are alike, so that one compilation serves all blocks."""

    def reading(name: str) -> property:
        def read(module: nn.Module) -> Tensor | None:
            weight = module._parameters[name]
            if not isinstance(weight, DTensor) or weight.device_mesh.ndim > 1:
                return weight  # what FSDP2 puts in its place between two forwards
            here = weight.to_local()
            return sum_gradients(here, weight.device_mesh.get_group()) if sums_gradients else here

        return property(read)

    return type(f"Local{kind.__name__}", (kind,), {name: reading(name) for name in names})
