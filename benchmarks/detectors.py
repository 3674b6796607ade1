"""What each detector costs: CPU-milliseconds a clip, the fetching of its frames and sound included.

    python benchmarks/detectors.py                                           those that need no weights of yours
    python benchmarks/detectors.py ocr faces                                 these
    python benchmarks/detectors.py aesthetic --params '{"clip_weights": "ViT-L-14.safetensors", "head": "sac.pth"}'
    python benchmarks/detectors.py --files holiday.mp4                       on your own files

Clips are those of `split` with the tiling policy; the first clip of a file is scored once before, so that loading a model does not count.
One thread a library. A detector whose package or weights are missing is named and left out.
"""

# ruff: noqa: E402
import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import cv2
import numpy as np

from curation.clips import SplitConfig, split_video
from curation.detectors import DETECTORS, load_detector
from curation.detectors.base import Detector
from curation.scoring import score_clip
from curation.signals.table import slice_signals
from moviegen.contracts.clip import Clip
from moviegen.errors import MovieGenError
from moviegen.media.probe import probe

MEDIA = Path(os.environ.get("MOVIEGEN_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
FILES = ("sam2_dog.mp4", "hamilton_stage.mp4", "selfie_vertical.mp4", "bikes_cuts.mp4", "bottles_static_40s.mp4")


@dataclass(frozen=True)
class Prepared:
    """A clip ready to be scored."""

    clip: Clip
    video: dict
    signals: dict[str, np.ndarray]


def prepare(path: Path) -> list[Prepared]:
    """The clips of a file with their signals."""
    config = SplitConfig(start_trim_s=0.0, policy="tile", max_long_shots=None)
    result, about = split_video(str(path), "0" * 32, config), probe(path)
    video = {
        "uri": str(path), "duration": about.duration, "has_audio": about.has_audio, "source_caption": "a video of something",
    }  # fmt: skip
    clips = [Clip(**row) for row in result.clips]
    return [Prepared(clip, video, slice_signals(result.signals, clip.start_frame, clip.num_frames)) for clip in clips]


def cost_ms(detector: Detector, clips: list[Prepared]) -> list[float]:
    """CPU-milliseconds of each clip."""
    score_clip(detector, clips[0].clip, clips[0].video, clips[0].signals)
    times = []
    for each in clips:
        start = time.process_time()
        score_clip(detector, each.clip, each.video, each.signals)
        times.append((time.process_time() - start) * 1e3)
    return times


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("detectors", nargs="*", help="names; all when left out")
    parser.add_argument("--params", type=json.loads, default={}, help="parameters of the one detector named, as JSON")
    parser.add_argument("--files", nargs="+", type=Path)
    options = parser.parse_args()
    if options.params and len(options.detectors) != 1:
        parser.error("--params is for one detector: name it")
    files = options.files or [MEDIA / name for name in FILES if (MEDIA / name).exists()]
    if not files:
        print(f"skipped: no real media in {MEDIA}; give --files")
        return 0
    cv2.setNumThreads(1)
    clips = [clip for path in files for clip in prepare(path)]
    seconds = sum(each.clip.duration for each in clips)
    print(f"{len(clips)} clips of {len(files)} files, {seconds / len(clips):.1f} s on average; CPU ms a clip")
    print(f"{'detector':<12}{'mean':>9}{'median':>9}{'most':>9}")
    for name in options.detectors or DETECTORS:
        try:
            times = cost_ms(load_detector(name, options.params), clips)
        except MovieGenError as error:
            print(f"{name:<12}left out: {str(error)[:110]}")
            continue
        print(f"{name:<12}{np.mean(times):>9.1f}{np.median(times):>9.1f}{max(times):>9.1f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
