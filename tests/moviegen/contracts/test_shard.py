import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviegen.contracts.clip import file_sha256
from moviegen.contracts.shard import (
    Shard,
    ShardError,
    ShardName,
    check_shard,
    decode_shard_path,
    encode_shard_path,
    read_members,
)

KEY, OTHER = "0" * 32, "1" * 32


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True), st.integers(1, 99), st.integers(0, 999_999))
def test_paths_come_back(subset, frames, index):
    name = ShardName(subset, f"16x9-f{frames}", index)
    assert decode_shard_path(encode_shard_path(name)) == name


@pytest.mark.parametrize(
    "path", ["a.tar", "shards/subset=../bucket=1x1-f1/000000.tar", "shards/subset=a/bucket=b/000000.tar"]
)
def test_other_paths_are_refused(path):
    with pytest.raises(ValueError):
        decode_shard_path(path)


def tar_of(path, members, **changes):
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for field, value in changes.items():
                setattr(info, field, value)
            tar.addfile(info, io.BytesIO(data))
    return path


def test_members_come_out_by_key(tmp_path):
    path = tar_of(tmp_path / "a.tar", [(f"{KEY}.json", b"{}"), (f"{KEY}.mp4", b"v"), (f"{OTHER}.txt", b"t")])
    assert list(read_members(path)) == [(KEY, {"json": b"{}", "mp4": b"v"}), (OTHER, {"txt": b"t"})]


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        (f"{KEY}.pyd", {}),
        (f"{KEY}.pickle", {}),
        (f"../{KEY}.mp4", {}),
        (f"/{KEY}.mp4", {}),
        ("x.mp4", {}),
        (f"{KEY}.mp4", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}),
        (f"{KEY}.mp4", {"type": tarfile.CHRTYPE}),
    ],
)
def test_hostile_members_are_refused(tmp_path, name, changes):
    path = tar_of(tmp_path / "a.tar", [(name, b"")], **changes)
    with pytest.raises(ShardError):
        list(read_members(path))


def test_members_apart_or_twice_are_refused(tmp_path):
    apart = tar_of(tmp_path / "a.tar", [(f"{KEY}.txt", b""), (f"{OTHER}.txt", b""), (f"{KEY}.json", b"")])
    with pytest.raises(ShardError, match="do not lie together"):
        list(read_members(apart))
    twice = tar_of(tmp_path / "b.tar", [(f"{KEY}.txt", b""), (f"{KEY}.txt", b"")])
    with pytest.raises(ShardError, match="twice"):
        list(read_members(twice))


def test_every_changed_byte_and_every_cut_is_found(tmp_path):
    path = tar_of(tmp_path / "a.tar", [(f"{KEY}.txt", b"caption"), (f"{KEY}.mp4", b"v" * 100)])
    good = path.read_bytes()
    shard = Shard("a.tar", "s", "1x1-f1", 1, len(good), file_sha256(path))
    assert check_shard(shard, tmp_path) == path
    for place in range(0, len(good), 97):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        with pytest.raises(ShardError, match="moviegen curate shard"):
            check_shard(shard, tmp_path)
        path.write_bytes(good[:place])
        with pytest.raises(ShardError, match="bytes"):
            check_shard(shard, tmp_path)
    path.unlink()
    with pytest.raises(ShardError, match="missing"):
        check_shard(shard, tmp_path)
