"""Meshes worth planning for, and how fast their GPUs talk."""

from collections.abc import Iterator

from moviegen.errors import UsageError
from training.parallel.mesh import DIMS
from training.parallel.mesh import MeshSizes as Mesh

from .gpus import GPU, Rates

MAX_GROUP = 64
"""GPUs that share a sample at most: our decision."""


def parse_mesh(text: str, gpus: int) -> Mesh:
    """The mesh of `shard=8,context=2` or of `1x8x2x1`; the rest of `gpus` (0: any number) are replicas. Raises UsageError."""
    sizes = (
        dict(zip(DIMS, text.split("x"), strict=False))
        if "=" not in text and text.count("x") == 3
        else _named_sizes(text)
    )
    if not sizes or not set(sizes) <= set(DIMS) or not all(size.isdigit() and int(size) for size in sizes.values()):
        raise UsageError(
            f"--mesh {text}: wanted sizes by name, such as shard=8,context=2, or replicas x shards x context x tensor, such as 1x8x8x1"
        )
    mesh = Mesh(**{name: int(size) for name, size in sizes.items()})
    if gpus and "replicate" not in sizes and gpus % mesh.gpus == 0:
        mesh = Mesh(gpus // mesh.gpus, mesh.shard, mesh.context, mesh.tensor)
    if gpus and mesh.gpus != gpus:
        raise UsageError(f"--mesh {text} has {mesh.gpus} GPUs, --gpus says {gpus}")
    return mesh


def _named_sizes(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(",")]
    return {name.strip(): size.strip() for name, equals, size in pairs if equals}


def global_batch(per_gpu: int, gpus: int, tensor: int, context: int) -> int:
    """Samples of one step: per GPU x GPUs / (tensor x context) [S Table 3]. Raises ValueError when that is not whole."""
    samples, rest = divmod(per_gpu * gpus, tensor * context)
    if rest:
        raise ValueError(f"{per_gpu} x {gpus} GPUs is no multiple of tensor {tensor} x context {context}")
    return samples


def meshes(gpus: int, num_heads: int, per_node: int) -> Iterator[Mesh]:
    """Every mesh worth looking at: heads divide by context x tensor (all-to-all gives each GPU whole heads), tensor stays in a node."""
    for tensor in _powers(min(8, per_node, gpus)):
        for context in divisors(gpus // tensor):
            if gpus % (tensor * context) or num_heads % (tensor * context) or context * tensor > MAX_GROUP:
                continue
            data = gpus // (tensor * context)
            yield from (Mesh(data // shard, shard, context, tensor) for shard in divisors(data))


def groups(num_heads: int) -> list[int]:
    """GPUs that one batch's sample may be divided among in `meshes`: sizes of context x tensor, in order."""
    return [size for size in range(1, MAX_GROUP + 1) if num_heads % size == 0]


def receive_rate(gpu: GPU, inner: int, size: int, rates: Rates) -> float:
    """Bytes/s that a GPU receives in a ring of `size`, whose neighbours are `inner` apart: within a node from its own, between
    nodes through the cards of all its members there, of which each ring uses one (our model)."""
    if inner * size <= gpu.per_node:
        return gpu.node_rate * rates.link
    members = max(1, gpu.per_node // inner)
    return min(gpu.node_rate, members * gpu.network_rate) * rates.link


def divisors(number: int) -> list[int]:
    """Whole numbers that divide it, in order."""
    return [n for n in range(1, number + 1) if number % n == 0]


def _powers(most: int) -> list[int]:
    return [2**n for n in range(most.bit_length()) if 2**n <= most]
