"""Batches of clips of one person with pictures of that person's face: from the same clip, or from another [S §4.2.1]."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moviegen.contracts.bucket import BucketSet, decode_bucket, encode_bucket
from moviegen.contracts.sets import Pairing
from moviegen.media.read import read_image
from moviegen.pipelines.video import VideoDefaults
from training.data.buckets import BatchSpec
from training.data.cost import BatchRule, num_tokens
from training.data.decode import frame_rate
from training.data.held_out import Validation
from training.data.mixture import MixedDataModule, shape_of, with_subset
from training.data.parts import PartBatch
from training.data.presence import may_miss, tars_of
from training.data.sets import SetSource, Shape, read_set
from training.data.sources import with_frames


@dataclass
class PersonalBatch(PartBatch):
    """Clips, and a face a clip."""

    faces: Tensor = field(default_factory=lambda: torch.empty(0))
    """(B, 3, S, S) in 0..1, the background black."""


@dataclass(frozen=True)
class PersonalPart:
    """A kind of batch."""

    samples_per_batch: int
    """Clips in a global batch."""
    pairing: tuple[Pairing, ...] = ("paired",)
    """`paired`: the face is from the clip itself, `cross`: from another [S §4.2.1]."""
    share: int = 1
    """Batches of this kind to those of the others."""
    subset: str | None = None
    """Name of the set; the lake's only one when not given."""
    num_frames: int | None = None
    """Frames over each clip; as its duration bucket says when not given."""
    as_images: bool = False
    """Single frames instead of clips."""


class PersonalSource(SetSource):
    """The samples of a personal set."""

    def __init__(
        self,
        root: Path,
        part: PersonalPart,
        shape: Shape,
        face_px: int,
        seed: int,
        cache_bytes: int = 0,
        allow_missing: bool = False,
    ) -> None:
        super().__init__(read_set(root, "personal", part.subset, part.pairing, allow_missing), shape, cache_bytes)
        self._face_px, self._seed = face_px, seed

    def load(self, spec: BatchSpec) -> PersonalBatch:
        """Clips and faces of a batch; of several pictures of a person, one is drawn."""
        samples = [self._reader.read(self.refs[i]) for i in spec.samples]
        metas = [meta.clip for meta, *_ in samples]
        faces = [self._face(pictures, spec.index, i) for (*_, pictures), i in zip(samples, spec.samples, strict=True)]
        is_image, num_frames = spec.bucket.is_image, spec.bucket.num_frames
        return PersonalBatch(
            index=spec.index, bucket=encode_bucket(spec.bucket), keys=[meta.key for meta, *_ in samples],
            captions=[caption for _, caption, *_ in samples],
            fps=[0.0 if is_image else frame_rate(num_frames, meta.duration) for meta in metas],
            pixels=self.pixels([media for _, _, media, _ in samples], [meta.num_frames for meta in metas], spec),
            faces=torch.stack(faces),
        )  # fmt: skip

    def _face(self, pictures: tuple[bytes, ...], index: int, position: int) -> Tensor:
        number = int(np.random.default_rng([self._seed, index, position]).integers(len(pictures)))
        image = read_image(pictures[number], size=(self._face_px, self._face_px))
        return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float().div(255)


class PersonalDataModule(MixedDataModule):
    """Clips of people and their faces, in kinds of batches."""

    def __init__(
        self,
        lake: str,
        buckets: BucketSet,
        resolution: int,
        parts: dict[str, PersonalPart],
        face_px: int = 224,
        subset: str | None = None,
        validation: Validation = Validation(),  # noqa: B008
        num_workers: int = 0,
        cache_bytes: int = 2**30,
        seed: int = 0,
        batch: BatchRule = BatchRule(),  # noqa: B008
        allow_missing: bool = False,
    ) -> None:
        """Loaders over the personal sets of a lake.

        Args:
            lake: Root of the lake.
            buckets: Aspects and durations.
            resolution: Side in px of the square of equal area.
            parts: Kinds of batches by name.
            face_px: Side of the pictures of faces; the paper does not say [spec 4.1].
            subset: Set of the parts that name none; the lake's only one when not given.
            validation: What is held out.
            num_workers: Processes that load batches; 0 loads in the training process.
            cache_bytes: Memory for decoded frames, of each kind in each loading process.
            seed: Order of the samples, and choice of pictures.
            batch: A FLOP budget beside the number of samples, and what sizes divide by.
            allow_missing: Go on without committed files that are missing; they are told, and recorded in data.json.
        """
        super().__init__(lake, parts, validation, num_workers, seed, batch, allow_missing)
        self.buckets, self.resolution, self.face_px, self.subset = buckets, resolution, face_px, subset
        self.cache_bytes = cache_bytes

    def open_part(self, name: str) -> PersonalSource:
        """The samples of a kind."""
        part = with_subset(self.parts[name], self.subset)
        shape = Shape(self.buckets, self.resolution, part.num_frames)
        seed, missing = self._seed_of(name), self.allow_missing
        return PersonalSource(Path(self.lake), part, shape, self.face_px, seed, self.cache_bytes, missing)

    def tokens(self, name: str, bucket: str) -> int:
        """Of a sample in a bucket."""
        return num_tokens(decode_bucket(bucket), self.buckets, self.resolution)

    def part_buckets(self, name: str) -> BucketSet:
        """The aspects, with the frames that a kind's clips are read as."""
        return with_frames(self.buckets, self.parts[name].num_frames)

    def defaults(self) -> VideoDefaults:
        """The shape of what is trained on."""
        name = next(iter(self.parts))
        return shape_of(self.sources[name], self.samples[name][0], self.buckets, self.resolution)

    @classmethod
    def tars_of(cls, part: Mapping[str, Any], init_args: Mapping[str, Any]) -> dict[str, str]:
        """Path -> SHA-256 of the set's tars."""
        name = part.get("subset") or init_args.get("subset")
        return tars_of(read_set(init_args["lake"], "personal", name, allow_missing=may_miss(init_args)))
