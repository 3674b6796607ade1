"""Motion and camera against clips of known speed: 28 clips for the amount of motion, 16 classes for the camera, of a held-out seed.

    python benchmarks/motion.py                     prints rank correlation with the true speed, and the classes that were right
    python benchmarks/motion.py --seed 1            a seed that thresholds were chosen on (1 and 2)

Each clip is encoded (H.264) and goes through `split` as any source does. The same files are measured by VMAF motion and by the codec's
motion vectors, which the paper uses. Peers on a suite of the same make, as their study measured them: data-juicer 0.66, cosmos-curate
and NeMo Curator 0.87 (Spearman).
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy.stats import pearsonr, spearmanr

from curation.clips import SplitConfig, split_video
from curation.detectors import load_detector
from curation.detectors.base import ClipInput
from curation.detectors.camera import CLASSES
from curation.signals.table import slice_signals
from moviegen.contracts.clip import Clip
from moviegen.media.write import write_video
from moviegen.testing.camera_moves import FPS, MOVES, CameraClip, make_clip, motion_suite

PUBLISHED_SEED = 11
MIN_SPEARMAN = 0.98
SPEEDS = (0.05, 0.15)
"""Diagonals a second of the camera in the clips of the classes."""


def measure(made: CameraClip, folder: Path) -> dict[str, float]:
    """Scores of `motion`, `camera` and `jitter` on the clip, by way of a file."""
    path = folder / "clip.mp4"
    write_video(path, made.frames, FPS)
    result = split_video(str(path), "0" * 32, SplitConfig(start_trim_s=0.0, min_clip_s=1.0))
    row = max(result.clips, key=lambda clip: clip["num_frames"])
    signals = slice_signals(result.signals, row["start_frame"], row["num_frames"])
    clip = ClipInput(Clip(**row), {}, signals)
    return {
        name: score
        for detector in ("motion", "camera", "jitter")
        for name, score in load_detector(detector).score(clip).items()
    }


def amount(seed: int, folder: Path) -> float:
    """Prints how the measures of motion rank the 28 clips; Spearman of our flow."""
    clips = [make() for make in motion_suite(seed)]
    scores = [measure(made, folder) for made in clips]
    true = [made.flow for made in clips]
    print(f"motion of {len(clips)} clips, true speed 0 to {max(true):.2f} diagonals a second, seed {seed}")
    found = {}
    for metric, what in (
        ("motion.flow", "optical flow"),
        ("motion.vmaf", "VMAF motion"),
        ("motion.vector", "codec motion vectors"),
    ):
        values = [each.get(metric, 0.0) for each in scores]
        found[metric] = float(spearmanr(true, values)[0])
        print(f"  {what:22s} Spearman {found[metric]:.3f}, Pearson {pearsonr(true, values)[0]:.3f}")
    left = {"thing": [], "camera": []}
    for made, each in zip(clips, scores, strict=True):
        turned = made.move in ("static", "pan_left", "tilt_up", "zoom_in")
        if made.flow >= 0.01 and turned and made.object_flow in (0, made.flow):
            left["thing" if made.object_flow else "camera"].append(each["motion.object"] / each["motion.flow"])
    things, cameras = min(left["thing"]), max(left["camera"])
    print(
        f"  flow that is not the camera's: {things:.0%} or more where a thing moves, {cameras:.0%} or less where the camera turns"
    )
    return found["motion.flow"]


def classes(seed: int, folder: Path) -> None:
    """Prints how many camera moves were named rightly, by confidence."""
    rows = []
    for number, move in enumerate(MOVES):
        for speed in (0.0,) if move == "static" else SPEEDS:
            for thing in (0.0, 0.15):
                made = make_clip(move, speed, seed * 1009 + 10 * number, num_frames=48, object_speed=thing)
                scores = measure(made, folder)
                best = max(CLASSES, key=lambda name: scores[f"camera.{name}"])
                rows.append((move, best, scores[f"camera.{best}"]))
    print(f"camera: {len(rows)} clips of {len(MOVES)} classes, half with a thing that moves by itself")
    for least in (0.0, 0.5, 0.7):
        sure = [(move, best) for move, best, confidence in rows if confidence >= least]
        right = np.mean([move == best for move, best in sure]) if sure else float("nan")
        print(f"  confidence {least:.1f} or more: {len(sure):3d} clips, {right:.0%} right (chance 6%)")
    wrong = [f"{move} as {best} ({confidence:.2f})" for move, best, confidence in rows if move != best]
    print(f"  wrong: {', '.join(wrong) or 'none'}")


def main() -> int:
    """Exit code 1 when the rank correlation misses its promise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=PUBLISHED_SEED)
    seed = parser.parse_args().seed
    with tempfile.TemporaryDirectory() as folder:
        spearman = amount(seed, Path(folder))
        classes(seed, Path(folder))
    return int(spearman < MIN_SPEARMAN)


if __name__ == "__main__":
    sys.exit(main())
