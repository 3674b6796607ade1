"""Reading a lake's shards: what is committed, byte by byte, and nothing else."""

import shutil
import tarfile

import numpy as np
import pytest
import webdataset as wds

from moviegen.contracts.bucket import BucketSet
from moviegen.contracts.clip import file_sha256
from moviegen.contracts.lake import Commit, Lake
from moviegen.contracts.sample import decode_meta
from moviegen.contracts.shard import ShardError, read_members
from moviegen.errors import UsageError
from moviegen.media.read import read_video
from moviegen.testing.lake import TOY_BUCKETS, write_toy_lake
from training.data.buckets import BatchSpec
from training.data.decode import to_tensor
from training.data.shards import ShardReader, member_places, read_subset
from training.data.sources import ShardSource


@pytest.fixture
def lake(toy_lake, tmp_path):
    """A copy that may be damaged."""
    return shutil.copytree(toy_lake, tmp_path / "lake")


def test_seeking_reads_what_reading_in_order_reads(toy_lake):
    subset = read_subset(toy_lake, "toy")
    reader = ShardReader(subset)
    in_order = {key: members for shard in subset.shards for key, members in read_members(toy_lake / shard.path)}
    assert len(in_order) == len(subset.samples) == 17
    for ref in subset.samples:
        meta, caption, media, suffix = reader.read(ref)
        members = in_order[ref.key]
        assert (caption, media) == (members["txt"].decode(), members[suffix])
        assert meta == decode_meta(members["json"])
        assert caption == ref.caption
        assert meta.bucket == ref.bucket


def test_every_shard_reads_by_webdatasets_own_reader(toy_lake, monkeypatch):
    monkeypatch.setenv("WDS_SECURE", "1")
    for shard in read_subset(toy_lake, "toy").shards:
        own = dict(read_members(toy_lake / shard.path))
        with open(toy_lake / shard.path, "rb") as stream:
            members = wds.tariterators.tar_file_expander([{"url": shard.path, "stream": stream}])
            samples = list(wds.tariterators.group_by_keys(members))
        theirs = {s["__key__"]: {k: v for k, v in s.items() if not k.startswith("__")} for s in samples}
        assert theirs == own


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "swap"])
def test_a_damaged_shard_is_found_before_a_sample_is_used(lake, damage):
    subset = read_subset(lake, "toy")
    first, second = (lake / shard.path for shard in subset.shards[:2])
    content = bytearray(first.read_bytes())
    if damage == "flip":
        content[len(content) // 3] ^= 4
    if damage == "cut":
        del content[-1024:]
    first.write_bytes(second.read_bytes() if damage == "swap" else content)
    if damage == "gone":
        first.unlink()
    ref = next(ref for ref in subset.samples if ref.shard == subset.shards[0].path)
    with pytest.raises(ShardError, match=r"000000\.tar"):
        ShardReader(subset).read(ref)


def test_members_that_must_not_be_there_are_refused(tmp_path):
    path = tmp_path / "000000.tar"
    for name in ("0" * 32 + ".pth", "../" + "0" * 32 + ".txt", "key.txt"):
        with tarfile.open(path, "w") as tar:
            tar.addfile(tarfile.TarInfo(name))
        with pytest.raises(ShardError):
            member_places(path)


def test_a_file_no_commit_names_is_not_read(lake):
    shard = read_subset(lake, "toy").shards[0]
    shutil.copy(lake / shard.path, (lake / shard.path).with_name("000099.tar"))
    assert len(read_subset(lake, "toy").samples) == 17


def test_a_subset_needs_no_name_when_it_is_the_only_one(lake):
    assert read_subset(lake).name == "toy"
    write_toy_lake(lake, 9, 2, subset="other", width=64, height=64, fps=6)
    assert {len(read_subset(lake, name).samples) for name in ("toy", "other")} == {17, 2}
    with pytest.raises(UsageError, match="several subsets: other, toy"):
        read_subset(lake)


def test_tables_that_disagree_are_refused(lake):
    records = Lake(lake)
    commit = records.read_commit("samples", "toy")
    records.write_commit(Commit("samples", "toy", commit.parts[1:]))
    with pytest.raises(UsageError, match="the samples table lists 0"):
        read_subset(lake, "toy")


def test_the_digest_changes_with_the_data(toy_lake, lake):
    before = read_subset(toy_lake, "toy")
    assert read_subset(lake, "toy").digest == before.digest
    write_toy_lake(lake, 6, 17, max_samples=6, fps=6)
    assert read_subset(lake, "toy").digest != before.digest


def test_a_batch_holds_the_frames_of_its_clips(toy_lake):
    source = ShardSource(toy_lake, "toy", TOY_BUCKETS, 32, cache_bytes=2**20)
    places = tuple(i for i, key in enumerate(source.buckets) if key == "1x1-f16")[:3]
    spec = BatchSpec(7, source_bucket("1x1-f16"), places, ())
    batch = source.load(spec)
    assert batch.pixels.shape == (3, 3, 16, 32, 32)
    assert (batch.index, batch.bucket, batch.is_image) == (7, "1x1-f16", False)
    for place, pixels, fps in zip(places, batch.pixels, batch.fps, strict=True):
        meta, _, media, _ = ShardReader(source.subset).read(source.subset.samples[place])
        every = read_video(media, size=(32, 32))
        assert len(every) == meta.num_frames
        wanted = every[[(2 * i + 1) * len(every) // 32 for i in range(16)]]
        np.testing.assert_array_equal(pixels, to_tensor(wanted))
        assert fps == pytest.approx(16 / meta.duration)
    again = source.load(spec)
    assert again.pixels.equal(batch.pixels), "the cache gives what decoding gave"


def test_an_image_is_one_of_the_clips_frames(toy_lake):
    source = ShardSource(toy_lake, "toy", TOY_BUCKETS, 32, cache_bytes=0)
    places = tuple(i for i, key in enumerate(source.buckets) if key == "1x1-f16")[:2]
    images = source.load(BatchSpec(0, source_bucket("1x1-f1"), places, (0.0, 0.99))).pixels
    videos = source.load(BatchSpec(0, source_bucket("1x1-f16"), places, ())).pixels
    assert images[0, :, 0].equal(videos[0, :, 0])
    assert images[1, :, 0].equal(videos[1, :, 15])


def source_bucket(key):
    from moviegen.contracts.bucket import decode_bucket

    return decode_bucket(key)


def test_frames_are_put_to_minus_one_to_one():
    frames = np.array([0, 127, 255], np.uint8).reshape(1, 1, 1, 3)
    tensor = to_tensor(frames)
    assert tensor.shape == (3, 1, 1, 1)
    assert tensor.flatten().tolist() == pytest.approx([-1, -0.0039, 1], abs=1e-3)


def test_toy_buckets_are_the_configured_ones(buckets_yaml):
    from moviegen.config import load_config

    configured = load_config(BucketSet, buckets_yaml)
    assert configured.aspects == TOY_BUCKETS.aspects
    assert [d.num_frames for d in configured.durations] == [d.num_frames for d in TOY_BUCKETS.durations]
    assert file_sha256(buckets_yaml)
