"""Tars of the sets: samples of another make than one clip with one caption. The same samples give the same bytes and the same name."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from curation.shards import write_tar
from moviegen.contracts.clip import file_sha256, hash_id
from moviegen.contracts.lake import atomic_write
from moviegen.contracts.sets import SET_SUFFIXES, decode_edit, decode_personal, encode_set_path
from moviegen.contracts.shard import ShardError, read_members
from moviegen.disk import writing


@dataclass(frozen=True)
class SetSample:
    """One sample as it goes into a tar."""

    key: str
    clip_id: str
    task: str
    text: str
    """Caption or instruction, for the table."""
    members: dict[str, bytes]
    """By suffix, sorted."""


def write_set_shard(root: Path, kind: str, subset: str, samples: Iterable[SetSample]) -> dict[str, list[dict]]:
    """Writes samples as one tar under the lake's root; it appears atomically. Its rows of `set_shards` and `set_samples`.

    Its name is a hash of the keys in it, so a rerun writes the same file. Raises ValueError on a key that comes twice, or on no sample.
    """
    ordered = sorted(samples, key=lambda sample: sample.key)
    keys = [sample.key for sample in ordered]
    path = encode_set_path(kind, subset, hash_id(kind, subset, keys)[:16])
    if not keys or len(set(keys)) < len(keys):
        raise ValueError(
            f"{path}: {len(keys)} samples with {len(set(keys))} keys, wanted one key each and at least one"
        )
    target = root / path
    with (
        writing(target, lambda: _num_bytes(ordered)),
        atomic_write(target, "shard") as temporary,
        open(temporary, "wb") as file,
    ):
        write_tar(file, ((sample.key, sample.members) for sample in ordered))
    place = {"kind": kind, "subset": subset, "path": path}
    counted = {"num_samples": len(keys), "size_bytes": (root / path).stat().st_size, "sha256": file_sha256(root / path)}
    rows = [
        place | {"key": sample.key, "clip_id": sample.clip_id, "task": sample.task, "text": sample.text}
        for sample in ordered
    ]
    return {"set_shards": [place | counted], "set_samples": rows}


def _num_bytes(samples: Iterable[SetSample]) -> int:
    return sum(len(content) for sample in samples for content in sample.members.values())


def read_set_shard(path: Path, kind: str) -> Iterator[tuple]:
    """What `decode_personal` or `decode_edit` makes of each sample of a tar. Raises ShardError, or ValueError naming the sample."""
    decode = {"personal": decode_personal, "edits": decode_edit}[kind]
    for key, members in read_members(path, SET_SUFFIXES[kind]):
        sample = decode(members)
        if sample[0].key != key:
            raise ShardError(f"{path}: sample {key} says it is {sample[0].key}")
        yield sample
