"""The samples of a subset, from the lake's committed tables, and the bytes of one sample, from its checked tar.

Own reader: webdataset notices neither a cut tar nor a flipped byte, and its default decoders unpickle members. Here a tar is
compared with the SHA-256 of its committed row before the first read, and only members of the contract are read.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moviegen.contracts.clip import hash_id
from moviegen.contracts.lake import Lake, existing_lake, lake_at
from moviegen.contracts.sample import SampleMeta, decode_meta, decode_sample
from moviegen.contracts.shard import (
    Member,
    Shard,
    ShardError,
    check_size,
    committed_tar,
    iter_members,
)
from moviegen.errors import UsageError
from training.data.index import build_index, file_mark
from training.data.presence import present
from training.data.tars import CheckedTar, TarReader, open_tar


@dataclass(frozen=True)
class SampleRef:
    """A sample by name: enough to plan batches without opening a tar."""

    key: str
    """The clip_id."""
    video_id: str
    """The video it was cut from; the clip_id itself in a lake that has no clips table."""
    shard: str
    """Path of the tar below the lake's root."""
    bucket: str
    caption: str


@dataclass(frozen=True)
class Subset:
    """A subset of a lake as committed: its tars and its samples, both sorted, so that two readers see the same order."""

    root: Path
    name: str
    shards: tuple[Shard, ...]
    samples: tuple[SampleRef, ...]
    missing: tuple[str, ...] = ()
    """Paths of the committed tars that are not there and are gone on without."""

    @property
    def digest(self) -> str:
        """Hash of all tars: it changes when the data does."""
        return hash_id(self.name, [shard.sha256 for shard in self.shards])


def read_subset(root: Path | str, name: str | None = None, allow_missing: bool = False) -> Subset:
    """The committed shards and samples of a subset; without a name, of the only one the lake has. With
    `allow_missing`, of those shards that are there.

    Raises UsageError when there is none, or none of that name, or several and no name; ShardError naming shards that are missing or of
    another size."""
    lake = existing_lake(Path(root))
    shards = [Shard(**row) for row in read_rows(lake, "shards", tuple(Shard.__dataclass_fields__))]
    if not shards:
        raise UsageError(
            f"{root}: no shard is committed here; make some: moviegen curate run --input VIDEOS --lake {root}"
        )
    name = _choose(root, name, sorted({shard.subset for shard in shards}))
    kept = {shard.path: shard for shard in shards if shard.subset == name}
    videos = {row["clip_id"]: row["video_id"] for row in read_rows(lake, "clips", ("clip_id", "video_id"))}
    samples = [
        SampleRef(
            row["clip_id"],
            videos.get(row["clip_id"], row["clip_id"]),
            row["path"],
            kept[row["path"]].bucket,
            row["caption"],
        )
        for row in read_rows(lake, "samples", ("subset", "clip_id", "path", "caption"))
        if row["subset"] == name and row["path"] in kept
    ]
    _check_counts(Path(root), kept, samples)
    there, missing = present(lake, kept.values(), allow_missing)
    left = {shard.path for shard in there}
    ordered = sorted((sample for sample in samples if sample.shard in left), key=lambda sample: sample.key)
    return Subset(Path(root), name, tuple(there), tuple(ordered), missing)


def _choose(root: Path | str, name: str | None, names: Sequence[str]) -> str:
    if name is None and len(names) == 1:
        return names[0]
    if name not in names:
        near = (difflib.get_close_matches(name or "", names, 1) or names)[0]
        if name:
            raise UsageError(
                f"{root}: no shards of subset {name!r}, only of {', '.join(names)}; name one, as {near!r}, or make them: "
                f"moviegen curate shard --lake {root} --subset {name}"
            )
        raise UsageError(f"{root}: has several subsets: {', '.join(names)}; name one, as {near!r}")
    return str(name)


def read_rows(lake: Lake, table: str, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of a table's committed files."""
    import pyarrow.parquet as pq

    return [
        row for path in lake.committed_files(table) for row in pq.read_table(path, columns=list(columns)).to_pylist()
    ]


def _check_counts(root: Path, shards: dict[str, Shard], samples: Sequence[SampleRef]) -> None:
    """Raises UsageError when the samples table does not list what the shards table counts."""
    counts = dict.fromkeys(shards, 0)
    for sample in samples:
        counts[sample.shard] += 1
    for path, shard in shards.items():
        if counts[path] != shard.num_samples:
            raise UsageError(
                f"{root}: {path} is committed with {shard.num_samples} samples, the samples table lists {counts[path]};"
                f" compare them: moviegen curate check --lake {root}"
            )


class ShardReader:
    """Reads single samples of a subset's tars. Each tar is checked before its first sample: size, SHA-256, every header, the number of
    samples and their keys. A file that was found whole before, by any process of this machine, is not hashed again."""

    def __init__(self, subset: Subset) -> None:
        self._lake = lake_at(subset.root)
        self._shards = {shard.path: shard for shard in subset.shards}
        self._keys: dict[str, set[str]] = {}
        for ref in subset.samples:
            self._keys.setdefault(ref.shard, set()).add(ref.key)
        self._tars = TarReader(self._check)

    def read(self, ref: SampleRef) -> tuple[SampleMeta, str, bytes, str]:
        """(meta, caption, media bytes, suffix) of a sample. Raises ShardError when the tar is not what was committed."""
        members = {suffix: bytes(content) for suffix, content in self._tars.read(ref.shard, ref.key).items()}
        path = self._tars.tar(ref.shard).path
        try:
            sample = decode_sample(members)
        except ValueError as error:
            raise ShardError(f"{path}: sample {ref.key}: {error}") from error
        if sample[0].clip_id != ref.key:
            raise ShardError(f"{path}: sample {ref.key} says it is {sample[0].clip_id}")
        if sample[1] != ref.caption:
            raise ShardError(f"{path}: sample {ref.key} has another caption than the samples table")
        return sample

    def meta(self, ref: SampleRef) -> SampleMeta:
        """What a sample's `.json` says, its media not read. Raises ShardError."""
        content = self._tars.read(ref.shard, ref.key, ("json",))
        try:
            return decode_meta(bytes(content["json"]))
        except (KeyError, ValueError) as error:
            raise ShardError(f"{self._tars.tar(ref.shard).path}: sample {ref.key}: {error}") from error

    def _check(self, path: str) -> CheckedTar:
        tar = open_shard(self._shards[path], self._lake)
        if odd := sorted(tar.index.keys ^ self._keys.get(path, set())):
            raise ShardError(f"{tar.path}: tar and samples table differ in {len(odd)} samples, such as {odd[0]}")
        return tar


def open_shard(shard: Shard, lake: Lake) -> CheckedTar:
    """A tar and its index, its bytes compared with its row first. Raises ShardError with the reason."""
    if lake.store is not None:
        path = committed_tar(shard, lake)  # fetched whole; nobody writes to what was fetched
        return CheckedTar(path, build_index(path, iter_members(path, num_samples=shard.num_samples)), file_mark(path))
    return open_tar(
        check_size(shard, lake.root), shard.sha256, shard.num_samples, check=lambda: committed_tar(shard, lake)
    )


def member_places(path: Path, num_samples: int | None = None) -> dict[str, dict[str, Member]]:
    """key -> suffix -> place of every member of a tar. Raises ShardError on a member that must not be there, or on another number of
    samples."""
    places: dict[str, dict[str, Member]] = {}
    for member in iter_members(path, num_samples=num_samples):
        places.setdefault(member.key, {})[member.suffix] = member
    return places
