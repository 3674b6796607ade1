"""Which stages have more GPUs than samples to give them: asked of a whole recipe before anything is traced."""

from collections.abc import Sequence

from moviegen.errors import UsageError

from .job import Job
from .mesh import Mesh, divisors, groups, meshes
from .report import Bill
from .work import AUTOENCODERS


def check_divisible(planned: Sequence[tuple[Job, int]], per_node: int, is_recipe: bool) -> None:
    """Raises UsageError naming every stage whose smallest batch cannot be divided among its GPUs in any mesh, and how many would do."""
    odd = []
    for job, gpus in planned:
        samples = min(each.samples for each in job.batches)
        heads = 1 if job.kind in AUTOENCODERS else job.config.num_heads
        if (most := most_gpus(samples, gpus, heads, per_node)) < gpus:
            flag = f"--gpus_of.{job.name}" if is_recipe else "--gpus"
            odd.append(
                f"{job.name}: batches of {samples} samples, {gpus} GPUs: {flag} {most} at most, or larger batches"
            )
    if odd:
        raise UsageError(
            "moviegen train plan: --gpus 1 plans a tiny model; batches cannot be divided among so many GPUs (64 where none are named), "
            "each group takes a sample or more\n  " + "\n  ".join(odd)
        )


def undivided(bill: Bill, mesh: Mesh | None) -> str:
    """What is said of a size or a mesh whose batches cannot be divided."""
    samples = min(shape.samples for shape in bill.shapes)
    fewer = f" (--gpus_of.{bill.name} of a recipe)" if bill.is_stage else ""
    larger = "larger batches" if bill.is_stage else "a larger --global_batch"
    return (
        f"moviegen train plan: {bill.name}: use --gpus 1 or a few more{fewer}, {larger}, or larger context and tensor: batches of "
        f"{samples} samples cannot be divided among {bill.gpus} GPUs in "
        f"{'this mesh' if mesh else f'any mesh of {bill.trace.num_heads} heads'}, each group of GPUs takes one or more"
    )


def most_gpus(samples: int, gpus: int, num_heads: int, per_node: int) -> int:
    """The most GPUs, `gpus` at most, that share a batch of `samples` evenly in some mesh; `gpus` itself where every group gets a sample."""
    if any(mesh.data_parallel <= samples for mesh in meshes(gpus, num_heads, per_node)):
        return gpus
    even = [count * group for group in groups(num_heads) for count in divisors(samples)]
    return max(number for number in even if number <= gpus)
