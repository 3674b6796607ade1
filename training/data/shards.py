"""The samples of a subset, from the lake's committed tables, and the bytes of one sample, from its checked tar.

Own reader: webdataset notices neither a cut tar nor a flipped byte, and its default decoders unpickle members. Here a tar is
compared with the SHA-256 of its committed row before the first read, and only members of the contract are read.
"""

import difflib
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moviegen.contracts.clip import hash_id
from moviegen.contracts.lake import Lake, existing_lake, lake_at
from moviegen.contracts.sample import SampleMeta, decode_sample
from moviegen.contracts.shard import Shard, ShardError, open_shard, split_member
from moviegen.errors import UsageError


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

    @property
    def digest(self) -> str:
        """Hash of all tars: it changes when the data does."""
        return hash_id(self.name, [shard.sha256 for shard in self.shards])


def read_subset(root: Path | str, name: str | None = None) -> Subset:
    """The committed shards and samples of a subset; without a name, of the only one the lake has.

    Raises UsageError when there is none, or none of that name, or several and no name."""
    lake = existing_lake(Path(root))
    shards = [Shard(**row) for row in _rows(lake, "shards", tuple(Shard.__dataclass_fields__))]
    if not shards:
        raise UsageError(
            f"{root}: no shard is committed here; make some: moviegen curate run --input VIDEOS --lake {root}"
        )
    name = _choose(root, name, sorted({shard.subset for shard in shards}))
    kept = {shard.path: shard for shard in shards if shard.subset == name}
    videos = {row["clip_id"]: row["video_id"] for row in _rows(lake, "clips", ("clip_id", "video_id"))}
    samples = [
        SampleRef(
            row["clip_id"],
            videos.get(row["clip_id"], row["clip_id"]),
            row["path"],
            kept[row["path"]].bucket,
            row["caption"],
        )
        for row in _rows(lake, "samples", ("subset", "clip_id", "path", "caption"))
        if row["subset"] == name and row["path"] in kept
    ]
    _check_counts(Path(root), kept, samples)
    return Subset(
        Path(root), name, tuple(kept[path] for path in sorted(kept)), tuple(sorted(samples, key=lambda s: s.key))
    )


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


def _rows(lake: Lake, table: str, columns: Sequence[str]) -> list[dict[str, Any]]:
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
    """Reads single samples of a subset's tars by seeking. A tar is checked once a process, before its first sample."""

    def __init__(self, subset: Subset) -> None:
        self._lake = lake_at(subset.root)
        self._shards = {shard.path: shard for shard in subset.shards}
        self._members: dict[str, tuple[Path, dict[str, dict[str, tuple[int, int]]]]] = {}

    def read(self, ref: SampleRef) -> tuple[SampleMeta, str, bytes, str]:
        """(meta, caption, media bytes, suffix) of a sample. Raises ShardError when the tar is not what was committed."""
        path, places = self._open(ref.shard)
        members = places.get(ref.key)
        if members is None:
            raise ShardError(
                f"{self._lake.place}/{ref.shard}: holds no sample {ref.key}, though the samples table says so"
            )
        with open(path, "rb") as file:
            return decode_sample({suffix: _read_at(file, *place) for suffix, place in members.items()})

    def _open(self, path: str) -> tuple[Path, dict[str, dict[str, tuple[int, int]]]]:
        """The tar, to be opened here, and where its members are."""
        if path not in self._members:
            file = open_shard(self._shards[path], self._lake)
            self._members[path] = file, member_places(file)
        return self._members[path]


def member_places(path: Path) -> dict[str, dict[str, tuple[int, int]]]:
    """key -> suffix -> (offset, size) in bytes of every member of a tar. Raises ShardError on a member that must not be there."""
    places: dict[str, dict[str, tuple[int, int]]] = {}
    try:
        with tarfile.open(path, "r:") as tar:
            for info in tar:
                key, suffix = split_member(info, path)
                if suffix in places.setdefault(key, {}):
                    raise ShardError(f"{path}: {info.name} occurs twice")
                places[key][suffix] = (info.offset_data, info.size)
    except tarfile.TarError as error:
        raise ShardError(f"{path}: {error}") from error
    return places


def _read_at(file: Any, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)
