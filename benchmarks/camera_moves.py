"""Camera moves: each of the paper's sixteen classes on real frames, and the toy world's cameras; what gets a prefix, and how often wrongly.

    python benchmarks/camera_moves.py               frames of files and a seed that nothing was set on
    python benchmarks/camera_moves.py --tune        the files and the seed that the bounds were set on (`--seed 2` too)

Frames of real footage (MOVIEGEN_TEST_DATA, or ../shared/data) stand as wall, floor and cut-out things on a stage before a pinhole camera
(`moviegen.testing.camera_stage`), so that a carried camera has true parallax. Each class at three speeds, steady and in a hand, and with
a thing that moves by itself; all encoded (H.264) and measured as `split` measures any source. Half of the turned and zoomed clips, and
those of hands, show one flat picture, to which depth makes no difference. Exits 1 when fewer are right, or more prefixes wrong, than
promised: prefixes from the confidence on that configs/curation/paper.yaml ships. Other confidences are counted for information.
"""

import argparse
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from curation.config import CurateConfig
from curation.detectors import load_detector
from curation.detectors.base import ClipInput
from curation.detectors.camera import CLASSES
from curation.measure import measure
from curation.shots import CutConfig
from curation.signals.table import signal_rows, slice_signals
from moviegen.config import parse_config
from moviegen.contracts.clip import Clip
from moviegen.media.read import iter_frames, open_video
from moviegen.media.write import write_video
from moviegen.testing.camera_drive import MOVES, Drive
from moviegen.testing.camera_stage import FPS, Thing, film
from moviegen.testing.world import render, sample_scene

ROOT = Path(__file__).resolve().parents[1]
MEDIA = Path(os.environ.get("MOVIEGEN_TEST_DATA", ROOT.parent / "shared" / "data"))

TUNED_FILES = (
    "ai_ltx2_dialogue.mp4", "asl_again.mkv", "bbb_0_30.webm", "bottles_static_40s.mp4", "carphone_pristine.mp4", "dog_vfr_rotate180.mp4",
    "makeup_mpeg4.avi", "pancake_opus.mkv", "psd_testvideo_fades.mp4", "realshort_1s.mp4", "sam2_blocks.mp4", "selfie_vertical.mp4",
)  # fmt: skip
"""The bounds were set on frames of these, seeds 1 and 2."""

PUBLISHED_FILES = (
    "asl_book.mkv", "bikes_cuts.mp4", "bw_cuts_subtitles.mp4", "chaplin_pillarbox.mp4", "cockatoo_444_seekfragile.mp4",
    "hamilton_stage.mp4", "nasa_multistream.mp4", "pool_handheld.mp4", "sam2_dog.mp4", "sintel_trailer_30s.mp4", "woman_portrait.mp4",
)  # fmt: skip
PUBLISHED_SEED = 11

FRAMES = (15, 55)
"""Of each file; those that it has."""

SHIFTS, GROWTHS = (0.03, 0.08, 0.2), (0.02, 0.05, 0.1)
"""Diagonals a second that points move under cameras that shift the picture, and under those that let it grow."""

UNREST = 0.3
"""What an unsteady hand adds to a move, in shares of its speed."""

NUM_FRAMES = 60
OTHER_BOUNDS = (0.5, 0.6, 0.8)
"""Confidences at which prefixes are counted for information; the shipped one is what the table and the promise are of."""

MIN_RIGHT, MAX_WRONG = 0.85, 0.08
"""Promised: share of clips named rightly, and share of prefixes that are wrong from the shipped confidence on. Our decision."""


@dataclass(frozen=True)
class Case:
    """A clip to be made."""

    drive: Drive
    is_flat: bool = False
    thing: Thing | None = None


@dataclass(frozen=True)
class Answer:
    """What a clip was, and what the detector said."""

    true: str
    said: str
    confidence: float


def cases(move: str) -> list[Case]:
    """The clips of a class: six of a static camera and of a hand, eight of each move."""
    if move == "static":
        things = (None, None, Thing(0.05, True), Thing(0.15, False), Thing(0.15, True), Thing(0.3, True))
        return [Case(Drive(move, 0.0), thing=thing) for thing in things]
    if move == "handheld":
        things = {0.04: None, 0.1: Thing(0.15, True), 0.25: Thing(0.15, False)}
        return [
            Case(Drive(move, 0.0, unrest), is_flat, None if is_flat else thing)
            for unrest, thing in things.items()
            for is_flat in (True, False)
        ]
    kind = move.split("_")[0]
    slow, usual, fast = GROWTHS if kind in ("zoom", "push", "pull") else SHIFTS
    turns = kind in ("pan", "tilt", "zoom")
    steady = [Case(Drive(move, speed), turns and speed != usual) for speed in (slow, usual, fast)]
    in_hand = [Case(Drive(move, speed, UNREST * speed), turns and speed == usual) for speed in (slow, usual, fast)]
    return [
        *steady,
        *in_hand,
        Case(Drive(move, usual), thing=Thing(0.12, True)),
        Case(Drive(move, fast), thing=Thing(0.12, False)),
    ]


def pictures(files: Iterable[str]) -> list[np.ndarray]:
    """(270, 480, 3) uint8 RGB frames of the files, cropped to 16:9."""
    found = []
    for name in files:
        for frame in iter_frames(MEDIA / name):
            if frame.index in FRAMES:
                found.append(_wide(frame.image))
            if frame.index == FRAMES[-1]:
                break
    return found


def _wide(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    rows, columns = min(height, width * 9 // 16), min(width, height * 16 // 9)
    top, left = (height - rows) // 2, (width - columns) // 2
    return cv2.resize(image[top : top + rows, left : left + columns], (480, 270), interpolation=cv2.INTER_AREA)


def ask(true: str, frames: np.ndarray, fps: Fraction, folder: Path) -> Answer:
    """What the detector says of the frames, by way of a file and its signals."""
    path = folder / "clip.mp4"
    write_video(path, frames, fps)
    with open_video(path) as video:
        measured = measure(video, CutConfig(), fps)
    num_frames, (height, width) = len(measured.pts), frames.shape[1:3]
    signals = slice_signals(signal_rows("0" * 32, measured.columns), 0, num_frames)
    span = (0, measured.pts[0], measured.end_pts, video.time_base.numerator, video.time_base.denominator, 0, num_frames)
    clip = Clip("0" * 32, "0" * 32, *span, fps.numerator, fps.denominator, width, height)
    scores = load_detector("camera").score(ClipInput(clip, {}, signals))
    said = max(CLASSES, key=lambda name: scores[f"camera.{name}"])
    return Answer(true, said, scores[f"camera.{said}"])


def staged(moves: Iterable[str], shown: list[np.ndarray], seed: int, folder: Path) -> Iterator[Answer]:
    """Answers to the clips of the classes on the stage."""
    for number, case in enumerate(each for move in moves for each in cases(move)):
        frames = film(
            shown, case.drive, 1000 * seed + number, num_frames=NUM_FRAMES, is_flat=case.is_flat, thing=case.thing
        )
        yield ask(case.drive.move, frames, FPS, folder)


def flat(shown: list[np.ndarray], seed: int, folder: Path) -> Iterator[Answer]:
    """Answers to carried cameras before one flat picture: to a wall, a truck is a pan and a push a zoom."""
    carried = [move for move in MOVES if move.startswith(("truck", "pedestal", "push", "pull"))]
    for number, move in enumerate(carried):
        drive = Drive(move, GROWTHS[1] if move.startswith(("push", "pull")) else SHIFTS[1])
        frames = film(shown, drive, 1000 * seed + 900 + number, num_frames=NUM_FRAMES, is_flat=True)
        yield ask(move, frames, FPS, folder)


def toys(seed: int, folder: Path, num: int = 6) -> Iterator[Answer]:
    """Answers to scenes of the toy world: of each of its cameras some."""
    for camera in ("static", "zoom in", "zoom out", "pan left", "pan right"):
        # a shape that goes the camera's way would be followed, which the toy world does not show
        fixed = {"direction": "up"} if camera.startswith("pan") else {}
        for number in range(num):
            scene = sample_scene(1000 * seed + number, camera=camera, **fixed)
            yield ask(camera.replace(" ", "_"), np.stack(list(render(scene))), scene.fps, folder)


def shipped_confidence() -> float:
    """The confidence from which the paper's configuration puts a prefix before captions."""
    flags = ["--config", str(ROOT / "configs" / "curation" / "paper.yaml"), "--lake", "none"]
    config, _ = parse_config(CurateConfig, flags, prog="camera_moves", summary="", examples=())
    bound = config.caption.camera_min_confidence
    assert bound is not None, "paper.yaml puts no prefix: there is nothing to promise"
    return bound


def prefixed(answers: Iterable[Answer], bound: float) -> list[Answer]:
    """The answers that give their caption a prefix."""
    return [each for each in answers if each.confidence >= bound]


def is_kept(answers: list[Answer], bound: float) -> bool:
    """Whether both promises hold. Where nothing has a prefix, none is wrong."""
    sure = prefixed(answers, bound)
    wrong = sum(each.true != each.said for each in sure)
    return share_right(answers) >= MIN_RIGHT and wrong <= MAX_WRONG * len(sure)


def table(title: str, answers: list[Answer], shipped: float, names: Iterable[str] = CLASSES) -> None:
    """Prints, for each class, how often it was right and what it was taken for; and the prefixes."""
    print(f"{title}: {len(answers)} clips; prefixed from {shipped} on")
    print(f"  {'class':14s} clips right precision recall prefixed wrongly  taken for")
    for name in names:
        own = [each for each in answers if each.true == name]
        right = sum(each.said == name for each in own)
        said = sum(each.said == name for each in answers)
        sure = prefixed(own, shipped)
        others = ", ".join(f"{n} {what}" for what, n in Counter(e.said for e in own if e.said != name).most_common())
        precision = f"{right / said:9.0%}" if said else " " * 8 + "-"
        wrong = sum(each.said != name for each in sure)
        print(
            f"  {name:14s} {len(own):5d} {right:5d} {precision} {right / len(own):6.0%} {len(sure):8d} {wrong:7d}  {others}"
        )
    print(f"  right: {share_right(answers):.0%} of all", flush=True)
    for bound in sorted({*OTHER_BOUNDS, shipped}):
        sure = prefixed(answers, bound)
        wrong = sum(each.true != each.said for each in sure)
        promise = f" (promised: at most {MAX_WRONG:.0%})" if bound == shipped else ""
        print(f"  prefixed from {bound} on: {len(sure)} of {len(answers)}, {wrong} wrong{promise}")


def share_right(answers: list[Answer]) -> float:
    """Of the answers; NaN of none."""
    return float(np.mean([each.true == each.said for each in answers])) if answers else float("nan")


def main() -> int:
    """Exit code 1 where a promise is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--seed", type=int)
    arguments = parser.parse_args()
    seed = arguments.seed or (1 if arguments.tune else PUBLISHED_SEED)
    if not (MEDIA / "truth.json").exists():
        print(f"skipped: no real media in {MEDIA}")
        return 0
    shipped = shipped_confidence()
    shown = pictures(TUNED_FILES if arguments.tune else PUBLISHED_FILES)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        answers = list(staged(MOVES, shown, seed, folder))
        source = f"{len(shown)} real frames of {'tuned' if arguments.tune else 'held-out'} files, seed {seed}"
        table(source, answers, shipped)
        walls = list(flat(shown, seed, folder))
        cannot = "carried before one flat picture, which geometry cannot tell"
        table(cannot, walls, shipped, dict.fromkeys(each.true for each in walls))
        world = list(toys(seed, folder))
        table("toy world", world, shipped, dict.fromkeys(each.true for each in world))
    return int(not is_kept(answers, shipped))


if __name__ == "__main__":
    sys.exit(main())
