"""What is measured beside what: files of two folders by name, never by order. What has no partner is a row that says so."""

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from moviegen.errors import UsageError

VIDEO_SUFFIXES = (".mp4", ".mkv", ".webm", ".mov", ".avi", ".gif")
SOUND_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".m4a")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


@dataclass(frozen=True)
class Prompt:
    """What an item was asked to show."""

    text: str = ""
    source_text: str = ""
    """Caption of the clip before an edit."""
    tags: tuple[str, ...] = ()
    """Concepts and motion level, each once."""


@dataclass(frozen=True)
class Item:
    """A file to measure and what belongs to it."""

    name: str
    """Path below its folder without suffix: what pairs go by."""
    path: Path | None
    reference: Path | None = None
    mask: Path | None = None
    pictures: tuple[Path, ...] = ()
    """Of the person, for identity."""
    prompt: Prompt | None = None
    fault: str = ""
    """Why it cannot be measured at all."""
    reference_fault: str = ""
    """Why it cannot be compared."""
    is_reference_only: bool = False
    """Only the reference has a file of this name."""


def list_files(folder: Path, suffixes: Iterable[str]) -> tuple[dict[str, Path], dict[str, str]]:
    """(name -> file, name -> fault): the files below a folder; a name that two files share is a fault. Raises UsageError."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; give the folder that holds the files to measure")
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder)
        if path.suffix.lower() in suffixes and path.is_file() and not any(p.startswith(".") for p in parts.parts):
            found.setdefault(parts.with_suffix("").as_posix(), []).append(path)
    faults = {
        name: f"{len(paths)} files have this name: {', '.join(p.name for p in paths)}; keep one"
        for name, paths in found.items()
        if len(paths) > 1
    }
    return {name: paths[0] for name, paths in found.items() if len(paths) == 1}, faults


def make_items(
    generated: Path,
    reference: Path | None = None,
    *,
    masks: Path | None = None,
    pictures: Path | None = None,
    prompts: dict[str, Prompt] | None = None,
) -> list[Item]:
    """Every file of `generated`, and every one of `reference` that has no partner there, by name. Raises UsageError on an empty folder."""
    media = (*VIDEO_SUFFIXES, *SOUND_SUFFIXES, *PICTURE_SUFFIXES)
    files, faults = list_files(generated, media)
    if not files and not faults:
        raise UsageError(f"{generated}: no video, sound or picture in it ({', '.join(media)})")
    others, other_faults = list_files(reference, media) if reference else ({}, {})
    mask_files, mask_faults = list_files(masks, (*VIDEO_SUFFIXES, *PICTURE_SUFFIXES)) if masks else ({}, {})
    items = []
    for name in sorted(set(files) | set(faults) | set(others) | set(other_faults)):
        path, other = files.get(name), others.get(name)
        reference_fault = other_faults.get(name, "")
        if reference and other is None and not reference_fault:
            reference_fault = f"no file of this name in {reference.name}/"
        fault = faults.get(name, "" if path else f"no file of this name in {generated.name}/, only in the reference")
        items.append(
            Item(
                name,
                path,
                other,
                None if name in mask_faults else mask_files.get(name),
                _pictures_of(pictures, name),
                prompt_of(path, name, prompts or {}),
                fault,
                reference_fault,
                path is None and name not in faults,
            )
        )
    return items


def _pictures_of(folder: Path | None, name: str) -> tuple[Path, ...]:
    """Pictures of a person: `<name>.jpg`, or all in a folder `<name>`."""
    if folder is None:
        return ()
    alone = [folder / f"{name}{suffix}" for suffix in PICTURE_SUFFIXES if (folder / f"{name}{suffix}").is_file()]
    inside = [p for p in sorted((folder / name).glob("*")) if p.suffix.lower() in PICTURE_SUFFIXES]
    return (*alone, *inside)


def prompt_of(path: Path | None, name: str, prompts: dict[str, Prompt]) -> Prompt | None:
    """From the table of prompts, else from a `.txt` beside the file."""
    if name in prompts or path is None:
        return prompts.get(name)
    beside = path.with_suffix(".txt")
    try:
        return Prompt(beside.read_text(encoding="utf-8").strip()) if beside.is_file() else None
    except (OSError, UnicodeDecodeError):
        return None


def read_prompts(path: Path) -> dict[str, Prompt]:
    """Name -> prompt of a .csv or .jsonl with `name`, `prompt` and, if known, `source_prompt`, `concept`, `motion_level`.

    Raises UsageError naming the row that is none.
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = (
                [json.loads(line) for line in file if line.strip()]
                if path.suffix == ".jsonl"
                else list(csv.DictReader(file))
            )
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(f"--prompts {path}: {error}") from error
    found: dict[str, Prompt] = {}
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict) or not row.get("name") or not row.get("prompt"):
            raise UsageError(
                f"--prompts {path}: row {number} has no `name` or no `prompt`; `name` is the file's, without suffix"
            )
        if row["name"] in found:
            raise UsageError(f"--prompts {path}: row {number}: the name {row['name']!r} comes twice")
        found[str(row["name"])] = Prompt(str(row["prompt"]), str(row.get("source_prompt") or ""), _tags(row))
    return found


def _tags(row: dict) -> tuple[str, ...]:
    """Concepts, which may repeat themselves in one cell as in Movie Gen Video Bench, and the motion level."""
    concept = row.get("concept") or ""
    words = concept if isinstance(concept, list) else str(concept).split(",")
    level = [f"motion {row['motion_level']}"] if row.get("motion_level") else []
    return tuple(dict.fromkeys(word.strip() for word in [*map(str, words), *level] if word.strip()))
