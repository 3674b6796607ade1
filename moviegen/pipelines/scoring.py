"""Which of several candidates is best: a metric of `moviegen eval` by name, with the path of its network where it has one, a TorchScript
file, or one's own function. Higher is better.

The paper took the best of five for its comparison with Sora, by eye [S App C.2].
"""

import importlib
import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from moviegen.errors import UsageError

Score = Callable[[np.ndarray, Fraction, str], float]
"""(frames (T, H, W, 3) uint8, fps, prompt) -> how good."""

SIGNS = {"motion": 1.0, "flicker": -1.0, "frozen": -1.0, "flow": 1.0, "flow_fastest": 1.0}
"""Metric of `moviegen.evaluation` that needs no network -> the sign that makes more better: most motion, least change from frame to frame,
fewest repeated frames, the fastest picture."""

LEARNED = {
    "clip.alignment": "clip", "clip.consistency": "clip", "viclip.alignment": "viclip",
    "latent_outliers": "tae", "latent_farthest": "tae",
}  # fmt: skip
"""Metric of `moviegen.evaluation` of a network -> the setting of `eval run` that names the network."""

SCRIPTS = (".pt", ".ts")
"""Endings of TorchScript files."""

WANTED = (
    f"{', '.join(SIGNS)}; {', '.join(LEARNED)} with the path of the network, as clip.alignment=FOLDER; a TorchScript .pt "
    "(clip (1, 3, T, H, W) in 0..1 -> a number); or your own as module:function"
)


def load_score(name: str, device: str = "cpu") -> Score:
    """The score of a name, a file or `module:function`. Raises UsageError listing what there is."""
    if name in SIGNS:
        return _metric(name)
    metric, _, place = name.partition("=")
    if metric in LEARNED:
        return _learned(metric, Path(place), device)
    if name.endswith(SCRIPTS):
        return _torchscript(Path(name))
    if ":" in name:
        return _own(name)
    raise UsageError(f"--score {name!r}: wanted {WANTED}")


def describe_score(name: str) -> dict[str, Any]:
    """What a recipe says of a score: its name, and of its network the file's name and hash. Never where that lies: the recipe travels."""
    metric, _, place = name.partition("=")
    path = Path(place) if metric in LEARNED else Path(name) if name.endswith(SCRIPTS) else None
    if path is None:
        return {"score": name}
    from moviegen.evaluation.cache import content_hash

    label = path.resolve().name
    return {"score": metric if place else label, "score_network": {"name": label, "sha256": content_hash(path)}}


def _metric(name: str) -> Score:
    from moviegen.evaluation.flow import lack
    from moviegen.evaluation.samples import measure_frames

    if name.startswith("flow") and (missing := lack()):
        raise UsageError(f"--score {name}: {missing}")

    def score(frames: np.ndarray, fps: Fraction, prompt: str) -> float:
        found = measure_frames(name, frames, fps)
        if found is None:
            raise UsageError(f"--score {name}: an image has none; wanted a video, or another score")
        return SIGNS[name] * found

    return score


def _learned(metric: str, path: Path, device: str) -> Score:
    from moviegen.evaluation.samples import network_score

    if not path.exists() or path == Path():
        raise UsageError(
            f"--score {metric}: no such file or folder {str(path)!r}; wanted {metric}=PATH, its network as "
            f"--networks.{LEARNED[metric]} of moviegen eval run has it"
        )
    measure = network_score(metric, path, device)

    def score(frames: np.ndarray, fps: Fraction, prompt: str) -> float:
        try:
            found = measure(frames, prompt)
        except ValueError as error:
            raise UsageError(f"--score {metric}={path}: {error}") from error
        if found is None:
            raise UsageError(f"--score {metric}: an image has none; wanted a video, or another score")
        return found

    return score


def _torchscript(path: Path) -> Score:
    from moviegen.torchscript import check_torchscript, load_torchscript, run_torchscript

    check_torchscript("generate", "--score", path, "clip (1, 3, T, H, W) in 0..1 -> a number")
    module = load_torchscript("generate", path)

    def score(frames: np.ndarray, fps: Fraction, prompt: str) -> float:
        import torch

        clip = torch.from_numpy(np.ascontiguousarray(frames)).permute(3, 0, 1, 2)[None].float() / 255
        answer = run_torchscript("generate", path, module, clip)
        if answer.numel() != 1:
            raise UsageError(f"--score {path}: gives {tuple(answer.shape)}, wanted one number")
        return float(answer.reshape(()))

    return score


def _own(name: str) -> Score:
    module, _, function = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"--score {name}: cannot be imported: {error}") from error
    return lambda frames, fps, prompt: float(found(frames, fps, prompt))


def best_of(scores: list[float]) -> int:
    """Place of the highest score, the first of equal ones. Raises UsageError when none is a number."""
    if all(math.isnan(value) for value in scores):
        raise UsageError("--score: none of the candidates has a score that is a number")
    return max(range(len(scores)), key=lambda i: -math.inf if math.isnan(scores[i]) else scores[i])
