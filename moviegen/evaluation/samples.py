"""Metrics of a clip that lies in memory, as `moviegen eval run` has them of its file: for choosing the best of several, and for training.

`T` frames, `H W` rows and columns.
"""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np

from moviegen.evaluation import motion
from moviegen.evaluation.config import Networks
from moviegen.evaluation.metrics import metric_of
from moviegen.evaluation.vectors import alignment, consistency

IN_MEMORY = ("motion", "flow", "flow_fastest", "flicker", "frozen")
"""Metrics that need no network and no partner."""


def measure_frames(name: str, frames: np.ndarray, fps: Fraction) -> float | None:
    """One of `IN_MEMORY` of (T, H, W, 3) uint8; None of a single frame."""
    if name.startswith("flow"):
        from moviegen.evaluation.flow import flow_speeds

        found = flow_speeds(frames, np.arange(len(frames)) / float(fps))
        return None if found is None else found[0 if name == "flow" else 1]
    functions = {"motion": motion.vmaf_motion, "flicker": motion.flicker, "frozen": motion.frozen}
    return functions[name](frames)


def network_score(name: str, path: Path, device: str = "cpu") -> Callable[[np.ndarray, str], float | None]:
    """(frames (T, H, W, 3) uint8, prompt) -> a metric of the network at a path, its sign such that more is better; None where the metric
    does not apply. Raises UsageError when the network is none."""
    group, _, what = name.partition(".")
    if group in ("clip", "viclip"):
        return _tower_score(group, what, path, device)
    from moviegen.evaluation.inside import Latents

    network, place = Latents(path, device), ("latent_outliers", "latent_farthest").index(name)
    sign = 1.0 if metric_of(name).better == "higher" else -1.0
    return lambda frames, prompt: sign * float(network.of_frames(frames)[place])


def _tower_score(group: str, what: str, path: Path, device: str) -> Callable[[np.ndarray, str], float | None]:
    from moviegen.evaluation.towers import ClipTower, ViClipTower

    tower = (ClipTower if group == "clip" else ViClipTower)(path, Networks(device=device))
    if what == "consistency":
        return lambda frames, prompt: consistency(tower.watch(frames))
    return lambda frames, prompt: alignment(tower.watch(frames), tower.read(prompt))
