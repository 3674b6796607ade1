"""What curation costs beside what it cannot avoid: decoding, and one encode of the clips that are kept.

    python benchmarks/curation_cost.py                     the toy world and the real media that are there
    python benchmarks/curation_cost.py FILE ...            these files

CPU-seconds of this process and its children (one thread a library), every way over the same files, the better of two rounds:

    decode       plain PyAV, every frame, nothing else
    split        shots, clips and all per-frame signals, in the same pass
    score        all weight-free detectors on every clip
    export       the clips decoded again and encoded, as they go into a tar
    encode       one x264 encode of the clips, fed from memory, with the settings that configs/curation/paper.yaml ships
    curate       (split + score + export) / (decode + encode)

Promises: split / decode at 720p and above, and curate / (decode + encode), as said in the issue; missed ones are printed and end in 1.
"""

# ruff: noqa: E402
import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import cv2

from curation.clips import SplitConfig, split_video
from curation.detectors import load_detector
from curation.scoring import score_clip
from curation.shards import EncodeConfig, clip_fps, clip_frames, encoded_size, sample_of
from curation.signals.table import slice_signals
from moviegen.contracts.clip import Clip
from moviegen.media.probe import probe
from moviegen.media.read import open_video
from moviegen.media.worker_child import keep_freed_memory
from moviegen.media.write import encode_clip

MAX_SPLIT_RATIO = 1.5
MAX_CURATE_RATIO = 1.5
SIGNAL_DETECTORS = ("probe", "motion", "borders", "jitter", "still", "light", "camera")
FRAME_DETECTORS = ("quality",)
"""Weight-free detectors that look at frames. OCR and faces bring weights in their wheels and are not among them."""

REAL = (
    "sam2_dog.mp4", "selfie_vertical.mp4", "woman_portrait.mp4", "bbb_0_30.webm", "sintel_trailer_30s.mp4", "hamilton_stage.mp4",
    "bikes_cuts.mp4", "bottles_static_40s.mp4", "composed/letterbox_mpeg2.ts", "composed/montage_cuts_68s.mp4",
)  # fmt: skip


def cpu_seconds(call: Callable[[], object], rounds: int = 2) -> float:
    """CPU-seconds of the quicker of some rounds."""
    times = []
    for _ in range(rounds):
        start = cpu_now()
        call()
        times.append(cpu_now() - start)
    return min(times)


def cpu_now() -> float:
    """CPU-seconds of this process and of those it has waited for: encoding is done by ffmpeg's program."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def decode(path: Path) -> int:
    """Frames of a file, decoded and thrown away."""
    with open_video(path) as video:
        return sum(1 for _ in video.frames())


def measure_file(path: Path, encode: EncodeConfig) -> dict[str, float]:
    """CPU-seconds of each way over one file."""
    about = probe(path)
    config = SplitConfig(start_trim_s=0.0, policy="tile", max_long_shots=None)
    num_frames = decode(path)
    costs = {
        "decode": cpu_seconds(lambda: decode(path)),
        "split": cpu_seconds(lambda: split_video(str(path), "0" * 32, config)),
    }
    result = split_video(str(path), "0" * 32, config)
    clips = [Clip(**row) for row in result.clips]
    video = {"uri": str(path), "duration": about.duration, "has_audio": False, "source_caption": None}

    def score() -> None:
        for clip in clips:
            signals = slice_signals(result.signals, clip.start_frame, clip.num_frames)
            for name in (*SIGNAL_DETECTORS, *FRAME_DETECTORS):
                score_clip(load_detector(name), clip, video, signals)

    def export() -> None:
        for clip in clips:
            caption = {"text": "", "captioner": "none", "camera_motion": None}
            sample_of(clip, video, subset="s", bucket="b", caption=caption, scores={}, config=encode)

    costs["score"] = cpu_seconds(score, 1)
    costs["export"] = cpu_seconds(export, 1)
    costs["encode"] = encode_alone(path, clips, encode)
    return costs | {"frames": num_frames, "clips": len(clips), "short_side": min(about.width, about.height)}


def encode_alone(path: Path, clips: list[Clip], encode: EncodeConfig) -> float:
    """CPU-seconds of encoding the clips from frames in memory."""
    total = 0.0
    for clip in clips:
        fps = clip_fps(clip)
        width, height = encoded_size(clip.width, clip.height, encode.short_side_px)
        with open_video(path) as video:
            frames, matrix = list(clip_frames(video, clip, fps, (width, height))), video.matrix
        start = cpu_now()
        encode_clip(iter(frames), fps, width=width, height=height, crf=encode.crf, preset=encode.preset, matrix=matrix)
        total += cpu_now() - start
    return total


def toy_files(folder: Path) -> list[Path]:
    """A few videos of the toy world."""
    from moviegen.testing.planting import write_world

    write_world(folder, seed=11, num_clips=12, faults=False)
    return sorted(folder.glob("*.mp4"))


def main() -> int:
    """Prints the table; 1 when a promise is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument(
        "--preset", default=EncodeConfig().preset, help="x264 preset of the clips (as shipped: %(default)s)"
    )
    arguments = parser.parse_args()
    files, encode = arguments.files, EncodeConfig(preset=arguments.preset)
    cv2.setNumThreads(1)
    keep_freed_memory()
    media = Path(os.environ.get("MOVIEGEN_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    with tempfile.TemporaryDirectory() as folder:
        files = files or [media / name for name in REAL if (media / name).exists()] or toy_files(Path(folder))
        rows = [(path, measure_file(path, encode)) for path in files]
    return report(rows)


def report(rows: list[tuple[Path, dict[str, float]]]) -> int:
    """Prints a line a file and the sums."""
    names = ("decode", "split", "ratio", "score", "export", "encode", "curate")
    print(f"{'ms a frame':28s} {'':5s} {'frames':>6s} {' '.join(f'{name:>7s}' for name in names)}")
    groups = {"below 720p": [], "720p and above": [], "all": []}
    for path, costs in rows:
        print(line(path.name[:28], [costs]))
        groups["all"].append(costs)
        groups["720p and above" if costs["short_side"] >= 720 else "below 720p"].append(costs)
    for name, costs in groups.items():
        if costs:
            print(line(name, costs))
    large = groups["720p and above"] or groups["all"]
    ratio, whole = total(large, "split") / total(large, "decode"), curate_ratio(groups["all"])
    print(f"split / decode, 720p and above: {ratio:.2f} (asked {MAX_SPLIT_RATIO})")
    print(f"curate / (decode + encode), all: {whole:.2f} (asked {MAX_CURATE_RATIO})")
    return int(ratio > MAX_SPLIT_RATIO or whole > MAX_CURATE_RATIO)


def total(costs: list[dict[str, float]], name: str) -> float:
    """A sum over files."""
    return sum(each[name] for each in costs)


def curate_ratio(costs: list[dict[str, float]]) -> float:
    """All of curation over decoding everything once and encoding the clips once."""
    ours = total(costs, "split") + total(costs, "score") + total(costs, "export")
    return ours / (total(costs, "decode") + total(costs, "encode"))


def line(name: str, costs: list[dict[str, float]]) -> str:
    """One row: milliseconds a frame, and ratios."""
    frames = total(costs, "frames")
    ms = {key: total(costs, key) / frames * 1e3 for key in ("decode", "split", "score", "export", "encode")}
    size = f"{int(costs[0]['short_side'])}p" if len(costs) == 1 else ""
    return (
        f"{name:28s} {size:>5s} {int(frames):6d} {ms['decode']:7.2f} {ms['split']:7.2f} {ms['split'] / ms['decode']:7.2f} "
        f"{ms['score']:7.2f} {ms['export']:7.2f} {ms['encode']:7.2f} {curate_ratio(costs):7.2f}"
    )


if __name__ == "__main__":
    sys.exit(main())
