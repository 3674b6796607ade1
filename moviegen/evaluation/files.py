"""Media files of a folder by name: the path below it without suffix, which is what belongs together goes by."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from moviegen.errors import UsageError

KINDS: dict[str, tuple[str, ...]] = {
    "video": (".mp4", ".mkv", ".webm", ".mov", ".avi", ".gif"),
    "image": (".png", ".jpg", ".jpeg", ".webp", ".bmp"),
    "sound": (".wav", ".flac", ".mp3", ".ogg", ".m4a"),
}
"""Kind -> how its files' names end."""

_KIND_OF = {suffix: kind for kind, suffixes in KINDS.items() for suffix in suffixes}


def kind_of(path: Path) -> str:
    """video, image or sound, by the file's name; empty for anything else."""
    return _KIND_OF.get(path.suffix.lower(), "")


def list_media(
    folder: Path, kinds: Sequence[str] = tuple(KINDS), *, may_be_empty: bool = False
) -> dict[str, list[Path]]:
    """Name -> the files of it, of everything below a folder that is not hidden. Raises UsageError of no such folder, or of an empty
    one."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; wanted one of {', '.join(kinds)} files")
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        below = path.relative_to(folder)
        if kind_of(path) in kinds and path.is_file() and not any(part.startswith(".") for part in below.parts):
            found[below.with_suffix("").as_posix()].append(path)
    if not found and not may_be_empty:
        suffixes = [suffix for kind in kinds for suffix in KINDS[kind]]
        raise UsageError(f"{folder}: no media file; wanted names that end in one of {', '.join(suffixes)}")
    return dict(found)


def one_each(found: Mapping[str, list[Path]]) -> tuple[dict[str, Path], dict[str, str]]:
    """(name -> file, name -> fault): a name that several files share is of none of them."""
    files = {name: paths[0] for name, paths in found.items() if len(paths) == 1}
    return files, {name: several(paths) for name, paths in found.items() if len(paths) > 1}


def several(paths: Sequence[Path]) -> str:
    """What is wrong with a name that several files share."""
    return f"{len(paths)} files have this name: {', '.join(path.name for path in paths)}; keep one"
