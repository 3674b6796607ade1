"""Latents and text features cached by `moviegen train encode`: tars, their index, and reading single samples back.

`<folder>/latents.json` is written last and names every tar with its SHA-256; a folder without it is unfinished. A tar holds what was
made of one shard, a clip's in up to three members: `<key>.video.safetensors` (posterior mean and std), `.image.safetensors` (those of
some single frames) and, where text encoders were given, `.text.safetensors` (features trimmed to the text's own length). Latents are
kept before normalisation.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from moviegen.contracts.clip import file_sha256
from moviegen.contracts.lake import atomic_write
from moviegen.contracts.shard import ShardError
from moviegen.errors import UsageError
from training.data.payload import decode_payload
from training.data.tars import CheckedTar, TarReader, open_tar

INDEX_FILE = "latents.json"
INDEX_FORMAT = 2

NO_TEXT_FILE = "no_text.safetensors"
"""Features of the empty text, one tensor a text encoder: `0`, `1`, ..."""

SUFFIXES = {kind: f"{kind}.safetensors" for kind in ("video", "image", "text")}
"""Members of a clip."""


@dataclass(frozen=True)
class LatentSample:
    """One clip in a latent file."""

    key: str
    video_id: str
    caption: str
    fps: float
    """Frames per second of the frames that were encoded; 0 of an image."""


@dataclass(frozen=True)
class LatentFile:
    """The latents of one shard."""

    path: str
    """Below the folder of the index."""
    bucket: str
    sha256: str
    num_images: int
    """Single frames encoded of each clip."""
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
    text_sha256: tuple[str, ...] = ()
    """SHA-256 of the weights of each text encoder whose features are cached."""
    no_text_sha256: str = ""
    """Of the file with the features of the empty text."""


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
        return LatentIndex(files=files, **{**values, "text_sha256": tuple(values["text_sha256"])})
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
    """Reads samples of committed latent tars. A tar is checked before its first sample, as shards are."""

    def __init__(self, folder: Path, files: Sequence[LatentFile]) -> None:
        self._folder = folder
        self._files = {file.path: file for file in files}
        self._tars = TarReader(self._check)

    def read(self, path: str, position: int, frame: int | None = None) -> tuple[Tensor, Tensor]:
        """(mean, std), each (C, T, h, w) float32, of the clip at `position`, or of its single frame number `frame`."""
        tensors = self._payload(path, position, frame, ("video" if frame is None else "image",))
        mean, std = self._moments(tensors, frame)
        return mean.float(), std.float()

    def read_with_texts(
        self, path: str, position: int, frame: int | None = None
    ) -> tuple[tuple[Tensor, Tensor], list[Tensor]]:
        """As `read`, but as it was written, and of each text encoder the features (L, D) of the clip's text, as a video's or an image's."""
        kind = "video" if frame is None else "image"
        tensors = self._payload(path, position, frame, (kind, "text"))
        count = sum(name.startswith(f"{kind}.") for name in tensors)
        return self._moments(tensors, frame), [tensors[f"{kind}.{i}"] for i in range(count)]

    def _moments(self, tensors: dict[str, Tensor], frame: int | None) -> tuple[Tensor, Tensor]:
        mean, std = tensors["mean"], tensors["std"]
        return (mean, std) if frame is None else (mean[frame], std[frame])

    def _payload(self, path: str, position: int, frame: int | None, kinds: tuple[str, ...]) -> dict[str, Tensor]:
        key = self._files[path].samples[position].key
        members = self._tars.read(path, key, [SUFFIXES[kind] for kind in kinds])
        try:
            return {name: tensor for content in members.values() for name, tensor in decode_payload(content).items()}
        except ValueError as error:
            raise ShardError(f"{self._folder / path}: {key}: {error}") from error

    def _check(self, path: str) -> CheckedTar:
        where, file = self._folder / path, self._files[path]

        def check() -> None:
            if file_sha256(where) != file.sha256:
                raise UsageError(
                    f"{where}: its bytes are not those committed (sha256 differs); delete it and run encode again"
                )

        try:
            return open_tar(where, file.sha256, len(file.samples), check, tuple(SUFFIXES.values()))
        except OSError as error:
            raise UsageError(f"{where}: cannot be read: {error.strerror}; run encode again") from error


def read_no_text(folder: Path, index: LatentIndex) -> list[Tensor]:
    """The features (L, D) of the empty text, of each text encoder."""
    if not index.text_sha256:
        return []
    path = folder / NO_TEXT_FILE
    if file_sha256(path) != index.no_text_sha256:
        raise UsageError(f"{path}: its bytes are not those committed (sha256 differs); delete it and run encode again")
    tensors = load_file(path)
    return [tensors[str(i)] for i in range(len(index.text_sha256))]


def frame_positions(num_frames: int, image_frames: int) -> list[int]:
    """Which frames of a clip are encoded as images: the middle of each of `image_frames` equal spans."""
    count = min(num_frames, image_frames)
    return [(2 * i + 1) * num_frames // (2 * count) for i in range(count)]


def stack_moments(moments: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """(mean, std) of a batch, each (B, C, T, h, w) float32."""
    means, stds = zip(*moments, strict=True)
    return torch.stack(means).float(), torch.stack(stds).float()
