"""Shards: names of the tars, and the check of a tar against its committed row before anything in it is read."""

import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from .bucket import decode_bucket
from .clip import file_sha256
from .sample import MEMBER_SUFFIXES, check_key

if TYPE_CHECKING:
    from .lake import Lake

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_PATH = re.compile(r"shards/subset=([^/]+)/bucket=([^/]+)/(\d{6})\.tar")


def check_name(kind: str, name: str) -> str:
    """The name itself when it can be part of a path: letters, digits, `_ . -`, at most 64; ValueError otherwise."""
    if _NAME.fullmatch(name) is None:
        raise ValueError(
            f"{kind} {name!r}: use letters, digits, '_', '.', '-', at most 64, beginning with a letter or digit"
        )
    return name


@dataclass(frozen=True)
class ShardName:
    """What a shard's path says: its subset, its bucket's key and its number."""

    subset: str
    bucket: str
    index: int


def encode_shard_path(name: ShardName) -> str:
    """Path of the tar below the lake's root: `shards/subset=<S>/bucket=<K>/<NNNNNN>.tar`."""
    check_name("subset", name.subset)
    decode_bucket(name.bucket)
    if not 0 <= name.index < 10**6:
        raise ValueError(f"shard number {name.index} is not in 0..999999")
    return f"shards/subset={name.subset}/bucket={name.bucket}/{name.index:06d}.tar"


def decode_shard_path(path: str) -> ShardName:
    """What a path says; the inverse of `encode_shard_path`. Raises ValueError on any other path."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise ValueError(f"{path!r} is no shard path; one looks like 'shards/subset=sft/bucket=16x9-f128/000000.tar'")
    name = ShardName(match[1], match[2], int(match[3]))
    check_name("subset", name.subset)
    decode_bucket(name.bucket)
    return name


@dataclass(frozen=True)
class Shard:
    """A committed tar: a row of the shards table."""

    path: str
    subset: str
    bucket: str
    num_samples: int
    size_bytes: int
    sha256: str


class ShardError(ValueError):
    """A tar that is not what was committed."""


def check_shard(shard: Shard, root: Path) -> Path:
    """The tar's path when its size and SHA-256 are those committed; ShardError says which is off and what to do."""
    path = root / shard.path
    mend = f"write it again: moviegen curate shard {root}"
    try:
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise ShardError(f"{path}: committed shard is missing; {mend}") from error
    if size != shard.size_bytes:
        raise ShardError(f"{path}: {size} bytes, committed were {shard.size_bytes}; {mend}")
    if file_sha256(path) != shard.sha256:
        raise ShardError(f"{path}: its bytes are not those committed (sha256 differs); {mend}")
    return path


def open_shard(shard: Shard, lake: "Lake") -> Path:
    """The tar of a lake, to be opened here, when it is what was committed; ShardError otherwise."""
    if lake.store is None:
        return check_shard(shard, lake.root)
    try:
        path = lake.file(shard.path, shard.sha256)
    except (FileNotFoundError, ValueError) as error:
        what = "committed shard is missing" if isinstance(error, FileNotFoundError) else str(error)
        raise ShardError(
            f"{lake.place}/{shard.path}: {what}; write it again: moviegen curate shard {lake.place}"
        ) from error
    return check_shard(shard, Path(str(path).removesuffix(shard.path)))


def read_members(path: Path, suffixes: Sequence[str] = MEMBER_SUFFIXES) -> Iterator[tuple[str, dict[str, bytes]]]:
    """(key, members by suffix) of each sample of a tar, in order. Only plain files with allowed names are read.

    Raises ShardError on links, devices, paths, unknown suffixes, members of one key that do not lie together, or a cut tar.
    """
    key, members, seen = None, {}, set()
    try:
        with tarfile.open(path, "r:") as tar:
            for info in tar:
                name, suffix = split_member(info, path, suffixes)
                if name != key:
                    if key is not None:
                        yield key, members
                    if name in seen:
                        raise ShardError(f"{path}: members of {name} do not lie together")
                    key, members = name, {}
                    seen.add(name)
                if suffix in members:
                    raise ShardError(f"{path}: {name}.{suffix} occurs twice")
                file = tar.extractfile(info)
                assert file is not None
                members[suffix] = file.read()
                if len(members[suffix]) != info.size:
                    raise ShardError(f"{path}: {info.name} is cut short")
    except tarfile.TarError as error:
        raise ShardError(f"{path}: {error}") from error
    if key is not None:
        yield key, members


def split_member(info: tarfile.TarInfo, path: Path, suffixes: Sequence[str] = MEMBER_SUFFIXES) -> tuple[str, str]:
    """(key, suffix) of a tar member. Raises ShardError when it is not a plain file of an allowed name."""
    if not info.isreg() or PurePosixPath(info.name).name != info.name:
        raise ShardError(f"{path}: member {info.name!r} is not a plain file at the top of the tar")
    key, _, suffix = info.name.partition(".")
    if suffix not in suffixes:
        raise ShardError(f"{path}: member {info.name!r}: only {tuple(suffixes)} are read")
    try:
        return check_key(key), suffix
    except ValueError as error:
        raise ShardError(f"{path}: {error}") from error
