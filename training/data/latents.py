"""Latents cached by `moviegen train encode`: files, their index, and reading single samples back.

`<folder>/latents.json` is written last and names every file with its SHA-256; a folder without it is unfinished. A file
holds the latents of one shard: for each clip the posterior's mean and standard deviation as a video, and those of some single
frames as images. Latents are kept before normalisation.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from moviegen.contracts.clip import file_sha256
from moviegen.contracts.lake import atomic_write
from moviegen.errors import UsageError

INDEX_FILE = "latents.json"
INDEX_FORMAT = 1


@dataclass(frozen=True)
class LatentSample:
    """One clip in a latent file."""

    key: str
    video_id: str
    caption: str
    fps: float
    """Frames per second of the frames that were encoded."""


@dataclass(frozen=True)
class LatentFile:
    """The latents of one shard."""

    path: str
    """Below the folder of the index."""
    bucket: str
    sha256: str
    samples: tuple[LatentSample, ...]


@dataclass(frozen=True)
class LatentIndex:
    """What was encoded, with what, at which resolution."""

    subset: str
    data_digest: str
    """Hash of the shards that were encoded."""
    tae_sha256: str
    """SHA-256 of the TAE's weights."""
    resolution: int
    image_frames: int
    """Single frames encoded of each clip, for image batches."""
    files: tuple[LatentFile, ...]


def encode_index(index: LatentIndex) -> str:
    """The text of `latents.json`."""
    return json.dumps({"format": INDEX_FORMAT, **asdict(index)}, sort_keys=True, indent=1, ensure_ascii=False) + "\n"


def decode_index(text: str) -> LatentIndex:
    """The record of a `latents.json`; the inverse of `encode_index`. Raises ValueError when it is not one."""
    try:
        values = json.loads(text)
        if values.pop("format") != INDEX_FORMAT:
            raise ValueError(f"this version reads format {INDEX_FORMAT}")
        files = tuple(
            LatentFile(**{**file, "samples": tuple(LatentSample(**sample) for sample in file["samples"])})
            for file in values.pop("files")
        )
        return LatentIndex(files=files, **values)
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a latent index: {error!r}") from error


def read_index(folder: Path | str) -> LatentIndex:
    """The index of a folder of latents. Raises UsageError when the folder was never finished."""
    path = Path(folder) / INDEX_FILE
    try:
        return decode_index(path.read_text())
    except FileNotFoundError as error:
        raise UsageError(
            f"{path}: not found; make the latents: moviegen train encode --tae TAE_FOLDER --lake LAKE --output {Path(folder).parent}"
        ) from error
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from error


def write_index(folder: Path, index: LatentIndex) -> None:
    """Commits a folder of latents."""
    with atomic_write(folder / INDEX_FILE, "commit") as temporary:
        temporary.write_text(encode_index(index))


class LatentReader:
    """Reads samples of committed latent files. A file's SHA-256 is checked once a process, before its first sample."""

    def __init__(self, folder: Path, files: Sequence[LatentFile]) -> None:
        self._folder = folder
        self._files = {file.path: file for file in files}
        self._open: dict[str, dict[str, Tensor]] = {}

    def read(self, path: str, position: int, frame: int | None = None) -> tuple[Tensor, Tensor]:
        """(mean, std), each (C, T, h, w) float32, of the clip at `position`, or of its single frame number `frame`."""
        tensors = self._load(path)
        kind, row = ("video", (position,)) if frame is None else ("image", (position, frame))
        return tensors[f"{kind}_mean"][row].float(), tensors[f"{kind}_std"][row].float()

    def _load(self, path: str) -> dict[str, Tensor]:
        if path not in self._open:
            where = self._folder / path
            if file_sha256(where) != self._files[path].sha256:
                raise UsageError(
                    f"{where}: its bytes are not those committed (sha256 differs); delete it and run encode again"
                )
            with safe_open(where, framework="pt") as file:
                self._open[path] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return self._open[path]


def frame_positions(num_frames: int, image_frames: int) -> list[int]:
    """Which frames of a clip are encoded as images: the middle of each of `image_frames` equal spans."""
    count = min(num_frames, image_frames)
    return [(2 * i + 1) * num_frames // (2 * count) for i in range(count)]


def stack_moments(moments: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """(mean, std) of a batch, each (B, C, T, h, w)."""
    means, stds = zip(*moments, strict=True)
    return torch.stack(means), torch.stack(stds)
