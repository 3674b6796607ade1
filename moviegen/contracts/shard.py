"""Shards: names of the tars, and the check of a tar against its committed row before anything in it is read."""

import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from moviegen.errors import MovieGenError

from .bucket import decode_bucket
from .clip import file_sha256
from .sample import MEMBER_SUFFIXES, check_key
from .tar import TarError, tar_members

if TYPE_CHECKING:
    from .lake import Lake

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_PATH = re.compile(r"shards/subset=([^/]+)/bucket=([^/]+)/(\d{6})\.tar")


MAX_MEMBER_BYTES = 1 << 30
"""Longest media of a sample that is read: our decision, sixteen seconds at 500 Mbit/s."""

MAX_TEXT_BYTES = 1 << 20
"""Longest `.txt` or `.json` of a sample that is read: our decision."""


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


class ShardError(MovieGenError, ValueError):
    """A tar that is not what was committed."""

    exit_code = 4


def check_shard(shard: Shard, root: Path) -> Path:
    """The tar's path when its size and SHA-256 are those committed; ShardError says which is off and what to do."""
    path = check_size(shard, root)
    try:
        sha256 = file_sha256(path)
    except OSError as error:
        raise ShardError(f"{path}: cannot be read: {error.strerror}") from error
    if sha256 != shard.sha256:
        raise ShardError(f"{path}: its bytes are not those committed (sha256 differs); {_mend(root)}")
    return path


def committed_tar(shard: Shard, lake: "Lake") -> Path:
    """The tar of a lake, to be opened here, when it is what was committed; ShardError otherwise."""
    if lake.store is None:
        return check_shard(shard, lake.root)
    try:
        path = lake.file(shard.path, shard.sha256)
        return check_shard(shard, Path(str(path).removesuffix(shard.path)))
    except FileNotFoundError as error:
        reason = f"{lake.place}/{shard.path}: committed shard is missing"
        raise ShardError(f"{reason}; {_mend(lake.place)}") from error
    except ShardError as error:
        raise ShardError(f"{error}; that is the copy of this machine: remove it, and it is fetched again") from error
    except ValueError as error:
        raise ShardError(f"{error}; {_mend(lake.place)}") from error


def check_size(shard: Shard, root: Path) -> Path:
    """The tar's path when it is a file below `root` of the committed size: no byte of it is read. Raises ShardError otherwise."""
    path = root / shard.path
    if not PurePosixPath(path).is_relative_to(root) or ".." in PurePosixPath(shard.path).parts:
        raise ShardError(f"{shard.path}: leads out of the lake {root}")
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise ShardError(f"{path}: committed shard is missing; {_mend(root)}") from error
    except OSError as error:
        raise ShardError(f"{path}: cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        raise ShardError(f"{path}: is no regular file; {_mend(root)}")
    if status.st_size != shard.size_bytes:
        raise ShardError(f"{path}: {status.st_size} bytes, committed were {shard.size_bytes}; {_mend(root)}")
    return path


def _mend(root: Path | str) -> str:
    return f"write it again: moviegen curate shard {root}"


@dataclass(frozen=True)
class Member:
    """One file of one sample in a tar."""

    key: str
    suffix: str
    offset: int
    """Byte of the tar at which its content begins."""
    size: int
    """Bytes."""


def iter_members(
    path: Path, suffixes: Sequence[str] = MEMBER_SUFFIXES, num_samples: int | None = None
) -> Iterator[Member]:
    """The members of a tar in order, their content not read. Only plain files with allowed names and sizes are there.

    Raises ShardError on anything else, on members of one key that do not lie together or come twice, on a cut tar, and, where it is
    given, on more or fewer than `num_samples` keys: as soon as it is known, so that a tar of a million members costs no memory.
    """
    key, own, seen = None, set(), set()
    try:
        for found in tar_members(path):
            name, suffix = split_name(found.name, path, suffixes)
            if name != key:
                if name in seen:
                    raise ShardError(f"{path}: members of {name} do not lie together")
                key, own = name, set()
                seen.add(name)
                if num_samples is not None and len(seen) > num_samples:
                    raise ShardError(f"{path}: more than the {num_samples} samples committed")
            if suffix in own:
                raise ShardError(f"{path}: {name}.{suffix} occurs twice")
            limit = MAX_TEXT_BYTES if suffix in ("txt", "json") else MAX_MEMBER_BYTES
            if found.size > limit:
                raise ShardError(f"{path}: {found.name} has {found.size} bytes, at most {limit} are read")
            own.add(suffix)
            yield Member(name, suffix, found.offset, found.size)
    except (TarError, OSError) as error:
        raise ShardError(str(error)) from error
    if num_samples is not None and len(seen) != num_samples:
        raise ShardError(f"{path}: {len(seen)} samples, committed were {num_samples}")


def read_members(
    path: Path, suffixes: Sequence[str] = MEMBER_SUFFIXES, num_samples: int | None = None
) -> Iterator[tuple[str, dict[str, bytes]]]:
    """(key, members by suffix) of each sample of a tar, in order. Raises ShardError as `iter_members` does."""
    with open(path, "rb") as file:
        members = iter_members(path, suffixes, num_samples)
        for key, group in groupby(members, key=lambda member: member.key):
            yield key, {member.suffix: read_member(file, member, path) for member in group}


def read_member(file: BinaryIO, member: Member, path: Path) -> bytes:
    """A member's content. Raises ShardError when the tar ends before it does."""
    file.seek(member.offset)
    content = file.read(member.size)
    if len(content) != member.size:
        raise ShardError(f"{path}: {member.key}.{member.suffix} is cut short")
    return content


def split_name(name: str, path: Path, suffixes: Sequence[str] = MEMBER_SUFFIXES) -> tuple[str, str]:
    """(key, suffix) of a member's name. Raises ShardError when it is not an allowed one."""
    if PurePosixPath(name).name != name:
        raise ShardError(f"{path}: member {name!r} is not a plain file at the top of the tar")
    key, _, suffix = name.partition(".")
    if suffix not in suffixes:
        raise ShardError(f"{path}: member {name!r}: only {tuple(suffixes)} are read")
    try:
        return check_key(key), suffix
    except ValueError as error:
        raise ShardError(f"{path}: {error}") from error
