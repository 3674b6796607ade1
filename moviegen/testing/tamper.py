"""Shards that are not what was committed: damaged by accident, and hostile tars whose commit was forged to fit.

`DAMAGES` change files of a lake and leave its commits alone; `FORGERIES` put another tar in place of one and commit its size and hash, so
that only its content can give it away. `tests/training/data` and `benchmarks/shard_corruption.py` ask whether readers notice.
"""

import io
import json
import shutil
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from moviegen.contracts.clip import file_sha256
from moviegen.contracts.lake import Commit, Lake

from .lake import write_part

BLOCK = 512
PAYLOAD = b"cos\nsystem\n(S'touch escaped'\ntR."
"""What a reader that unpickles would execute."""

Damage = Callable[[Sequence[Path], np.random.Generator], object]
"""Changes some of a lake's tars."""


def _changed(change: Callable[[bytearray, np.random.Generator], object]) -> Damage:
    def damage(tars: Sequence[Path], rng: np.random.Generator) -> None:
        path = tars[int(rng.integers(len(tars)))]
        content = bytearray(path.read_bytes())
        change(content, rng)
        path.write_bytes(content)

    return damage


def _cut(content: bytearray, rng: np.random.Generator) -> None:
    del content[int(rng.integers(len(content) // BLOCK)) * BLOCK :]


def _cut_anywhere(content: bytearray, rng: np.random.Generator) -> None:
    del content[int(rng.integers(len(content))) :]


def _flip(places: Callable[[bytearray], Sequence[int]]) -> Callable[[bytearray, np.random.Generator], None]:
    def change(content: bytearray, rng: np.random.Generator) -> None:
        content[int(rng.choice(places(content)))] ^= 1 << int(rng.integers(8))

    return change


def _headers(content: bytearray) -> Sequence[int]:
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return [info.offset + n for info in tar for n in range(BLOCK)]


def _payload(content: bytearray) -> Sequence[int]:
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return [place for info in tar for place in range(info.offset_data, info.offset_data + info.size)]


def _zero_block(content: bytearray, rng: np.random.Generator) -> None:
    place = int(rng.choice([at for at in range(0, len(content), BLOCK) if any(content[at : at + BLOCK])]))
    content[place : place + BLOCK] = b"\0" * BLOCK


def _drop_block(content: bytearray, rng: np.random.Generator) -> None:
    place = int(rng.integers(len(content) // BLOCK)) * BLOCK
    del content[place : place + BLOCK]


def _swap(tars: Sequence[Path], rng: np.random.Generator) -> None:
    first, second = (tars[int(n)] for n in rng.choice(len(tars), 2, replace=False))
    aside = first.with_suffix(".aside")
    first.rename(aside)
    second.rename(first)
    aside.rename(second)


def _put_twice(tars: Sequence[Path], rng: np.random.Generator) -> None:
    first, second = (tars[int(n)] for n in rng.choice(len(tars), 2, replace=False))
    shutil.copy(first, second)


def _make_folder(tars: Sequence[Path], rng: np.random.Generator) -> None:
    tars[0].unlink()
    tars[0].mkdir()


DAMAGES: dict[str, Damage] = {
    "cut at a block": _changed(_cut),
    "cut anywhere": _changed(_cut_anywhere),
    "a bit of a header": _changed(_flip(_headers)),
    "a bit of a payload": _changed(_flip(_payload)),
    "a block of zeros": _changed(_zero_block),
    "a block less": _changed(_drop_block),
    "a block more": _changed(lambda content, rng: content.extend(rng.bytes(BLOCK))),
    "two swapped": _swap,
    "one in place of another": _put_twice,
    "renamed": lambda tars, rng: tars[0].rename(tars[0].with_name("900000.tar")),
    "missing": lambda tars, rng: tars[int(rng.integers(len(tars)))].unlink(),
    "empty": lambda tars, rng: tars[int(rng.integers(len(tars)))].write_bytes(b""),
    "a folder": _make_folder,
}
"""What happens to files; the commits stay."""

HARMLESS: dict[str, Damage] = {
    "a stray tar": lambda tars, rng: shutil.copy(tars[0], tars[0].with_name("900000.tar")),
    "a half-written tar": lambda tars, rng: tars[0].with_name(".1.tmp").write_bytes(tars[0].read_bytes()[:900]),
}
"""What no commit names: readers go on as if it were not there."""

Members = list[tuple[tarfile.TarInfo, bytes]]


def _info(name: str, content: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def _added(name: str, content: bytes = b"", **fields: object) -> Callable[[Members], Members]:
    return lambda members: [*members, _info(name.format(key=_key(members)), content, **fields)]


def _key(members: Members) -> str:
    return members[0][0].name.partition(".")[0]


def _json(change: Callable[[dict], object]) -> Callable[[Members], Members]:
    def forge(members: Members) -> Members:
        info, content = members[0]
        values = json.loads(content)
        text = change(values)
        return [
            _info(info.name, text if isinstance(text, bytes) else json.dumps(text or values).encode()),
            *members[1:],
        ]

    return forge


def _exchanged(suffix: str) -> Callable[[Members], Members]:
    """The members of that suffix in each other's place."""

    def forge(members: Members) -> Members:
        places = [n for n, (info, _) in enumerate(members) if info.name.endswith(suffix)]
        contents = [members[n][1] for n in places]
        moved = dict(zip(places, contents[1:] + contents[:1], strict=True))
        return [_info(info.name, moved.get(n, content)) for n, (info, content) in enumerate(members)]

    return forge


def _raw(change: Callable[[bytearray], object]) -> Callable[[Members], bytes]:
    """The tar's bytes changed, and the checksum of its first header made right again."""

    def forge(members: Members) -> bytes:
        content = bytearray(pack(members))
        change(content)
        content[148:156] = b" " * 8
        content[148:156] = b"%06o\0 " % sum(content[:BLOCK])
        return bytes(content)

    return forge


def _set(place: int, value: bytes) -> Callable[[bytearray], object]:
    return lambda content: content.__setitem__(slice(place, place + len(value)), value)


def pack(members: Members, form: int = tarfile.USTAR_FORMAT) -> bytes:
    """The bytes of a tar."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


def _bomb(members: Members) -> bytes:
    """A pax header of 64 MB before the first member."""
    members[0][0].pax_headers = {"comment": "x" * (64 << 20)}
    return pack(members, tarfile.PAX_FORMAT)


FORGERIES: dict[str, Callable[[Members], Members | bytes]] = {
    "a path above": _added("../{key}.txt"),
    "an absolute path": _added("/tmp/{key}.txt"),  # noqa: S108
    "a path in a folder": _added("a/{key}.txt"),
    "a symbolic link": _added("{key}.flac", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "a hard link": _added("{key}.flac", type=tarfile.LNKTYPE, linkname="/etc/passwd"),
    "a device": _added("{key}.flac", type=tarfile.CHRTYPE),
    "a pipe": _added("{key}.flac", type=tarfile.FIFOTYPE),
    "a folder": _added("{key}.flac", type=tarfile.DIRTYPE),
    "a sparse file": _raw(_set(156, b"S")),
    "a kind of its own": _raw(_set(156, b"V")),
    "a long name": lambda members: pack([*members, _info("x" * 300)], tarfile.GNU_FORMAT),
    "a pax bomb": _bomb,
    "four gigabytes said": _raw(_set(124, b"37777777777\0")),
    "a size in base 256": _raw(_set(124, b"\x80" + b"\0" * 6 + b"\x10" + b"\0" * 4)),
    "a size below zero": _raw(_set(124, b"\xff" * 12)),
    "a name of no alphabet": _raw(_set(0, b"\xff\xfe")),
    "no end": lambda members: pack(members)[: sum(BLOCK + -(-len(c) // BLOCK) * BLOCK for _, c in members)],
    "more after the end": lambda members: pack(members) + pack(members),
    "code as pickle": _added("{key}.pkl", PAYLOAD),
    "code as pyd": _added("{key}.pyd", PAYLOAD),
    "code as pth": _added("{key}.pth", PAYLOAD),
    "a member twice": lambda members: [members[0], *members],
    "members apart": lambda members: [*members[1:], members[0]],
    "a sample more": lambda members: [*members, _info("f" * 32 + ".txt", b"x")],
    "a sample less": lambda members: members[3:],
    "no caption": lambda members: [(i, c) for i, c in members if not i.name.endswith("txt")],
    "two media": _added("{key}.flac", b"x"),
    "many members": lambda members: [*members, *(_info(f"{n:032x}.txt") for n in range(100_000))],
    "captions exchanged": _exchanged("txt"),
    "records exchanged": _exchanged("json"),
    "a large record": _json(lambda values: b" " * (2 << 20)),
    "a deep record": _json(lambda values: b"[" * 100_000),
    "no record": _json(lambda values: b"[]"),
    "a record of no number": _json(lambda values: values.update(scores={"a": float("nan")})),
    "a record of a list": _json(lambda values: values.update(scores=[1])),
    "another clip's record": _json(lambda values: values.update(clip_id="e" * 32)),
}  # fmt: skip
"""What another tar in place of one with several samples may be, its size and hash committed."""


def forge(root: Path, subset: str, path: str, change: Callable[[Members], Members | bytes]) -> None:
    """Puts a changed tar in place of one of a toy lake's and commits its size and hash."""
    import pyarrow.parquet as pq

    lake, members = Lake(root), []
    with tarfile.open(root / path) as tar:
        for info in tar:
            file = tar.extractfile(info)
            assert file is not None
            members.append(_info(info.name, file.read()))
    content = change(members)
    (root / path).write_bytes(content if isinstance(content, bytes) else pack(content))
    rows = [
        row for part in lake.committed_files("shards") for row in pq.read_table(part, partitioning=None).to_pylist()
    ]
    for row in rows:
        if row["path"] == path:
            row |= {"size_bytes": (root / path).stat().st_size, "sha256": file_sha256(root / path)}
    part = write_part(lake, "shards", subset, "forged", [row["path"] for row in rows], rows)
    lake.write_commit(Commit("shards", subset, (part,)))
