"""Latents and text features cached by `moviegen train encode`: tars and their index.

`<folder>/latents.json` is written last and names every tar with its SHA-256; a folder without it is unfinished. `samples.arrow` beside it
lists the clips, in the order of the tars (`data/columns`). A tar holds what was made of one shard, a clip's in up to three members:
`<key>.video.safetensors` (posterior mean and std), `.image.safetensors` (those of some single frames) and, where text encoders were given,
`.text.safetensors` (features trimmed to the text's own length). Latents are kept before normalisation.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from moviegen.contracts.clip import file_sha256
from moviegen.contracts.lake import atomic_write
from moviegen.errors import UsageError
from training.data.columns import Samples, write_samples

INDEX_FILE = "latents.json"
INDEX_FORMAT = 3

SAMPLES_FILE = "samples.arrow"

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
    num_samples: int


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
    samples_sha256: str = ""
    """Of the file that lists the clips."""


def encode_index(index: LatentIndex) -> str:
    """The text of `latents.json`."""
    return json.dumps({"format": INDEX_FORMAT, **asdict(index)}, sort_keys=True, indent=1, ensure_ascii=False) + "\n"


def decode_index(text: str) -> LatentIndex:
    """The record of a `latents.json`; the inverse of `encode_index`. Raises ValueError when it is not one."""
    try:
        values = json.loads(text)
        if values.pop("format") != INDEX_FORMAT:
            raise ValueError(
                f"this version reads format {INDEX_FORMAT}; run the encode that made it again: the index is made anew, nothing is encoded"
            )
        files = tuple(LatentFile(**file) for file in values.pop("files"))
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


def has_index(folder: Path) -> bool:
    """Whether a folder of latents was finished, by a version whose index this one reads."""
    try:
        read_index(folder)
    except UsageError:
        return False
    return True


def write_index(folder: Path, index: LatentIndex, samples: Sequence[LatentSample]) -> None:
    """Commits a folder of latents: first the list of its clips, in the order of the files, then the index that names it."""
    sha256 = write_samples(folder / SAMPLES_FILE, samples)
    with atomic_write(folder / INDEX_FILE, "commit") as temporary:
        temporary.write_text(encode_index(replace(index, samples_sha256=sha256)))


def read_samples(folder: Path, index: LatentIndex) -> Samples:
    """The clips of an index. Raises UsageError when they are not those committed."""
    samples = Samples(folder / SAMPLES_FILE, index.samples_sha256)
    if len(samples) != (count := sum(file.num_samples for file in index.files)):
        raise UsageError(
            f"{folder / SAMPLES_FILE}: lists {len(samples)} clips, the tars hold {count}; run encode again"
        )
    return samples


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
