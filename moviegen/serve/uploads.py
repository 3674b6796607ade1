"""Files from the page: taken by an allow-list, looked at in the guarded worker, kept beside what is made of them."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from moviegen.contracts.clip import file_sha256
from moviegen.contracts.lake import atomic_write
from moviegen.errors import UsageError
from moviegen.media.limits import IMAGE_FORMATS, VIDEO_FORMATS, MediaLimits
from moviegen.media.probe import probe
from moviegen.media.read import read_image
from moviegen.media.worker import DecodeWorker
from moviegen.serve.products import EITHER, PICTURE

INPUTS = "inputs"
"""Folder of the output folder in which uploads lie: `reproduce` needs them."""

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".m4v", ".avi")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class UploadLimits:
    """The largest that is taken."""

    max_mb: int = 200
    max_s: float = 120.0


def suffixes_of(kind: str) -> tuple[str, ...]:
    """Endings of names that a kind of input may have."""
    return PICTURE_SUFFIXES if kind == PICTURE else VIDEO_SUFFIXES + (PICTURE_SUFFIXES if kind == EITHER else ())


def take_upload(path: Path, kind: str, output: Path, limits: UploadLimits, worker: DecodeWorker) -> Path:
    """The checked file as it lies in the folder of inputs, named by its content. Raises UsageError or a MediaError saying why not."""
    name, suffix = path.name, path.suffix.lower()
    if suffix not in suffixes_of(kind):
        raise UsageError(f"{name}: wanted a {kind}, a name that ends in one of {', '.join(suffixes_of(kind))}")
    size_mb = path.stat().st_size / 1e6
    if size_mb > limits.max_mb:
        raise UsageError(f"{name} is {size_mb:.0f} MB, the limit is {limits.max_mb} MB")
    if suffix in PICTURE_SUFFIXES:
        worker.call(read_image, path, limits=MediaLimits(formats=IMAGE_FORMATS))
    else:
        worker.call(probe, path, MediaLimits(formats=VIDEO_FORMATS, max_duration_s=limits.max_s))
    kept = output / INPUTS / f"{file_sha256(path)[:16]}{suffix}"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(kept) as temporary:
            shutil.copyfile(path, temporary)
            os.chmod(temporary, 0o644)
    return kept
