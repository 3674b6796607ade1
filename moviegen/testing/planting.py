"""Writes a folder of toy-world videos with planted faults and its truth: what curation must keep, reject, and why."""

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from moviegen.errors import UsageError
from moviegen.media.write import encode_clip

from .damage import DAMAGES
from .footage import FAULTS, GOOD, SAMPLE_RATE, Footage, Kind

TRUTH_FILE = "truth.json"
WORLD_FILE = "world.json"
"""The arguments the folder is made with; written first, the truth last: without a truth the folder is not finished."""

VERSION = 1
"""Raised when the same arguments give other files."""

COPIES = ("duplicate", "near_duplicate")
KINDS = (*GOOD, *FAULTS, *DAMAGES, *COPIES)
"""Every kind of file that `write_world` makes."""

CUTS_EVERY = 8
"""One good file in so many has several shots."""

CRF = 18
NEAR_DUPLICATE_CRF = 34
"""A near duplicate is the same film, compressed so much."""


@dataclass(frozen=True)
class PlantedVideo:
    """The truth about one file: a row of truth.json."""

    file: str
    """Name in the folder."""
    kind: str
    expected: str
    """The state it must end in: `accepted`, `rejected`, `failed`, `duplicate` (same bytes as another), or `any`."""
    caught_by: tuple[str, ...]
    """Operations or detectors that may rightly reject it; empty when it is not to be rejected."""
    caption: str
    """As in the sidecar `.txt`; true of every shot."""
    width: int
    height: int
    fps_num: int
    fps_den: int
    num_frames: int
    """Before any damage."""
    has_audio: bool
    cuts_frames: tuple[int, ...]
    """First frame of each shot but the first."""
    borders: tuple[int, int, int, int]
    """Black rows and columns: top, bottom, left, right."""
    text: str
    """What is burnt in."""
    duplicate_of: str | None
    """The file it shows again."""


@dataclass(frozen=True)
class Plan:
    """A file to be made."""

    file: str
    kind: str
    seed: tuple[int, ...]
    source: "Plan | None" = None
    """The good file that it copies or breaks."""


def write_world(
    folder: Path,
    seed: int,
    num_clips: int,
    faults: bool = True,
    *,
    num_faults: int | None = None,
    on_file: Callable[[int, int], None] = lambda done, total: None,
) -> list[dict]:
    """The truth about a new folder of videos: a list of rows as in its truth.json (see `PlantedVideo`).

    `num_clips` good videos are written, with `faults` also `num_faults` of each kind of fault (default: one in 40, at least
    one), each with its caption in a `.txt`. The same arguments give the same bytes. A folder already finished with these
    arguments is left as it is; with others it is refused (UsageError). `on_file` is told how many files are done.
    """
    folder = Path(folder)
    plans = plan_world(seed, num_clips, faults, num_faults)
    arguments = {"version": VERSION, "seed": seed, "num_clips": num_clips, "files": len(plans)}
    if open_folder(folder, arguments):
        return json.loads((folder / TRUTH_FILE).read_text())
    made: list[PlantedVideo] = []
    for group in ([p for p in plans if p.source is None], [p for p in plans if p.source is not None]):
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            for planted in pool.map(lambda plan: _make(folder, plan), group):
                made.append(planted)
                on_file(len(made), len(plans))
    rows = [asdict(planted) for planted in sorted(made, key=lambda p: p.file)]
    write_json(folder / TRUTH_FILE, rows)
    return json.loads((folder / TRUTH_FILE).read_text())


def open_folder(folder: Path, arguments: dict) -> bool:
    """Whether the folder is finished; an empty one gets its arguments written down, a foreign one is refused."""
    folder.mkdir(parents=True, exist_ok=True)
    about = folder / WORLD_FILE
    if not about.exists():
        if any(folder.iterdir()):
            raise UsageError(f"{folder} is not empty and holds no toy world: give another folder")
        write_json(about, arguments)
    elif (found := json.loads(about.read_text())) != arguments:
        raise UsageError(f"{folder} holds a world of {found}, wanted {arguments}: give another folder, or delete it")
    return (folder / TRUTH_FILE).exists()


def write_json(path: Path, content: object) -> None:
    """Writes it, whole or not at all."""
    replace_file(path, (json.dumps(content, indent=1) + "\n").encode())


def replace_file(path: Path, content: bytes) -> None:
    """Writes it, whole or not at all."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(content)
    os.replace(temporary, path)


def _num_faults(num_clips: int, faults: bool, num_faults: int | None) -> int:
    """Of each kind."""
    if not faults:
        return 0
    return max(1, num_clips // 40) if num_faults is None else num_faults


def plan_world(seed: int, num_clips: int, faults: bool = True, num_faults: int | None = None) -> list[Plan]:
    """Every file `write_world` would make, each with a seed of its own: more of one kind does not change the others."""
    if num_clips < 1:
        raise ValueError(f"num_clips is {num_clips}, wanted at least 1")
    good = []
    for i in range(num_clips):
        kind = "cuts" if i % CUTS_EVERY == CUTS_EVERY - 1 else "good"
        good.append(Plan(f"{kind}_{i:04d}{'.mkv' if i % 5 == 4 else '.mp4'}", kind, (seed, 0, i)))
    return good + [
        _plan_fault(kind, i, (seed, number, i), good)
        for number, kind in enumerate((*FAULTS, *DAMAGES, *COPIES), start=1)
        for i in range(_num_faults(num_clips, faults, num_faults))
    ]


def _plan_fault(kind: str, i: int, seed: tuple[int, ...], good: list[Plan]) -> Plan:
    """Broken are mp4 files only: a Matroska file cut short may still be read. A copy's name sorts after its source's."""
    if kind in FAULTS:
        return Plan(f"{kind}_{i:04d}.mp4", kind, seed)
    if kind in DAMAGES:
        good = [plan for plan in good if plan.file.endswith(".mp4")]
    source = good[(seed[1] * 5 + i * 7) % len(good)]
    path = Path(source.file)
    name = kind if kind in DAMAGES else f"{path.stem}_{kind}"
    return Plan(f"{name}_{i:04d}{path.suffix}", kind, seed, source)


def _make(folder: Path, plan: Plan) -> PlantedVideo:
    """Writes one file and its caption; gives its truth."""
    path = folder / plan.file
    film = plan.source or plan
    kind = (GOOD | FAULTS)[film.kind]
    footage = kind.make(np.random.default_rng(film.seed))
    truth = _truth(plan, kind, footage)
    if plan.source is None:
        replace_file(path, _encode(footage, path, CRF))
    elif plan.kind == "near_duplicate":
        replace_file(path, _encode(footage, path, NEAR_DUPLICATE_CRF))
    else:
        content = (folder / plan.source.file).read_bytes()
        damage = DAMAGES.get(plan.kind)
        replace_file(path, damage.apply(content, np.random.default_rng(plan.seed)) if damage else content)
    path.with_suffix(".txt").write_text(truth.caption + "\n")
    return truth


def _encode(footage: Footage, path: Path, crf: int) -> bytes:
    return encode_clip(
        footage.frames, footage.fps, width=footage.width, height=footage.height, audio=footage.audio,
        sample_rate=SAMPLE_RATE, crf=crf, preset="veryfast", container="matroska" if path.suffix == ".mkv" else "mp4",
    )  # fmt: skip


def _truth(plan: Plan, kind: Kind, footage: Footage) -> PlantedVideo:
    expected = {"duplicate": "duplicate", "near_duplicate": "accepted"}.get(plan.kind, kind.expected)
    if plan.kind in DAMAGES:
        expected = DAMAGES[plan.kind].expected
    return PlantedVideo(
        file=plan.file, kind=plan.kind, expected=expected, caught_by=() if plan.source else kind.caught_by,
        caption=footage.caption, width=footage.width, height=footage.height,
        fps_num=footage.fps.numerator, fps_den=footage.fps.denominator, num_frames=footage.num_frames,
        has_audio=footage.audio is not None, cuts_frames=footage.cuts_frames, borders=footage.borders, text=footage.text,
        duplicate_of=plan.source.file if plan.source and plan.kind in COPIES else None,
    )  # fmt: skip
