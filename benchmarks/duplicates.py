"""Near-duplicates by fingerprint: copies found, different clips kept apart, and what a million vectors cost.

    python benchmarks/duplicates.py              real media (MOVIEGEN_TEST_DATA, or ../shared/data), toy world, shots made from nothing
    python benchmarks/duplicates.py --toy 1000   and so many toy-world clips, unencoded: do look-alikes stay apart?
    python benchmarks/duplicates.py --million    time and memory for 1M synthetic vectors with planted copies

Copies: those composed in the real media, and 30 made here, five kinds of six films (two real, two toy, two made from nothing; three and
three where the real media are absent). Different: clips of files that share no footage; two clips of one file are counted apart.
Exits 1 when a copy is missed, different clips match, or a million vectors take more than 5 minutes or 8 GiB.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path

os.environ.setdefault(
    "OMP_WAIT_POLICY", "PASSIVE"
)  # on a busy machine threads that spin take the time of those that work

import cv2
import numpy as np

from curation.clips import SplitConfig, split_video
from curation.dedup import Match, find_matches
from curation.detectors.base import ClipInput
from curation.embedders import load_embedder
from curation.embedders.base import scale_to_one
from curation.scoring import clip_input
from curation.signals.table import slice_signals
from curation.vectors import ClipVectors
from moviegen.contracts.clip import Clip
from moviegen.media.limits import MediaError
from moviegen.media.read import iter_frames
from moviegen.media.write import write_video
from moviegen.testing.lake import sample_scenes
from moviegen.testing.procedural import film_shot, ordinary_view, sample_look
from moviegen.testing.world import render

ROOT = Path(__file__).resolve().parents[1]
MEDIA = Path(os.environ.get("MOVIEGEN_TEST_DATA", ROOT.parent / "shared" / "data"))
EMBEDDER = load_embedder("fingerprint")
MAX_MINUTES, MAX_GIB = 5.0, 8.0
SUFFIXES = (".mp4", ".mkv", ".webm", ".avi", ".ts")

MUST = {
    "composed/dup_dog_small.avi": "sam2_dog.mp4",
    "composed/overlay_text_hevc10.mkv": "sam2_dog.mp4",
    "composed/av_offset_plus400ms.mp4": "ai_ltx2_dialogue.mp4",
    "carphone_distorted.mp4": "carphone_pristine.mp4",
}
"""Copies among the real media that must be found; the montage's shots of 6 s and more come on top."""

UNTOLD = {"composed/silent_audio.mp4"}
"""Its truth does not say what it was made from."""


LOWEST = 0.5
"""Cosine down to which different clips are looked at, to see how near they come to the threshold."""


@dataclass
class Films:
    """Vectors of clips, and what footage each file shows."""

    ids: list[str] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    vectors: list[np.ndarray] = field(default_factory=list)
    file_of: dict[str, str] = field(default_factory=dict)
    footage: dict[str, set[str]] = field(default_factory=dict)

    def add(self, file: str, clip_id: str, vectors: np.ndarray, footage: set[str]) -> None:
        """A clip of a file."""
        self.ids += [clip_id] * len(vectors)
        self.places += range(len(vectors))
        self.vectors.append(vectors)
        self.file_of[clip_id] = file
        self.footage[file] = footage

    def add_file(self, path: Path, file: str, footage: set[str]) -> None:
        """Every clip that split finds in a file."""
        try:
            found = split_video(str(path), file, SplitConfig(start_trim_s=0.0, policy="tile", max_long_shots=None))
        except MediaError as error:
            print(f"  {file}: {str(error)[:100]}")
            return
        for row in found.clips:
            clip = Clip(**row)
            signals = slice_signals(found.signals, clip.start_frame, clip.num_frames)
            shown = clip_input(EMBEDDER.frames, clip, {"uri": str(path)}, signals)
            self.add(file, clip.clip_id, EMBEDDER.embed(shown), footage)

    @cached_property
    def clips(self) -> ClipVectors:
        """The vectors of all."""
        return ClipVectors.sorted_from(self.ids, np.array(self.places), np.concatenate(self.vectors))

    def are_different(self, first: str, second: str) -> bool:
        """Do two files show nothing in common?"""
        return not self.footage[first] & self.footage[second] and not UNTOLD & {first, second}


def real_footage() -> dict[str, set[str]]:
    """What each file of the real media shows: itself, or the files it was composed from."""
    truth = json.loads((MEDIA / "truth.json").read_text())
    footage = {}
    for file in sorted(truth):
        if Path(file).suffix in SUFFIXES and not file.startswith(("bad/", "dash-name/", "audio/")):
            row = truth[file]
            parts = [row["duplicate_of"]] if "duplicate_of" in row else []
            parts += [row["source"]["file"]] if "source" in row else []
            parts += [part["file"] for part in row.get("segments", ())]
            footage[file] = {Path(part).name for part in parts} or {file}
    footage["carphone_distorted.mp4"] = footage["carphone_pristine.mp4"]
    footage["composed/jitter_synth.mp4"] = {"sam2_juggle.mp4"}  # as manifest.json says
    return footage


def long_segments() -> list[tuple[str, str]]:
    """(montage, file) of its shots of 6 s and more, from the beginning of files that are there."""
    name = "composed/montage_cuts_68s.mp4"
    segments = json.loads((MEDIA / "truth.json").read_text())[name]["segments"]
    long = [Path(part["file"]).name for part in segments if part["frames"] >= 150 and part["start_s"] == 0]
    return [(name, file) for file in long if (MEDIA / file).exists()]


def made_films(num_each: int) -> Iterator[tuple[str, np.ndarray, Fraction]]:
    """(name, frames, fps) of toy-world films and of shots made from nothing."""
    for number, scene in enumerate(sample_scenes(31, num_each)):
        yield f"toy_{number}", np.stack(list(render(scene))), scene.fps
    for number in range(num_each):
        rng = np.random.default_rng([32, number])
        look = sample_look(rng)
        view = ordinary_view(rng, 130, look.camera, look.speed)
        yield f"made_{number}", film_shot(rng, look, view, (320, 180)), Fraction(24)


def real_films() -> Iterator[tuple[str, np.ndarray, Fraction]]:
    """(name, frames, fps) of two real files: one still camera, one in the hand."""
    for file, fps in (("sam2_blocks.mp4", Fraction(30000, 1001)), ("pool_handheld.mp4", Fraction(30))):
        frames = [resized(frame.image, 640) for frame in iter_frames(MEDIA / file, end_pts=None)][:180]
        yield file, np.stack(frames), fps


def resized(image: np.ndarray, width: int) -> np.ndarray:
    """The image at an even size of about that width."""
    height = round(image.shape[0] * width / image.shape[1] / 2) * 2
    return cv2.resize(image, (width // 2 * 2, height), interpolation=cv2.INTER_AREA)


def watermarked(image: np.ndarray) -> np.ndarray:
    """A white box with a name in the lower right corner, a twentieth of the picture."""
    height, width = image.shape[:2]
    marked = image.copy()
    cv2.rectangle(
        marked, (int(width * 0.70), int(height * 0.80)), (int(width * 0.98), int(height * 0.97)), (255,) * 3, -1
    )
    place = (int(width * 0.72), int(height * 0.93))
    cv2.putText(marked, "SAMPLE", place, cv2.FONT_HERSHEY_SIMPLEX, width / 520, (190, 20, 20), max(1, width // 250))
    return marked


def copies_of(frames: np.ndarray, fps: Fraction) -> dict[str, tuple[np.ndarray, int]]:
    """Kind -> (frames, crf) of five copies. The trimmed one loses 0.47 s at its start and a tenth at its end, never under 4 s."""
    width = frames.shape[2]
    first, last = round(0.47 * fps), max(round(4.6 * fps), round(len(frames) * 0.9))
    first = min(first, max(0, min(last, len(frames)) - round(4.05 * fps)))
    return {
        "re-encoded": (frames, 34),
        "resized": (np.stack([resized(f, round(width * 0.6)) for f in frames]), 26),
        "mirrored": (frames[:, :, ::-1], 26),
        "trimmed": (frames[first:last], 26),
        "watermarked": (np.stack([watermarked(f) for f in frames]), 26),
    }


def write(path: Path, frames: np.ndarray, fps: Fraction, crf: int) -> Path:
    """A file of these frames, its sides even."""
    height, width = (side // 2 * 2 for side in frames.shape[1:3])
    write_video(path, (np.ascontiguousarray(f[:height, :width]) for f in frames), fps, crf=crf)
    return path


def add_generated(films: Films, folder: Path) -> list[tuple[str, str, str]]:
    """(copy, original, kind) of 30 copies; originals that are no real file are written too."""
    wanted = []
    has_real = (MEDIA / "truth.json").exists()
    sources = [*(real_films() if has_real else ()), *made_films(2 if has_real else 3)]
    for name, frames, fps in sources:
        if name not in films.footage:
            films.add_file(write(folder / f"{name}.mp4", frames, fps, 18), name, {name})
        for kind, (shown, crf) in copies_of(frames, fps).items():
            path = write(folder / f"{kind}_{Path(name).stem}.mp4", shown, fps, crf)
            films.add_file(path, path.name, {name})
            wanted.append((path.name, name, kind))
    return wanted


def add_toys(films: Films, num_clips: int) -> None:
    """Toy-world clips as rendered, at the embedder's rate."""
    for number, scene in enumerate(sample_scenes(33, num_clips)):
        frames = list(render(scene))
        clip = Clip("", "", 0, 0, len(frames), scene.fps.denominator, scene.fps.numerator, 0, len(frames),
                    scene.fps.numerator, scene.fps.denominator, scene.width, scene.height)  # fmt: skip
        pts_s = np.arange(len(frames)) / float(scene.fps)
        places = EMBEDDER.frames.indices(len(frames), {"pts_s": pts_s})
        shown = ClipInput(clip, {}, {}, [frames[place] for place in places])
        films.add(f"look-alike {number}", f"toy{number:06d}", EMBEDDER.embed(shown), {f"look-alike {number}"})


def judge(films: Films, wanted: list[tuple[str, str, str]]) -> bool:
    """Prints what was found; True when all is as it must be."""
    start = time.perf_counter()
    matches = find_matches(films.clips, EMBEDDER.copies)
    seconds = time.perf_counter() - start
    pairs: dict[tuple[str, str], Match] = {}
    for match in sorted(matches, key=lambda m: m.similarity):
        a, b = sorted((films.file_of[match.first], films.file_of[match.second]))
        pairs[a, b] = match
    for copy, original, kind in wanted:
        found = pairs.get(tuple(sorted((copy, original))))
        shown = f"{found.similarity:.3f} of {found.share:.0%}{' mirrored' * found.is_mirrored}" if found else "MISSED"
        print(f"  {kind:<12} {copy:<36} {original:<22} {shown}")
    missed = [row for row in wanted if tuple(sorted(row[:2])) not in pairs]
    false = {pair: match for pair, match in pairs.items() if films.are_different(*pair)}
    for (a, b), match in false.items():
        print(f"  FALSE {a} {b} {match.similarity:.3f} of {match.share:.0%}")
    num_clips, inside = len(films.file_of), sum(a == b for a, b in pairs)
    print(
        f"{num_clips} clips, {len(films.ids)} vectors, {num_clips * (num_clips - 1) // 2} pairs compared in {seconds:.1f} s"
    )
    for title, kinds in (("composed", {"composed"}), ("generated", {row[2] for row in wanted} - {"composed"})):
        rows = [row for row in wanted if row[2] in kinds]
        print(f"{title}: {len(rows) - len([r for r in missed if r in rows])} of {len(rows)} copies found (wanted: all)")
    print(f"false pairs among different clips: {len(false)} (wanted: 0); files whose own clips match: {inside}")
    show_margin(films, {tuple(sorted(row[:2])) for row in wanted})
    return not missed and not false


def show_margin(films: Films, copies: set[tuple[str, str]]) -> None:
    """Prints how far copies and different clips are from the threshold on either side."""
    reached: dict[tuple[str, str], float] = {}
    for match in find_matches(films.clips, replace(EMBEDDER.copies, threshold=LOWEST)):
        pair = tuple(sorted((films.file_of[match.first], films.file_of[match.second])))
        if pair in copies or films.are_different(*pair):
            reached[pair] = max(reached.get(pair, 0.0), reach(films.clips, match))
    different = sorted(((cosine, pair) for pair, cosine in reached.items() if pair not in copies), reverse=True)
    cosine, pair = min((reached.get(pair, 0.0), pair) for pair in copies)
    print(
        f"threshold {EMBEDDER.copies.threshold:g}; half of the frames reach {cosine:.3f} in the faintest copy ({' '.join(pair)})"
    )
    print(f"of different clips {len(different)} pairs reach {LOWEST:g}, the nearest:")
    for cosine, pair in different[:5]:
        print(f"  {cosine:.3f} {' '.join(pair)}")


def reach(clips: ClipVectors, match: Match) -> float:
    """The highest threshold at which two clips still match, to a thousandth."""
    names = np.repeat(clips.ids, np.diff(clips.starts))
    rows = np.flatnonzero((names == match.first) | (names == match.second))
    two = ClipVectors.sorted_from(names[rows].tolist(), clips.places[rows], clips.vectors[rows])
    low, high = LOWEST, 1.0
    while high - low > 1e-3:
        middle = (low + high) / 2
        is_match = bool(find_matches(two, replace(EMBEDDER.copies, threshold=middle)))
        low, high = (middle, high) if is_match else (low, middle)
    return low


def find_copies(num_toys: int) -> bool:
    """The copies' part."""
    films, wanted = Films(), []
    if (MEDIA / "truth.json").exists():
        for file, footage in real_footage().items():
            films.add_file(MEDIA / file, file, footage)
        wanted += [(copy, original, "composed") for copy, original in [*MUST.items(), *long_segments()]]
    else:
        print("no real media: only what is made here")
    with tempfile.TemporaryDirectory() as folder:
        wanted += add_generated(films, Path(folder))
    add_toys(films, num_toys)
    return judge(films, wanted)


def synthetic(num_vectors: int, width: int, frames: int) -> tuple[ClipVectors, int]:
    """(vectors, copies): clips of some frames around a look of their own; each hundredth is a noisy copy of the one before.

    Made chunk by chunk: never more than one array of the final size.
    """
    num_clips = num_vectors // frames
    vectors = np.empty((num_clips * frames, width), np.float32)
    rng = np.random.default_rng(0)
    for start in range(0, num_clips, 1000):
        stop = min(start + 1000, num_clips)
        looks = rng.standard_normal((stop - start, 1, width), np.float32)
        shown = looks + 0.5 * rng.standard_normal((stop - start, frames, width), np.float32)
        shown[99::100] = shown[98::100] + 0.4 * rng.standard_normal(shown[98::100].shape, np.float32)
        vectors[start * frames : stop * frames] = scale_to_one(shown.reshape(-1, width))
    ids = [f"{clip:08d}" for clip in range(num_clips)]
    starts, places = np.arange(num_clips + 1) * frames, np.tile(np.arange(frames, dtype=np.int32), num_clips)
    return ClipVectors(ids, starts, places, vectors), num_clips // 100


def million(num_vectors: int, frames: int) -> bool:
    """The million's part: time, memory, and whether planted copies are found through the inverted lists."""
    clips, num_copies = synthetic(num_vectors, 144, frames)
    made = peak_gib()
    start, cpu = time.perf_counter(), time.process_time()
    matches = find_matches(clips, EMBEDDER.copies)
    minutes, cpu_minutes = (time.perf_counter() - start) / 60, (time.process_time() - cpu) / 60
    planted = {(f"{n * 100 + 98:08d}", f"{n * 100 + 99:08d}") for n in range(num_copies)}
    found = {(match.first, match.second) for match in matches}
    print(f"{len(clips.vectors)} vectors of 144 numbers, {len(clips)} clips, mirrored too: {minutes:.2f} min (wanted: {MAX_MINUTES:g}; "
          f"{cpu_minutes:.2f} of CPU), peak {peak_gib():.2f} GiB (wanted: {MAX_GIB:g}; {made:.2f} before)")  # fmt: skip
    print(f"planted copies found: {len(planted & found)} of {len(planted)}; other pairs: {len(found - planted)}")
    return minutes <= MAX_MINUTES and peak_gib() <= MAX_GIB and planted == found


def peak_gib() -> float:
    """This process's largest resident memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> int:
    """Exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toy", type=int, default=100, help="toy-world clips that must stay apart (default 100)")
    parser.add_argument("--million", action="store_true", help="only time and memory for 1M synthetic vectors")
    parser.add_argument("--vectors", type=int, default=1_000_000, help="with --million: how many (default 1M)")
    parser.add_argument("--frames", type=int, default=8, help="with --million: vectors a clip (default 8)")
    arguments = parser.parse_args()
    is_right = million(arguments.vectors, arguments.frames) if arguments.million else find_copies(arguments.toy)
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
