"""Toy lakes: committed as curation commits, read as training reads, the same bytes each time."""

from itertools import pairwise

import numpy as np
import pyarrow.parquet as pq
import pytest
import webdataset

from moviegen.contracts.bucket import decode_bucket
from moviegen.contracts.sample import decode_sample
from moviegen.contracts.shard import Shard, check_shard, read_members
from moviegen.contracts.tables import TABLES
from moviegen.media.read import read_audio, read_video
from moviegen.testing.lake import sample_scenes, write_toy_lake
from moviegen.testing.oracle import judge
from moviegen.testing.scene import bounce_times

SMALL = {"width": 64, "height": 64, "fps": 8, "duration": 4.5}


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    return write_toy_lake(
        tmp_path_factory.mktemp("lake"), 0, 7, max_samples=3, action="moves", camera="static", **SMALL
    )


def _rows(lake, table):
    return [row for path in lake.committed_files(table) for row in pq.read_table(path).to_pylist()]


def test_shards_are_what_was_committed(lake):
    shards = [Shard(**row) for row in _rows(lake, "shards")]
    assert [shard.num_samples for shard in sorted(shards, key=lambda shard: shard.path)] == [3, 3, 1]
    for shard in shards:
        path = check_shard(shard, lake.root)
        assert len(list(read_members(path))) == shard.num_samples
        assert decode_bucket(shard.bucket).num_frames == 16


def test_rows_fit_their_tables_and_name_every_sample(lake):
    for table in ("shards", "samples"):
        for row in _rows(lake, table):
            TABLES[table].check_row(row)
    named = {(row["path"], row["clip_id"]) for row in _rows(lake, "samples")}
    lying = {(s["path"], key) for s in _rows(lake, "shards") for key, _ in read_members(lake.root / s["path"])}
    assert named == lying
    assert len(named) == 7


def test_samples_show_what_their_captions_say(lake):
    for shard in _rows(lake, "shards"):
        for key, members in read_members(lake.root / shard["path"]):
            meta, text, media, suffix = decode_sample(members)
            assert (meta.clip_id, suffix, meta.num_frames, meta.width) == (key, "mp4", 36, 64)
            frames = read_video(media)
            assert frames.shape == (36, 64, 64, 3)
            assert judge(text, frames).all_ok
            assert read_audio(media).shape[1] == pytest.approx(4.5 * 48000, abs=4000)


def test_webdataset_reads_the_tars_too(lake):
    keys = []
    for shard in _rows(lake, "shards"):
        dataset = webdataset.WebDataset(str(lake.root / shard["path"]), shardshuffle=False)
        keys += [sample["__key__"] for sample in dataset if {"mp4", "txt", "json"} <= set(sample)]
    assert sorted(keys) == sorted(row["clip_id"] for row in _rows(lake, "samples"))


def test_same_arguments_same_bytes(tmp_path):
    lakes = [write_toy_lake(tmp_path / name, 4, 2, **SMALL) for name in ("a", "b")]
    files = [sorted(p.relative_to(lake.root) for p in lake.root.rglob("*") if p.is_file()) for lake in lakes]
    assert files[0] == files[1]
    assert len(files[0]) == 5
    for name in files[0]:
        assert (lakes[0].root / name).read_bytes() == (lakes[1].root / name).read_bytes()


def test_aspects_go_to_buckets_of_their_own(tmp_path):
    lake = write_toy_lake(tmp_path, 11, 6, fps=6, duration=4.5)
    sizes = {(row["width"], row["height"]) for row in _rows(lake, "samples")}
    buckets = {row["bucket"] for row in _rows(lake, "shards")}
    names = {(192, 192): "1x1-f16", (256, 144): "16x9-f16", (144, 256): "9x16-f16"}
    assert buckets == {names[size] for size in sizes}


def test_a_duration_in_no_bucket_is_refused(tmp_path):
    with pytest.raises(ValueError, match="in none of the duration buckets"):
        write_toy_lake(tmp_path, 0, 1, width=64, height=64, fps=4, duration=20)


def test_first_scenes_do_not_depend_on_how_many_follow():
    assert sample_scenes(3, 2) == sample_scenes(3, 9)[:2]


def test_clicks_are_heard_in_the_shard_when_the_shape_bounces(tmp_path):
    lake = write_toy_lake(tmp_path, 1, 1, action="bounces", **SMALL)
    (scene,) = sample_scenes(1, 1, action="bounces", **SMALL)
    (row,) = _rows(lake, "shards")
    ((_, members),) = read_members(tmp_path / row["path"])
    sound = np.abs(read_audio(decode_sample(members)[2])[0])
    loud = np.flatnonzero(sound > 0.25) / 48000
    onsets = [loud[0], *(b for a, b in pairwise(loud) if b - a > 0.2)]
    assert onsets == pytest.approx(bounce_times(scene), abs=0.01)
