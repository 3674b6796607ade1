"""Batches of an editing stage: an instruction, the video before, the video after; and text-to-video beside them [S §5.1.2-5.1.4]."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from moviegen.contracts.bucket import BucketSet, decode_bucket, encode_bucket
from moviegen.contracts.sets import EditMeta, EditTask
from moviegen.errors import UsageError
from moviegen.pipelines.video import VideoDefaults
from training.data.buckets import BatchSpec
from training.data.cost import BatchRule, num_tokens
from training.data.held_out import Validation
from training.data.loader import Source
from training.data.mixture import MixedDataModule, shape_of, with_subset
from training.data.parts import PartBatch
from training.data.presence import may_miss, tars_of
from training.data.sets import SetSource, Shape, read_set
from training.data.shards import read_subset
from training.data.sources import ShardSource, with_frames

T2V = "t2v"
"""The task of making a video of a text; its input video is black [S §5.1.2]."""

T2V_INSTRUCTION = "Generate a video: {caption}"
"""A caption as an instruction; the paper rephrases it with a language model [S §5.1.2], these words are our decision."""

TASKS_OF_EDITS = {
    "black_and_white": "style",
    "sepia": "style",
    "posterise": "style",
    "pixelate": "texture",
    "blur": "texture",
    "recolour": "local",
    "remove": "remove",
    "add": "add",
    "background": "background",
    "style": "style",
}
"""Task of an edit by its name, where it is not `global` (our decision: the paper does not list its tasks [spec 5.1])."""


@dataclass
class EditBatch(PartBatch):
    """Targets as pixels, inputs beside them."""

    inputs: Tensor | None = None
    """(B, 3, T, H, W) in [-1, 1]: the videos before; None: black."""
    tasks: list[str] = field(default_factory=list)
    """One of the network's tasks a sample."""


@dataclass(frozen=True)
class EditPart:
    """A kind of batch: of editing samples, or with `t2v` of clips and their captions."""

    samples_per_batch: int
    """Samples in a global batch."""
    tasks: tuple[EditTask, ...] = ()
    """Tasks of the samples of an editing set that are used; none with `t2v`."""
    t2v: bool = False
    """Clips of a subset with their captions instead."""
    share: int = 1
    """Batches of this kind to those of the others."""
    subset: str | None = None
    """Name of the editing set, or of the subset; the lake's only one when not given."""
    num_frames: int | None = None
    """Frames over each sample; as its duration bucket says when not given."""
    as_images: bool = False
    """Single frames instead of videos: image editing [S §5.1.2]."""

    def __post_init__(self) -> None:
        if self.t2v == bool(self.tasks):
            raise ValueError(f"a part has t2v {self.t2v} and tasks {self.tasks}: wanted either t2v or tasks")


class EditSource(SetSource):
    """The samples of an editing set."""

    def __init__(
        self, root: Path, part: EditPart, shape: Shape, cache_bytes: int = 0, allow_missing: bool = False
    ) -> None:
        super().__init__(read_set(root, "edits", part.subset, part.tasks, allow_missing), shape, cache_bytes)

    def load(self, spec: BatchSpec) -> EditBatch:
        """Inputs and targets of a batch; of an image batch the same frame of both."""
        samples = [self._reader.read(self.refs[i]) for i in spec.samples]
        metas: list[EditMeta] = [meta for meta, *_ in samples]
        counts = [meta.num_frames for meta in metas]
        is_image, frames = spec.bucket.is_image, spec.bucket.num_frames
        return EditBatch(
            index=spec.index, bucket=encode_bucket(spec.bucket), keys=[meta.key for meta in metas],
            captions=[instruction for _, instruction, *_ in samples],
            fps=[0.0 if is_image else frames * m.fps_num / m.fps_den / m.num_frames for m in metas],
            pixels=self.pixels([after for *_, after in samples], counts, spec, "after"),
            inputs=self.pixels([before for _, _, before, _ in samples], counts, spec, "before"),
            tasks=[task_of(meta) for meta in metas],
        )  # fmt: skip


def task_of(meta: EditMeta) -> str:
    """The network's task of an editing sample."""
    return "segment" if meta.task == "segment" else TASKS_OF_EDITS.get(meta.edit, "global")


class ClipSource(ShardSource):
    """The clips of a subset as samples of the task t2v."""

    def load(self, spec: BatchSpec) -> EditBatch:
        """Clips, their captions as instructions, no input."""
        batch = super().load(spec)
        values = {name: getattr(batch, name) for name in ("index", "bucket", "keys", "fps", "pixels")}
        captions = [T2V_INSTRUCTION.format(caption=caption) for caption in batch.captions]
        return EditBatch(**values, captions=captions, tasks=[T2V] * len(batch))


class EditDataModule(MixedDataModule):
    """Editing samples and clips, in kinds of batches."""

    def __init__(
        self,
        lake: str,
        buckets: BucketSet,
        resolution: int,
        parts: dict[str, EditPart],
        subset: str | None = None,
        validation: Validation = Validation(),  # noqa: B008
        num_workers: int = 0,
        cache_bytes: int = 2**30,
        seed: int = 0,
        batch: BatchRule = BatchRule(),  # noqa: B008
        allow_missing: bool = False,
    ) -> None:
        """Loaders over the editing sets and the shards of a lake.

        Args:
            lake: Root of the lake.
            buckets: Aspects and durations.
            resolution: Side in px of the square of equal area.
            parts: Kinds of batches by name.
            subset: Subset of the part of clips, when it names none; the lake's only one when not given.
            validation: What is held out.
            num_workers: Processes that load batches; 0 loads in the training process.
            cache_bytes: Memory for decoded frames, of each kind in each loading process.
            seed: Order of the samples.
            batch: A FLOP budget beside the number of samples, and what sizes divide by.
            allow_missing: Go on without committed files that are missing; they are told, and recorded in data.json.
        """
        super().__init__(lake, parts, validation, num_workers, seed, batch, allow_missing)
        self.buckets, self.resolution, self.subset, self.cache_bytes = buckets, resolution, subset, cache_bytes
        for name, part in parts.items():
            if part.t2v and part.num_frames is not None:
                raise UsageError(
                    f"data.parts.{name}: the frames of clips are those of their shards; leave num_frames out"
                )

    def open_part(self, name: str) -> Source:
        """The samples of a kind."""
        part = self.parts[name]
        if part.t2v:
            subset = with_subset(part, self.subset).subset
            return ClipSource(
                Path(self.lake), subset, self.buckets, self.resolution, self.cache_bytes, self.allow_missing
            )
        shape = Shape(self.buckets, self.resolution, part.num_frames)
        return EditSource(Path(self.lake), part, shape, self.cache_bytes, self.allow_missing)

    def tokens(self, name: str, bucket: str) -> int:
        """Of a sample in a bucket."""
        return num_tokens(decode_bucket(bucket), self.buckets, self.resolution)

    def part_buckets(self, name: str) -> BucketSet:
        """The aspects, with the frames that a kind's samples are read as."""
        return with_frames(self.buckets, self.parts[name].num_frames)

    def defaults(self) -> VideoDefaults:
        """The shape of what is trained on: that of the part with the longest videos."""
        shapes = [
            shape_of(self.sources[name], self.samples[name][0], self.buckets, self.resolution) for name in self.parts
        ]
        return max(shapes, key=lambda shape: shape.num_frames)

    @classmethod
    def tars_of(cls, part: Mapping[str, Any], init_args: Mapping[str, Any]) -> dict[str, str]:
        """Path -> SHA-256 of the tars of a subset or of an editing set."""
        if part.get("t2v"):
            return tars_of(
                read_subset(
                    init_args["lake"], part.get("subset") or init_args.get("subset"), allow_missing=may_miss(init_args)
                )
            )
        return tars_of(read_set(init_args["lake"], "edits", part.get("subset"), allow_missing=may_miss(init_args)))
