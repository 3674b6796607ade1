"""Size and time of odd videos: ours, frame / average rate, PySceneDetect. `time_and_shape.py [FOLDER]`

Writes the videos of `moviegen.testing.odd_kinds` into FOLDER (a temporary one when left out), whose true sizes and cut times are known by
construction, and prints a line a file: the size as displayed and as each sees it, the largest error of a cut in milliseconds, and cuts
missed (`-2`). The others get every benefit of the doubt: `rate` is given the right frames of the cuts and only divides by the header's
average rate, as NeMo Curator and video2dataset do; PySceneDetect's better backend counts (OpenCV or PyAV) and each true cut takes its
nearest; their times count from the file's zero or from the first frame, whichever is nearer. Ends non-zero when ours has a wrong size,
misses a cut or is off by more than the container's rounding of time.
"""

import logging
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

LATE_MS = 20
"""Errors above this are counted: half a frame at 25 frames a second."""


@dataclass(frozen=True)
class Seen:
    """What one program says of a file."""

    size: tuple[int, int]
    """(width, height) in px."""
    error_ms: float
    """Largest error of a cut."""
    num_missed: int = 0
    """Cuts that it does not find at all."""


def nearest_ms(found_s: list[float], true_s: list[float]) -> float:
    """Largest distance of a true cut to the nearest one found."""
    return 1000 * max((min(abs(found - true) for found in found_s) for true in true_s), default=0.0) if found_s else 0.0


def see_ours(media, true_s: list[float]) -> Seen:
    """Our split and probe, on the file's own clock, cut by cut."""
    from curation.clips import SplitConfig, split_video
    from moviegen.media.probe import probe

    about = probe(media.path)
    shots = split_video(str(media.path), "v" * 32, SplitConfig()).shots
    start = 0 if media.has_own_clock else about.start_pts
    found = [float((row["start_pts"] - start) * about.time_base) for row in shots[1:]]
    return Seen((about.width, about.height), nearest_ms(found, true_s), abs(len(true_s) - len(found)))


def see_by_rate(media, true_s: list[float]) -> Seen:
    """Header alone: the coded size, and the true frames of the cuts over the average rate."""
    import av

    with av.open(str(media.path)) as container:
        stream = container.streams.video[0]
        rate = stream.average_rate or stream.base_rate
        first = float(media.times_s[0])
        errors = [[abs(float(c / rate) + at - t) for c, t in zip(media.cuts, true_s, strict=True)] for at in (0, first)]
        return Seen((stream.width, stream.height), 1000 * min(max(each, default=0.0) for each in errors))


def see_by_scenedetect(media, true_s: list[float]) -> Seen:
    """PySceneDetect's default detector with the backend that does better."""
    seen = [_see_by_backend(media, true_s, backend) for backend in ("opencv", "pyav")]
    return min(seen, key=lambda each: (each.num_missed, each.size != media.size, each.error_ms))


def _see_by_backend(media, true_s: list[float], backend: str) -> Seen:
    from scenedetect import AdaptiveDetector, SceneManager, open_video

    video = open_video(str(media.path), backend=backend)
    manager = SceneManager()
    manager.add_detector(AdaptiveDetector(min_scene_len=4))
    manager.detect_scenes(video)
    starts = [start.seconds for start, _ in manager.get_scene_list()]
    first = float(media.times_s[0])
    shifts = (0.0, first, first - starts[0]) if starts else (0.0,)
    error = min(nearest_ms([time + shift for time in starts[1:]], true_s) for shift in shifts)
    return Seen(tuple(video.frame_size), error, max(0, len(true_s) - len(starts[1:])))


def line(name: str, media, seen: list[Seen]) -> str:
    """One row of the table."""
    cells = [f"{name:<20} {media.size[0]:>4}x{media.size[1]:<4}"]
    for each in seen:
        mark = " " if each.size == media.size else "!"
        missed = f"-{each.num_missed}" if each.num_missed else ""
        cells.append(f"{each.size[0]:>4}x{each.size[1]:<4}{mark}{each.error_ms:>8.1f} {missed:<2}")
    return " | ".join(cells)


def main() -> int:
    """Prints the table and the sums."""
    from importlib.metadata import version

    from moviegen.testing.odd_kinds import ODDITIES
    from moviegen.testing.odd_media import make_odd_media

    logging.getLogger("pyscenedetect").setLevel(logging.CRITICAL)
    programs = {"ours": see_ours, "frame / rate": see_by_rate, "scenedetect": see_by_scenedetect}
    table: dict[str, list[tuple]] = {name: [] for name in programs}
    broken = []
    print(f"PySceneDetect {version('scenedetect-headless')}; largest cut error in ms; ! marks a wrong size")
    print(f"{'file':<20} {'shown':<9} | " + " | ".join(f"{name:<21}" for name in programs))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name, oddity in ODDITIES.items():
            media = make_odd_media(name, oddity, folder)
            true_s = [float(media.times_s[cut]) for cut in media.cuts]
            seen = [see(media, true_s) for see in programs.values()]
            print(line(name, media, seen), flush=True)
            for rows, each in zip(table.values(), seen, strict=True):
                rows.append((each.size != media.size, each.error_ms > LATE_MS, each.num_missed > 0, each.error_ms))
            ours = seen[0]
            if ours.size != media.size or ours.num_missed or ours.error_ms > 1000 * media.tick_s:
                broken.append(name)
    for name, rows in table.items():
        sizes, late, missed, errors = zip(*rows, strict=True)
        print(
            f"{name:<13} of {len(rows)} files: size wrong in {sum(sizes)}, a cut off by more than {LATE_MS} ms in {sum(late)}",
            end="",
        )
        print(f" (worst {max(errors):.0f} ms), cuts missed in {sum(missed)}")
    if broken:
        print(f"BROKEN: {', '.join(broken)}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
