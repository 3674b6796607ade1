"""How many clips does a number take? Intervals of `moviegen eval` at several n, measured: the tables of docs/evaluation.md.

    python benchmarks/eval_clips.py                    about a minute on one core
    python benchmarks/eval_clips.py --clips 400        more of the toy world

Clips: scenes of the toy world, and what two encoders of nearly the same quality make of them (H.264 at CRF 30 and 32). Half the
interval of a mean over the first n of them is printed, and half that of the difference of the two, clip by clip, as `eval diff` has it.
Sets: normal features of D numbers, both sets of one distribution, so that the truth is 0. Votes: 40 % wins, 35 % losses.
"""

import argparse
import math
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from moviegen.evaluation import distances, pictures
from moviegen.evaluation.intervals import bootstrap, paired_bootstrap
from moviegen.evaluation.samples import IN_MEMORY, measure_frames
from moviegen.media.read import read_video
from moviegen.media.write import write_video
from moviegen.testing.world import render, sample_scene

FPS = Fraction(16)
SIZES = (20, 50, 100, 200)
SETS = ((64, (128, 512, 2048)), (400, (256, 800, 2048)))
"""D, and items of each set."""

STUDIES = (20, 100, 381, 1003)
VOTES, SHARES = (1.0, 0.0, -1.0), (0.40, 0.25, 0.35)

Clip = np.ndarray

WITH_PARTNER: dict[str, Callable[[Clip, Clip], float]] = {
    "psnr": lambda a, b: float(pictures.psnr(a, b).mean()),
    "ssim": lambda a, b: float(pictures.ssim(a, b).mean()),
    "flicker_error": lambda a, b: float(pictures.flicker_error(a, b) or 0),
}


def scenes(count: int) -> Iterator[Clip]:
    """Toy-world clips of 8 frames of 64x64 px."""
    for seed in range(count):
        yield np.stack(list(render(sample_scene(seed, width=64, height=64, fps=FPS, num_frames=8))))


def encoded(clip: Clip, crf: int, folder: Path) -> Clip:
    """What an encoder makes of it."""
    write_video(folder / "clip.mp4", clip, FPS, crf=crf)
    return read_video(folder / "clip.mp4")


def measured(count: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Metric -> its values of each clip by the two encoders."""
    found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in (*WITH_PARTNER, *IN_MEMORY)}
    with tempfile.TemporaryDirectory() as folder:
        for clip in scenes(count):
            for place, crf in enumerate((30, 32)):
                after = encoded(clip, crf, Path(folder))
                for name, measure in WITH_PARTNER.items():
                    found[name][place].append(measure(after, clip))
                for name in IN_MEMORY:
                    found[name][place].append(float(measure_frames(name, after, FPS) or 0))
    return {name: (np.array(a), np.array(b)) for name, (a, b) in found.items()}


def half(found: object) -> float:
    """Half an interval."""
    return (found.high - found.low) / 2  # type: ignore[attr-defined]


def show_clips(count: int) -> None:
    """The table of means over clips."""
    sizes = [n for n in SIZES if n <= count]
    columns = [f"mean of {count}", "spread", *(f"+- at n = {n}" for n in sizes), f"+- of a difference, n = {sizes[-1]}"]
    print(f"| metric | {' | '.join(columns)} |")
    print("|---" * (len(columns) + 1) + "|")
    for name, (a, b) in measured(count).items():
        halves = "".join(f" {half(bootstrap(a[:n])):.2g} |" for n in sizes)
        apart = half(paired_bootstrap(a[: sizes[-1]], b[: sizes[-1]]))
        print(f"| `{name}` | {a.mean():.4g} | {a.std(ddof=1):.2g} |{halves} {apart:.2g} |", flush=True)


def show_sets() -> None:
    """The table of distances between two samples of one distribution."""
    print("| D | n | Frechet (truth 0) | without its bias | MMD x 1000 (truth 0) |")
    print("|---|---|---|---|---|")
    generator = np.random.default_rng(0)
    for width, sizes in SETS:
        for n in sizes:
            a, b = generator.normal(size=(2, n, width))
            raw, found = distances.frechet_interval(a, b)
            mmd = distances.mmd_interval(a, b)
            print(
                f"| {width} | {n} | {raw:.4g} | {found.low:.2g} .. {found.high:.2g} | {1000 * mmd.low:.2g} .. {1000 * mmd.high:.2g} |",
                flush=True,
            )


def show_studies() -> None:
    """The table of net win rates: the mean half interval of fifty studies."""
    print("| items | +- points of the net win rate |")
    print("|---|---|")
    generator = np.random.default_rng(0)
    for n in STUDIES:
        drawn = [generator.choice(VOTES, size=n, p=SHARES) for _ in range(50)]
        widths = [100 * half(bootstrap(votes, seed=seed)) for seed, votes in enumerate(drawn)]
        print(f"| {n} | {math.fsum(widths) / len(widths):.1f} |", flush=True)


def main() -> int:
    """Prints the three tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=200)
    arguments = parser.parse_args()
    show_clips(arguments.clips)
    print()
    show_sets()
    print()
    show_studies()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
