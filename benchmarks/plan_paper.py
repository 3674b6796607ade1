"""Every row of the paper's Table 3 planned: its own mesh, and the best one on the same GPUs; then 8 and 64 H100 and H200.

    python benchmarks/plan_paper.py

Prediction only: nothing here was run on these machines. Samples are taken at their longest, 256 frames, so days are an upper bound.
Ends with 1 when a row's batch is not per GPU x GPUs / (tensor x context), or when the paper's own mesh is said not to fit.
"""

import sys
from pathlib import Path

from moviegen.config import load_config
from moviegen.models.video_dit import VideoDiTConfig
from training.plan.bill import Settings
from training.plan.gpus import GPUS, Rates
from training.plan.mesh import Mesh, global_batch
from training.plan.rank import Shape, plans
from training.plan.trace import trace

SIZES = Path(__file__).resolve().parents[1] / "configs" / "models" / "video_dit"
ROWS = [
    # stage, tokens, tensor, context, per GPU, GPUs, batch, steps [S Table 3]
    ("256 px images", 256, 1, 1, 6, 1536, 9216, 210_000),
    ("256 px a", 8_192, 4, 1, 2, 3072, 1536, 113_000),
    ("256 px b", 8_192, 4, 1, 2, 6144, 3072, 72_000),
    ("768 px a", 73_728, 4, 1, 1, 6144, 1536, 19_600),
    ("768 px b", 73_728, 4, 1, 1, 6144, 1536, 11_000),
    ("768 px c", 73_728, 4, 2, 1, 6144, 768, 15_900),
    ("768 px d", 73_728, 4, 2, 1, 4096, 512, 28_000),
]


def main() -> int:
    """Prints two tables."""
    traced = trace("video_dit", load_config(VideoDiTConfig, SIZES / "30b.yaml"))
    titles = ("GPUs", 6), ("batch", 7), ("", 2), ("mesh", -14), ("kind", -9), ("again", 6), ("GB", 7), ("s/step", 8)
    titles += ("MFU", 7), ("days", 7), ("GPU-hours", 12)
    print(f"{'stage':<16}" + "".join(f"{name:{'<' if width < 0 else '>'}{abs(width)}}" for name, width in titles))
    is_right, hours = True, 0.0
    for stage, tokens, tensor, context, per_gpu, gpus, batch, steps in ROWS:
        is_right &= global_batch(per_gpu, gpus, tensor, context) == batch
        shapes = [Shape(stage, tokens, 1.0, batch)]
        shards = 128  # shards of a whole replica: our decision, the paper does not say
        own = Mesh(gpus // (tensor * context * shards), shards, context, tensor)
        for name, mesh in ((stage, own), ("  best", None)):
            best = plans(traced, shapes, gpus, GPUS["h100"], Rates(), Settings(), mesh)
            best = [each for each in best if each.settings.context_kind == "gather" or context == 1] if mesh else best
            is_right &= best[0].fits(GPUS["h100"])
            _show(name, gpus, batch, best[0], steps)
        hours += best[0].step_s * steps * gpus / 3600
    print(f"all stages by the best meshes: {hours / 1e6:.2f}M GPU-hours")
    print()
    for gpu, number in (("h100", 8), ("h200", 8), ("h100", 64), ("h200", 64)):
        found = plans(traced, [Shape("", 73_728, 1.0, number // 8)], number, GPUS[gpu], Rates(), Settings())
        label = f"{number} x {gpu}"
        if found[0].fits(GPUS[gpu]):
            _show(label, number, number // 8, found[0], 1000)
        else:
            print(f"{label:<16} 73,728 tokens do not fit: {found[0].memory.total / 1e9:.1f} GB at least")
    return 0 if is_right else 1


def _show(name, gpus, batch, plan, steps):
    days = plan.step_s * steps / 86_400
    kind = plan.settings.context_kind if plan.mesh.context > 1 else ""
    print(
        f"{name:<16}{gpus:>6}{batch:>7}  {plan.mesh!s:<14}{kind:<9}{plan.settings.recomputed:>6}{plan.memory.total / 1e9:>7.1f}"
        f"{plan.step_s:>8.2f}{plan.mfu:>7.1%}{days:>7.1f}{days * 24 * gpus:>12,.0f}"
    )


if __name__ == "__main__":
    sys.exit(main())
