"""Meshes worth planning for, and how fast their GPUs talk."""

from collections.abc import Iterator

from training.parallel.mesh import MeshSizes as Mesh

from .gpus import GPU, Rates


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
            if gpus % (tensor * context) or num_heads % (tensor * context) or context * tensor > 64:
                continue
            data = gpus // (tensor * context)
            yield from (Mesh(data // shard, shard, context, tensor) for shard in divisors(data))


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
