"""Ranks that share a network, and what they find: run by `test_split.py`; forked, so that PyTorch is imported once.

python split_ranks.py WORLD OUTPUT.json
"""

import json
import multiprocessing
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from split_cases import CASES, CLIP, T, draw, text, video_dit
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor, Replicate

from moviegen.models.execution import blocks_of, set_checkpointing
from moviegen.models.text import TextContext
from training.parallel import collectives
from training.parallel.context import split_context
from training.parallel.tensor import split_tensors


@dataclass(frozen=True)
class Division:
    context: int
    tensor: int
    kind: str = "ulysses"

    def __str__(self) -> str:
        return f"context {self.context} {self.kind}, tensor {self.tensor}"


DIVISIONS = [
    Division(2, 1), Division(4, 1), Division(2, 1, "gather"), Division(4, 1, "gather"),
    Division(1, 2), Division(1, 4), Division(2, 2), Division(2, 2, "gather"),
]  # fmt: skip


@cache
def mesh_of(context: int, tensor: int) -> DeviceMesh:
    data = dist.get_world_size() // (context * tensor)
    return init_device_mesh("cpu", (data, context, tensor), mesh_dim_names=("data", "context", "tensor"))


def split(network: nn.Module, division: Division) -> nn.Module:
    """The network, divided in place."""
    mesh = mesh_of(division.context, division.tensor)
    split_tensors(network, mesh["tensor"])
    split_context(network, mesh["context"], division.kind)
    return network


def build(case: str) -> nn.Module:
    """The same random network on every rank; at initialisation its output would be zero."""
    network = CASES[case][0]().double()
    torch.manual_seed(1)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2)
    return network


def step(network: nn.Module, case: str) -> tuple[Tensor, Tensor, Tensor]:
    """(output, loss, gradient of x_t)."""
    x_t, *rest = CASES[case][1]
    x_t = x_t.clone().requires_grad_()
    out = network(x_t, *rest)
    loss = F.mse_loss(out, draw(*out.shape, seed=9))
    loss.backward()
    return out.detach(), loss.detach(), x_t.grad


@cache
def reference(case: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """(what one rank gets, its weights)."""
    network = build(case)
    out, loss, of_input = step(network, case)
    found = {name: parameter.grad for name, parameter in network.named_parameters()}
    return {"output": out, "loss": loss, "input": of_input, **found}, network.state_dict()


def mean(tensors: dict[str, Tensor], mesh: DeviceMesh) -> dict[str, Tensor]:
    """Of the ranks of a mesh; one message for all tensors."""
    flat = torch.cat([each.flatten() for each in tensors.values()])
    dist.all_reduce(flat, group=mesh.get_group())
    parts = (flat / mesh.size()).split([each.numel() for each in tensors.values()])
    return {name: part.view_as(each) for (name, each), part in zip(tensors.items(), parts, strict=True)}


def gradients(network: nn.Module, mesh: DeviceMesh) -> dict[str, Tensor]:
    """The whole gradients, reduced as `training.parallel.context` says; those all tensor ranks hold are checked to be equal there."""
    found = {name: parameter.grad for name, parameter in network.named_parameters()}
    if copies := [
        g.to_local().flatten() for g in found.values() if isinstance(g, DTensor) and g.placements == (Replicate(),)
    ]:
        same = collectives.all_gather(torch.cat(copies)[None], mesh["tensor"].get_group())
        assert all(torch.equal(each, same[0]) for each in same)
    return mean({name: whole(g) for name, g in found.items()}, mesh["context"])


def divided(case: str, division: Division, recomputed: dict[str, int] | None = None) -> dict[str, Tensor]:
    """What the ranks of a division get, put together."""
    network, mesh = split(build(case), division), mesh_of(division.context, division.tensor)
    set_checkpointing(network, recomputed or {})
    out, loss, of_input = step(network, case)
    return {"output": out, "loss": loss, **mean({"input": of_input}, mesh["context"]), **gradients(network, mesh)}


def whole(value: Tensor) -> Tensor:
    return value.full_tensor() if isinstance(value, DTensor) else value


def has_the_same_state(case: str, division: Division) -> bool:
    """Whether the whole weights of a divided network have the names and values of the undivided one."""
    network = split(build(case), division)
    state, wanted = {name: whole(value) for name, value in network.state_dict().items()}, reference(case)[1]
    return list(state) == list(wanted) and all(torch.equal(value, wanted[name]) for name, value in state.items())


def sharded(case: str, division: Division) -> dict[str, Tensor]:
    """The same with FSDP2 over the context ranks, its own mean and nothing else."""
    from torch.distributed.fsdp import fully_shard

    network, mesh = split(build(case), division), mesh_of(division.context, division.tensor)
    set_checkpointing(network, {"block": 1, "ffn": 2})
    for block in blocks_of(network):
        fully_shard(block, mesh=mesh["context"])
    fully_shard(network, mesh=mesh["context"])
    out, loss, _ = step(network, case)
    found = {name: whole(parameter.grad) for name, parameter in network.named_parameters()}
    return {"output": out, "loss": loss, **found}


def error(found: dict[str, Tensor], case: str) -> float:
    """The largest difference from one rank, over the largest number of its tensor."""
    wanted = reference(case)[0]
    assert set(found) >= set(wanted) - {"input"}
    differences = [
        float((value - wanted[name]).abs().max() / wanted[name].abs().max().clamp_min(1e-300))
        for name, value in found.items()
    ]
    return max(differences)


@contextmanager
def counted() -> Iterator[dict[str, int]]:
    """Bytes this rank receives from others, by collective."""
    received: dict[str, int] = {}
    places = (
        (collectives, "_all_gather"),
        (collectives, "_reduce_scatter"),
        (dist, "all_to_all_single"),
        (dist, "all_reduce"),
    )
    plain = [getattr(*place) for place in places]

    def counting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*tensors: Tensor, group: Any) -> Any:
            size, whole_bytes = group.size(), max(each.nbytes for each in tensors)
            passes = 2 if name == "all_reduce" else 1  # a ring scatters and gathers
            received[name] = received.get(name, 0) + passes * whole_bytes * (size - 1) // size
            return function(*tensors, group=group)

        return call

    for (module, name), function in zip(places, plain, strict=True):
        setattr(module, name, counting(name.strip("_"), function))
    try:
        yield received
    finally:
        for (module, name), function in zip(places, plain, strict=True):
            setattr(module, name, function)


def bytes_received(division: Division, num_layers: int, recomputed: int) -> dict[str, int]:
    """Bytes of one step of the video transformer, by collective."""
    network = split(video_dit(num_layers=num_layers).double(), division)
    set_checkpointing(network, {"block": recomputed})
    with counted() as received:
        F.mse_loss(network(*CASES["video"][1]), draw(*CLIP, seed=9)).backward()
    return received


def per_layer(division: Division, recomputed: bool) -> dict[str, int]:
    """Bytes that one more layer makes a rank receive."""
    less, more = (bytes_received(division, n, n * recomputed) for n in (2, 3))
    return {name: more[name] - less[name] for name in more}


KEPT = (
    Division(1, 1),
    Division(4, 1),
    Division(4, 1, "gather"),
    Division(1, 4),
    Division(2, 2),
    Division(2, 2, "gather"),
)
LONG = {"max_frames": 8, "max_height": 8, "max_width": 8}
"""Patches of a clip of so many tokens that the text beside them is little."""


def bytes_kept(division: Division, num_layers: int) -> int:
    """Bytes of activations that a forward of one long clip keeps for its backward."""
    network = split(video_dit(num_layers=num_layers, **LONG).double(), division)
    weights = {here(p).untyped_storage().data_ptr() for p in network.parameters()}
    kept: dict[int, Tensor] = {}
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.setdefault(id(x), x), lambda x: x):
        out = network(draw(1, 4, 8, 16, 16), T[:1], [TextContext(c.features[:1], c.mask[:1]) for c in text()])
    storages = {x.untyped_storage().data_ptr(): x.untyped_storage().nbytes() for x in kept.values()}
    assert out.requires_grad
    return sum(size for place, size in storages.items() if place not in weights)


def here(value: Tensor) -> Tensor:
    return value.to_local() if isinstance(value, DTensor) else value


def fitting(*divisions: Division) -> list[Division]:
    """Those for which there are ranks enough."""
    return [d for d in divisions if d.context * d.tensor <= dist.get_world_size()]


def results() -> dict[str, Any]:
    """Everything that is found, as JSON."""
    both, odd = Division(2, 2), "video, odd length"
    errors = {f"{odd}: {d}": error(divided(odd, d), odd) for d in fitting(*DIVISIONS)}
    for case in (each for each in CASES if each != odd):
        some = fitting(Division(4, 1), Division(2, 2, "gather")) or fitting(Division(2, 1), Division(1, 2))
        errors |= {f"{case}: {d}": error(divided(case, d), case) for d in some}
    recomputed = {"block": 1, "attention": 2, "cross_attention": 2, "ffn": 2}
    errors |= {f"recomputed: {d}": error(divided(odd, d, recomputed), odd) for d in fitting(both)}
    errors |= {f"sharded: {d}": error(sharded(odd, d), odd) for d in fitting(Division(4, 1), Division(2, 2, "gather"))}
    return {
        "errors": errors,
        "state": {case: has_the_same_state(case, d) for case in CASES for d in fitting(both)},
        "kept": {str(d): bytes_kept(d, 3) - bytes_kept(d, 2) for d in fitting(*KEPT)},
        "bytes": {
            f"{d}, recomputed {again}": per_layer(d, bool(again))
            for d in fitting(Division(4, 1), Division(4, 1, "gather"), Division(1, 4), both)
            for again in (0, 1)
        },
    }


def rank_of(rank: int, world: int, output: Path) -> None:
    """One rank; the first writes what all have found."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{output}.meet", rank=rank, world_size=world)
    found: list[Any] = [None] * world
    dist.all_gather_object(found, results())
    if rank == 0:
        output.write_text(json.dumps(found))
    dist.destroy_process_group()


def main(world: str, output: str) -> None:
    """All ranks; ends with 1 when one of them failed."""
    fork = multiprocessing.get_context("fork")
    ranks = [fork.Process(target=rank_of, args=(rank, int(world), Path(output))) for rank in range(int(world))]
    for each in ranks:
        each.start()
    for each in ranks:
        each.join()
    sys.exit(any(each.exitcode for each in ranks))


if __name__ == "__main__":
    main(*sys.argv[1:])
