"""What the columns of a plan are, and when a plan leaves too little memory."""

from collections.abc import Sequence

from .gpus import GPU
from .rank import Plan

TIGHT = 0.95
"""Share of a GPU's memory from which on a plan is tight: what a step holds is predicted to 5% (tests/training/plan)."""

STAGES = {
    "video_dit": "video_dit/04_t2v_768px.yaml",
    "upsampler": "upsampler/01_1080p.yaml",
    "edit_dit": "edit/02_multi_frame.yaml",
    "personal_dit": "personalize/02_long.yaml",
    "audio_dit": "audio_dit/01_pretrain.yaml",
}
"""A stage of each kind of network that a size's plan can be made for, below configs/training."""

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


def warning(plan: Plan, gpu: GPU, max_recomputed: int, others: Sequence[Plan]) -> str:
    """What is said of a tight plan; of the others, quick to slow, the first with more room is named."""
    left = (gpu.memory - plan.memory.total) / 1e9
    more = "" if plan.settings.recomputed >= max_recomputed else ", or compute more blocks again"
    return (
        f"warning: {plan.memory.total / 1e9:.1f} of {gpu.memory / 1e9:.0f} GB leave {left:.1f} GB, and the prediction is good to "
        f"{1 - TIGHT:.0%}: try the largest shape before you count on it{more}{_roomier(plan, gpu, others)}"
    )


def _roomier(plan: Plan, gpu: GPU, others: Sequence[Plan]) -> str:
    found = next((each for each in others if each.fits(gpu) and not is_tight(each, gpu)), None)
    if found is None:
        return ""
    kind = f" {found.settings.context_kind}" if found.mesh.context > 1 else ""
    left, longer = (gpu.memory - found.memory.total) / 1e9, found.step_s / plan.step_s - 1
    return f"; {found.mesh}{kind} leaves {left:.1f} GB and takes {longer:.1%} longer"


def left_out(kind: str) -> str:
    """What the plan of a size leaves out, and which command has it."""
    return (
        "of the network alone: its batch is assumed (--global_batch), text encoders and autoencoder are left out; a stage has them: "
        f"moviegen train plan configs/training/{STAGES[kind]}"
    )
