"""Which stages have more GPUs than samples to give them: asked of a whole recipe before anything is traced."""

from collections.abc import Sequence

from moviegen.errors import UsageError

from .job import Job
from .mesh import divisors, groups, meshes
from .work import AUTOENCODERS


def check_divisible(planned: Sequence[tuple[Job, int]], per_node: int, is_recipe: bool) -> None:
    """Raises UsageError naming every stage whose smallest batch cannot be divided among its GPUs in any mesh, and how many would do."""
    odd = []
    for job, gpus in planned:
        samples = min(each.samples for each in job.batches)
        heads = 1 if job.kind in AUTOENCODERS else job.config.num_heads
        if (most := most_gpus(samples, gpus, heads, per_node)) < gpus:
            flag = f"--gpus_of.{job.name}" if is_recipe else "--gpus"
            odd.append(f"{job.name}: batches of {samples} samples, {gpus} GPUs: {flag} {most}, or larger batches")
    if odd:
        raise UsageError(
            "moviegen train plan: batches cannot be divided among so many GPUs; each group takes a sample or more\n  "
            + "\n  ".join(odd)
        )


def most_gpus(samples: int, gpus: int, num_heads: int, per_node: int) -> int:
    """The most GPUs, `gpus` at most, that share a batch of `samples` evenly in some mesh; `gpus` itself where every group gets a sample."""
    if any(mesh.data_parallel <= samples for mesh in meshes(gpus, num_heads, per_node)):
        return gpus
    even = [count * group for group in groups(num_heads) for count in divisors(samples)]
    return max(number for number in even if number <= gpus)
