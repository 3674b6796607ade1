"""How GPUs are divided: replicas, shards of the weights, parts of a sequence, parts of a matrix; innermost last."""

import warnings
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from moviegen.errors import UsageError

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh

DIMS = ("replicate", "shard", "context", "tensor")
"""Names of the mesh's dimensions, outermost first: tensor ranks are neighbours, since they talk most."""

FSDP = "shard_context"
"""The flattened dimension that weights are sharded over: context ranks hold the same weights, so they share in holding them."""

DATA = "replicate_shard"
"""The flattened dimension whose ranks see samples of their own."""

GRADIENTS = "replicate_shard_context"
"""The flattened dimension over which gradients of weights that every rank holds are averaged."""


@dataclass(frozen=True)
class MeshSizes:
    """A mesh of `gpus` GPUs. Weights are sharded over `shard` and `context`, as FSDP2 does when a sequence is divided too."""

    replicate: int = 1
    """Copies of the sharded weights."""
    shard: int = 1
    """Ranks with samples of their own that share in holding the weights."""
    context: int = 1
    """Ranks that share the tokens of one sample."""
    tensor: int = 1
    """Ranks that share each matrix."""

    def __post_init__(self) -> None:
        if odd := [field.name for field in fields(self) if getattr(self, field.name) < 1]:
            raise ValueError(f"mesh.{odd[0]} is {getattr(self, odd[0])}, wanted 1 or more")

    @property
    def gpus(self) -> int:
        """All of them."""
        return self.replicate * self.shard * self.context * self.tensor

    @property
    def data_parallel(self) -> int:
        """Groups of GPUs that see samples of their own."""
        return self.replicate * self.shard

    @property
    def weight_shards(self) -> int:
        """GPUs over which a weight's rows are divided, beside tensor parallelism."""
        return self.shard * self.context

    def __str__(self) -> str:
        return f"{self.replicate}x{self.shard}x{self.context}x{self.tensor}"


def check_world(sizes: MeshSizes, world_size: int) -> None:
    """Raises UsageError when a mesh has not as many ranks as there are."""
    if sizes.gpus == world_size:
        return
    product = " x ".join(f"{name} {getattr(sizes, name)}" for name in DIMS)
    rest = world_size * sizes.shard // sizes.gpus if world_size * sizes.shard % sizes.gpus == 0 else 0
    hint = f"--trainer.strategy.mesh.shard {rest} fits" if rest else "their product must be devices x num_nodes"
    raise UsageError(f"trainer.strategy.mesh: {product} is {sizes.gpus} ranks, but {world_size} run; {hint}")


def build_mesh(sizes: MeshSizes, device_type: str) -> "DeviceMesh":
    """The mesh over all ranks of the default process group, dimensions `DIMS`, flattened ones `FSDP`, `DATA` and `GRADIENTS` beside
    them. Raises UsageError when the sizes do not fit the number of ranks."""
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh

    check_world(sizes, dist.get_world_size())
    mesh = init_device_mesh(device_type, tuple(getattr(sizes, name) for name in DIMS), mesh_dim_names=DIMS)
    mesh["shard", "context"]._flatten(FSDP)
    mesh["replicate", "shard"]._flatten(DATA)
    mesh["replicate", "shard", "context"]._flatten(GRADIENTS)
    return mesh


def part(mesh: "DeviceMesh", *names: str) -> "DeviceMesh":
    """The dimensions of those names, flattened ones too."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="Slicing a flattened dim"
        )  # there is no public way to say it otherwise
        return mesh[names]


def data_ranks(trainer: Any) -> tuple[int, int]:
    """(rank, number of ranks) of those that see samples of their own; (0, 1) without a trainer or with one process.

    Context and tensor ranks of one group read the same batch. Lightning asks strategies for this by the name of its own sampler."""
    kwargs = getattr(trainer, "distributed_sampler_kwargs", None)
    return (int(kwargs["rank"]), int(kwargs["num_replicas"])) if kwargs else (0, 1)
