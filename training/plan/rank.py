"""Which plans fit, and which of them is quickest."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .bill import ContextKind, Memory, Seconds, Settings, memory, seconds
from .gpus import GPU, Rates
from .mesh import DIMS, Mesh, meshes
from .trace import Trace

AT_ONCE = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""Samples of the largest shape that a GPU is planned to take at a time."""


@dataclass(frozen=True)
class Shape:
    """Samples of one shape."""

    name: str
    tokens: int
    share: float
    """Of the steps."""
    samples: int
    """In a global batch of this shape."""
    frozen_flops: float = 0.0
    """Of encoders that do not train, a sample."""


@dataclass(frozen=True)
class Plan:
    """A way to run a stage, and what it costs."""

    mesh: Mesh
    settings: Settings
    """Of the largest shape."""
    memory: Memory
    """At the largest shape."""
    steps: tuple[Seconds, ...]
    """Of each shape."""
    step_s: float
    """Mean over the steps' shapes."""
    mfu: float
    """Model FLOPs over what the GPUs' data sheets allow in that time."""

    def fits(self, gpu: GPU) -> bool:
        """Whether the memory is there."""
        return self.memory.total <= gpu.memory


def plans(
    trace: Trace,
    shapes: Sequence[Shape],
    gpus: int,
    gpu: GPU,
    rates: Rates,
    settings: Settings,
    mesh: Mesh | None = None,
    kind: ContextKind | None = None,
) -> list[Plan]:
    """Plans from quick to slow; one that does not fit stands after all that do, the smallest first. `mesh`, `kind`: only that one.

    Of each mesh and kind of context parallelism the quickest: the size of a micro-batch, and as few recomputed blocks as fit.
    """
    found = []
    for each in [mesh] if mesh else meshes(gpus, trace.num_heads, gpu.per_node):
        kinds = (kind,) if kind and each.context > 1 else _kinds(trace.num_heads, each)
        if all(shape.samples >= each.data_parallel for shape in shapes):
            found += [_best(trace, shapes, each, gpu, rates, replace(settings, context_kind=kind)) for kind in kinds]
    return sorted(found, key=lambda plan: (not plan.fits(gpu), plan.step_s if plan.fits(gpu) else plan.memory.total))


def _kinds(num_heads: int, mesh: Mesh) -> tuple[ContextKind, ...]:
    """The kinds of context parallelism that are to be chosen from: only gathering takes any number of heads."""
    if mesh.context == 1:
        return ("ulysses",)
    return ("gather",) if num_heads % (mesh.context * mesh.tensor) else ("ulysses", "gather")


def nearest(found: Sequence[Plan], mesh: Mesh, gpu: GPU) -> list[Plan]:
    """Plans that fit, those of the likest meshes first: fewest doublings and halvings away; the smallest where none fits."""

    def distance(plan: Plan) -> float:
        return sum(abs(math.log2(getattr(plan.mesh, name) / getattr(mesh, name))) for name in DIMS)

    fitting = [plan for plan in found if plan.fits(gpu)]
    return sorted(fitting, key=lambda plan: (distance(plan), plan.step_s)) or list(found)


def micro_batch(own: int, limit: int) -> int:
    """Samples at a time, at most `limit`, so that `own` samples are taken in equal parts as nearly as whole samples allow."""
    times = -(-own // max(1, min(limit, own)))
    return -(-own // times)


def _best(trace: Trace, shapes: Sequence[Shape], mesh: Mesh, gpu: GPU, rates: Rates, settings: Settings) -> Plan:
    """The quickest of a mesh over the sizes of micro-batches; the smallest where nothing fits."""
    largest = max(shapes, key=lambda shape: shape.tokens)
    own = -(-largest.samples // mesh.data_parallel)
    sizes = sorted({micro_batch(own, n) for n in AT_ONCE})
    found = [_least_recomputed(trace, shapes, mesh, gpu, rates, replace(settings, micro_batch=n)) for n in sizes]
    fitting = [plan for plan in found if plan.fits(gpu)]
    return min(fitting, key=lambda plan: plan.step_s) if fitting else found[0]


def _least_recomputed(
    trace: Trace, shapes: Sequence[Shape], mesh: Mesh, gpu: GPU, rates: Rates, settings: Settings
) -> Plan:
    """The plan with the fewest recomputed blocks that fit. Smaller shapes take as many tokens at a time as the largest does."""
    most = max(shape.tokens for shape in shapes)
    low, high = 0, trace.max_recomputed
    while low < high:  # memory falls with each block
        middle = (low + high) // 2
        fits = memory(trace, mesh, replace(settings, recomputed=middle), most).total <= gpu.memory
        low, high = (low, middle) if fits else (middle + 1, high)
    largest = max(shapes, key=lambda shape: shape.tokens)
    parts = -(-largest.samples // mesh.data_parallel // settings.micro_batch)
    settings = replace(settings, recomputed=low, accumulate=parts)
    steps, work, mean_s = [], 0.0, 0.0
    for shape in shapes:
        own = -(-shape.samples // mesh.data_parallel)  # the rank with most samples: the others wait
        micro = micro_batch(own, settings.micro_batch * most // shape.tokens)
        own_settings = replace(settings, micro_batch=micro, accumulate=-(-own // micro))
        step = seconds(trace, mesh, own_settings, shape.tokens, gpu, rates, shape.frozen_flops)
        steps.append(step)
        work += shape.share * shape.samples * trace.train_flops(shape.tokens)
        mean_s += shape.share * step.total
    mfu = work / (mean_s * mesh.gpus * gpu.flops)
    return Plan(mesh, settings, memory(trace, mesh, settings, most), tuple(steps), mean_s, mfu)
