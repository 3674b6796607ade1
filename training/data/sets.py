"""Samples of the sets beside the shards, `personal` and `edits`: tars compared with their committed rows, members read by seeking."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moviegen.contracts.bucket import (
    Bucket,
    BucketSet,
    assign_bucket,
    encode_bucket,
    nearest_aspect,
    sample_frame_indices,
)
from moviegen.contracts.clip import hash_id
from moviegen.contracts.lake import existing_lake
from moviegen.contracts.sets import SET_SUFFIXES, decode_edit, decode_personal
from moviegen.contracts.shard import Shard, ShardError, check_size, committed_tar
from moviegen.errors import UsageError
from moviegen.media.read import read_video
from training.data.buckets import BatchSpec
from training.data.decode import ClipCache, to_tensor
from training.data.index import keep_notes, kept_notes
from training.data.presence import present
from training.data.shards import read_rows
from training.data.tars import CheckedTar, TarReader, open_tar

FACTS = ("video_id", "width", "height", "num_frames", "fps_num", "fps_den")
NOTES = "facts"
"""What these are kept as; another name when they change."""


@dataclass(frozen=True)
class SetRef:
    """A sample of a set by name: what the table of samples says of it."""

    key: str
    shard: str
    """Path of its tar below the lake's root."""
    task: str
    text: str


@dataclass(frozen=True)
class SampleSet:
    """A set of a lake as committed, sorted, so that two readers see the same order."""

    root: Path
    kind: str
    name: str
    shards: tuple[Shard, ...]
    samples: tuple[SetRef, ...]
    missing: tuple[str, ...] = ()
    """Paths of the committed tars that are not there and are gone on without."""

    @property
    def digest(self) -> str:
        """Hash of all tars and of which samples are used."""
        used = [sample.key for sample in self.samples]
        return hash_id(self.kind, self.name, [shard.sha256 for shard in self.shards], used)


def read_set(
    root: Path | str, kind: str, name: str | None, tasks: Sequence[str] = (), allow_missing: bool = False
) -> SampleSet:
    """The committed samples of a set, of these tasks only where any are given; without a name, of the only set of that kind. With
    `allow_missing`, of those tars that are there.

    Raises UsageError when there is none; ShardError naming tars that are missing or of another size."""
    lake = existing_lake(Path(root))
    columns = ("path", "kind", "subset", "num_samples", "size_bytes", "sha256")
    rows = [row for row in read_rows(lake, "set_shards", columns) if row["kind"] == kind]
    names = sorted({row["subset"] for row in rows})
    if name is None and len(names) == 1:
        name = names[0]
    if name not in names:
        there = f"it has {', '.join(names)}" if names else f"it has no {kind}; moviegen curate {kind} makes them"
        raise UsageError(f"{root}: no set {name or ''!r} of kind {kind}: {there}")
    shards = [
        Shard(r["path"], r["subset"], kind, r["num_samples"], r["size_bytes"], r["sha256"])
        for r in rows
        if r["subset"] == name
    ]
    shards, missing = present(lake, shards, allow_missing)
    kept = {shard.path for shard in shards}
    samples = [
        SetRef(row["key"], row["path"], row["task"], row["text"])
        for row in read_rows(lake, "set_samples", ("kind", "subset", "key", "task", "text", "path"))
        if row["path"] in kept and (not tasks or row["task"] in tasks)
    ]
    if not samples:
        raise UsageError(f"{root}: set {name} of kind {kind} holds no sample of {', '.join(tasks) or 'any task'}")
    ordered = tuple(sorted(samples, key=lambda sample: sample.key))
    return SampleSet(Path(root), kind, str(name), tuple(shards), ordered, missing)


class SetReader:
    """Reads single samples of a set. A tar is checked once, before its first sample; one that is replaced is refused."""

    def __init__(self, samples: SampleSet) -> None:
        self._lake = existing_lake(samples.root)
        self._kind = samples.kind
        self._shards = {shard.path: shard for shard in samples.shards}
        self._tars = TarReader(self._check)

    def read(self, ref: SetRef) -> tuple[Any, ...]:
        """What `decode_personal` or `decode_edit` makes of a sample. Raises ShardError when the tar is not what was committed."""
        members = {suffix: bytes(content) for suffix, content in self._tars.read(ref.shard, ref.key).items()}
        decode = {"personal": decode_personal, "edits": decode_edit}[self._kind]
        try:
            sample = decode(members)
        except ValueError as error:
            raise ShardError(f"{ref.shard}: {error}") from error
        if (sample[0].key, sample[1]) != (ref.key, ref.text):
            raise ShardError(f"{ref.shard}: sample {ref.key} is another than the table of samples says")
        return sample

    def facts(self, refs: Sequence[SetRef]) -> list[dict[str, Any]]:
        """Size, length and source of each sample's clip. A tar's are read once a machine, out of the `.json` of its samples, and kept
        beside its index. Raises ShardError."""
        tars: dict[str, list[SetRef]] = {}
        for ref in refs:
            tars.setdefault(ref.shard, []).append(ref)
        found = {path: self._facts_of(path, own) for path, own in tars.items()}
        return [found[ref.shard][ref.key] for ref in refs]

    def _facts_of(self, path: str, refs: Sequence[SetRef]) -> dict[str, dict[str, Any]]:
        sha256 = self._shards[path].sha256
        kept = kept_notes(sha256, NOTES) or {}
        if missing := [ref for ref in refs if ref.key not in kept]:
            kept |= {ref.key: self._read_facts(ref) for ref in missing}
            keep_notes(sha256, NOTES, kept)
        return dict(kept)

    def _read_facts(self, ref: SetRef) -> dict[str, Any]:
        try:
            values = json.loads(bytes(self._tars.read(ref.shard, ref.key, ("json",))["json"]))
            clip = values.get("clip", values)
            return {name: clip[name] for name in FACTS}
        except (KeyError, ValueError, AttributeError) as error:
            raise ShardError(
                f"{ref.shard}: sample {ref.key}: its .json is none of a {self._kind} sample: {error!r}"
            ) from error

    def _check(self, name: str) -> CheckedTar:
        shard, suffixes = self._shards[name], SET_SUFFIXES[self._kind]
        is_local = self._lake.store is None  # else it is fetched whole, and nobody writes to what was fetched
        path = check_size(shard, self._lake.root) if is_local else committed_tar(shard, self._lake)
        return open_tar(
            path, shard.sha256, shard.num_samples, check=lambda: committed_tar(shard, self._lake), suffixes=suffixes
        )


@dataclass(frozen=True)
class Shape:
    """Frames and frame size that samples of a set are read at."""

    buckets: BucketSet
    resolution: int
    num_frames: int | None = None
    """Frames over the whole clip; None: as the clip's duration bucket says."""

    def bucket(self, facts: Mapping[str, Any]) -> str | None:
        """The bucket of a sample, None when no duration bucket takes it."""
        if self.num_frames is not None:
            aspect = nearest_aspect(facts["width"], facts["height"], self.buckets.aspects)
            return encode_bucket(Bucket(aspect.aspect_width, aspect.aspect_height, self.num_frames))
        seconds = facts["num_frames"] * facts["fps_den"] / facts["fps_num"]
        bucket = assign_bucket(facts["width"], facts["height"], seconds, self.buckets)
        return None if bucket is None else encode_bucket(bucket)


class SetSource:
    """The samples of a set that a bucket takes; subclasses load them. Decoded videos are kept in `cache_bytes` of memory."""

    def __init__(self, samples: SampleSet, shape: Shape, cache_bytes: int = 0) -> None:
        self.subset, self._reader, self._shape = samples, SetReader(samples), shape
        self._cache = ClipCache[np.ndarray](cache_bytes)
        rows = list(zip(samples.samples, self._reader.facts(samples.samples), strict=True))
        placed = [(ref, facts, shape.bucket(facts)) for ref, facts in rows]
        kept = [row for row in placed if row[2] is not None]
        if len(kept) < len(rows):
            raise UsageError(
                f"set {samples.name}: {len(rows) - len(kept)} of {len(rows)} samples are in none of the duration buckets "
                f"{shape.buckets.durations}; widen them, or give num_frames"
            )
        self.refs = [ref for ref, *_ in kept]
        self.buckets = [str(bucket) for *_, bucket in kept]
        self.groups = [facts["video_id"] for _, facts, _ in kept]

    def pixels(self, media: Sequence[bytes], num_source: Sequence[int], spec: BatchSpec, which: str = "") -> Tensor:
        """(B, 3, T, H, W) of the clips of a batch; of an image batch one frame, at the place the plan drew. `which` tells a sample's
        videos apart."""
        size = self._shape.buckets.frame_size(spec.bucket, self._shape.resolution)
        clips = []
        for number, (content, count) in enumerate(zip(media, num_source, strict=True)):
            indices = sample_frame_indices(count, spec.bucket.num_frames)
            if spec.bucket.is_image:
                indices = [int(spec.frames[number] * count)]
            key = (spec.samples[number], which, tuple(indices))
            frames = self._cache.get(key)
            if frames is None:
                frames = read_video(content, indices=indices, size=size)
                self._cache.put(key, frames)
            clips.append(to_tensor(frames))
        return torch.stack(clips)
