"""Samples that are images: read from `.jpg` shards, trained on beside frames of videos, validated, cached."""

import numpy as np
import pytest
import torch

from moviegen.contracts.clip import file_sha256
from moviegen.contracts.lake import Commit, Lake
from moviegen.contracts.sample import SampleMeta, encode_sample
from moviegen.errors import MovieGenError, UsageError
from moviegen.media.read import read_image
from moviegen.media.write import encode_image
from moviegen.testing.lake import TOY_BUCKETS, write_part, write_toy_lake
from training.data.buckets import BatchMix
from training.data.datamodule import ShardDataModule
from training.data.decode import decode_clip, to_tensor
from training.data.held_out import Validation
from training.data.sources import ShardSource
from training.data.tars import write_tar


def write_images(root, subset, count, bucket="1x1-f1"):
    """A shard of flat pictures, committed beside what is there; gives key -> picture."""
    lake, made, samples = Lake(root), {}, []
    for i in range(count):
        key = f"{i + 1:032x}"
        made[key] = np.full((40, 40, 3), 20 * i, np.uint8)
        meta = SampleMeta(key, key, subset, bucket, 0, 1, 1, 1, 1, 1, 1, 40, 40, 1.0, False, "nobody")
        samples.append((key, encode_sample(meta, f"picture {i}", encode_image(made[key], "jpg"), "jpg")))
    path = f"shards/subset={subset}/bucket={bucket}/000000.tar"
    (root / path).parent.mkdir(parents=True)
    write_tar(root / path, samples)
    rows = {
        "shards": [{
            "path": path, "subset": subset, "bucket": bucket, "num_samples": count,
            "size_bytes": (root / path).stat().st_size, "sha256": file_sha256(root / path),
        }],
        "samples": [
            {
                "subset": subset, "clip_id": key, "path": path, "caption": f"picture {i}", "captioner": "nobody",
                "width": 40, "height": 40, "num_frames": 1, "has_audio": False,
            }
            for i, key in enumerate(made)
        ],
    }  # fmt: skip
    for table, of_table in rows.items():
        before = lake.read_commit(table, subset)
        part = write_part(lake, table, subset, "images", sorted(made), of_table)
        lake.write_commit(Commit(table, subset, (*before.parts, part)))
    return made


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """(lake of 6 clips and 5 images, key -> picture)."""
    root = tmp_path_factory.mktemp("mixed") / "lake"
    write_toy_lake(root, 3, 6, max_samples=6, width=32, height=32, fps=4, duration=2.0)
    return root, write_images(root, "toy", 5)


def test_an_image_is_read_at_the_stages_size(mixed):
    root, made = mixed
    source = ShardSource(root, "toy", TOY_BUCKETS, 32, cache_bytes=0)
    for i, ref in enumerate(source.subset.samples):
        if ref.key in made:
            clip = source.read_clip(i)
            wanted = read_image(encode_image(made[ref.key], "jpg"), size=(32, 32))
            np.testing.assert_array_equal(clip.frames, wanted[None])
            assert clip.fps == source.frame_rate(i) == 0


def test_images_and_frames_of_clips_share_image_batches(mixed):
    root, made = mixed
    data = ShardDataModule(str(root), TOY_BUCKETS, 32, 12, mix=BatchMix(1, 1), validation=Validation(0.0))
    data.setup("fit")
    iterator, seen = iter(data.train_dataloader()), {True: set(), False: set()}
    for _ in range(24):
        batch = next(iterator)
        seen[batch.is_image] |= set(batch.keys)
        assert batch.pixels.shape[2] == (1 if batch.is_image else 16)
        for key, pixels in zip(batch.keys, batch.pixels, strict=True):
            if key in made:
                torch.testing.assert_close(pixels, to_tensor(made[key][None, :32, :32]), atol=0.05, rtol=0)
    assert len(seen[True]) == 11
    assert len(seen[False]) == 6
    assert data.defaults().num_frames == 16


def test_images_are_validated_too(mixed):
    root, made = mixed
    data = ShardDataModule(str(root), TOY_BUCKETS, 32, 12, mix=BatchMix(1, 1), validation=Validation(0.7))
    data.setup("fit")
    held = [batch for batch in data.val_dataloader() if batch.is_image]
    assert {key for batch in held for key in batch.keys} == {
        data.source.subset.samples[i].key for i in data.val_samples
    } & set(made)


def test_images_that_no_batch_would_hold_are_refused(mixed):
    data = ShardDataModule(str(mixed[0]), TOY_BUCKETS, 32, 12, mix=BatchMix(0, 1), validation=Validation(0.0))
    data.setup("fit")
    with pytest.raises(UsageError, match="5 of 11 samples would never be used"):
        data.train_dataloader()


def test_images_are_encoded_ahead(mixed, trained_tae, tmp_path):
    from training.data.sources import LatentSource
    from training.encode import EncodeConfig, run_encode

    root, made = mixed
    config = EncodeConfig(str(trained_tae / "model"), str(root), str(tmp_path / "run"), TOY_BUCKETS, resolution=32)
    assert run_encode(config)
    source = LatentSource(tmp_path / "run/latents")
    [images] = [file for file in source.index.files if file.bucket == "1x1-f1"]
    keys = {key for key, path in source.files_by_key().items() if path == images.path}
    assert (images.num_images, keys) == (1, set(made))
    from training.data.buckets import BatchSpec, decode_bucket

    places = tuple(i for i, key in enumerate(source.buckets) if key == "1x1-f1")
    batch = source.load(BatchSpec(0, decode_bucket("1x1-f1"), places, (0.99,) * len(places)))
    assert batch.latent_mean.shape[2] == 1
    assert batch.fps == [0.0] * 5


def test_an_image_in_a_bucket_of_videos_is_refused(mixed):
    meta = SampleMeta("0" * 32, "0" * 32, "toy", "1x1-f16", 0, 1, 1, 1, 1, 1, 1, 40, 40, 1.0, False, "nobody")
    with pytest.raises(MovieGenError, match=r"a \.jpg sample in a bucket of 16 frames"):
        decode_clip(b"", "jpg", meta, 16, (32, 32))
