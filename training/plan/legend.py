"""What the columns of a plan are, and when a plan leaves too little memory."""

from .gpus import GPU
from .rank import Plan

TIGHT = 0.95
"""Share of a GPU's memory from which on a plan is tight: what a step holds is predicted to 5% (tests/training/plan)."""

LEGEND = (
    "batch: samples of all GPUs in one step. GB of one GPU: state = weights, gradients, AdamW's moments, EMA;",
    "gathered = weights of the blocks at work; kept = activations for the backward; live = those of the block at work;",
    "rest = networks that do not train, and 6 GB for CUDA and NCCL.",
)

RECIPE_LEGEND = (
    "mesh: replicas x shards x context x tensor; again: blocks computed again; micro: samples at a time; GB: of one GPU;",
    f"tight: over {TIGHT:.0%} of the memory, which is predicted to {1 - TIGHT:.0%}",
)


def is_tight(plan: Plan, gpu: GPU) -> bool:
    """Whether a plan fits with less to spare than the prediction may be wrong by."""
    return plan.fits(gpu) and plan.memory.total > TIGHT * gpu.memory


def warning(plan: Plan, gpu: GPU, max_recomputed: int) -> str:
    """What is said of a tight plan."""
    left = (gpu.memory - plan.memory.total) / 1e9
    more = "" if plan.settings.recomputed >= max_recomputed else ", or compute more blocks again"
    return (
        f"warning: {plan.memory.total / 1e9:.1f} of {gpu.memory / 1e9:.0f} GB leave {left:.1f} GB, and the prediction is good to "
        f"{1 - TIGHT:.0%}: try the largest shape before you count on it{more}"
    )
