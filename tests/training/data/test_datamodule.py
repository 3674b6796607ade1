"""Loaders: resumed, spawned, split and validated."""

import pytest
import torch

from moviegen.errors import UsageError
from moviegen.testing.lake import TOY_BUCKETS
from training.data.buckets import BatchMix
from training.data.datamodule import LatentDataModule, ShardDataModule
from training.data.held_out import Validation, split_samples
from training.data.loader import ENDLESS


def make(toy_lake, **values) -> ShardDataModule:
    options = {"mix": BatchMix(1, 3), "validation": Validation(0.2), **values}
    data = ShardDataModule(str(toy_lake), TOY_BUCKETS, resolution=32, tokens_per_batch=32, **options)
    data.setup("fit")
    return data


def first(loader, count):
    iterator = iter(loader)
    return [next(iterator) for _ in range(count)]


def same(one, two):
    return (one.index, one.keys, one.captions) == (two.index, two.keys, two.captions) and torch.equal(
        one.pixels, two.pixels
    )


def test_a_loader_goes_on_where_its_state_says(toy_lake):
    loader = make(toy_lake).train_dataloader()
    assert len(loader) == ENDLESS
    whole = first(loader, 9)
    assert [batch.index for batch in whole] == list(range(9))
    assert loader.state_dict() == {"num_given": 9, "last": whole[-1].digest, "history": loader.history}
    for cut in (0, 1, 4, 8):
        fresh = make(toy_lake).train_dataloader()
        fresh.load_state_dict({"num_given": cut})
        rest = first(fresh, 9 - cut)
        assert all(same(one, two) for one, two in zip(whole[cut:], rest, strict=True))


def test_workers_give_the_same_batches(toy_lake):
    alone = first(make(toy_lake).train_dataloader(), 4)
    helped = make(toy_lake, num_workers=1).train_dataloader()
    iterator = iter(helped)
    batches = [next(iterator) for _ in range(4)]
    assert all(same(one, two) for one, two in zip(alone, batches, strict=True))
    assert helped.state_dict()["num_given"] == 4, "what is prefetched does not count"
    iterator.close()


def test_no_video_is_on_both_sides(toy_lake):
    data = make(toy_lake)
    train = {data.source.groups[i] for i in data.train_samples}
    held = {data.source.groups[i] for i in data.val_samples}
    assert train
    assert held
    assert not train & held
    seen = {key for batch in data.val_dataloader() for key in batch.keys}
    assert seen == {data.source.subset.samples[i].key for i in data.val_samples}


def test_a_stage_of_images_is_validated_on_images(toy_lake):
    batches = list(make(toy_lake, mix=BatchMix(1, 0)).val_dataloader())
    assert all(batch.is_image and batch.pixels.shape[2] == 1 for batch in batches)
    videos = list(make(toy_lake).val_dataloader())
    assert not any(batch.is_image for batch in videos)
    assert sorted(k for b in batches for k in b.keys) == sorted(k for b in videos for k in b.keys)


@pytest.mark.parametrize("world_size", [2, 3, 50])
def test_ranks_share_the_held_out_clips_and_none_is_left_without(toy_lake, world_size):
    every = [key for batch in make(toy_lake).val_dataloader() for key in batch.keys]
    parts = []
    for rank in range(world_size):
        data = make(toy_lake)
        data._ranks = lambda rank=rank: (rank, world_size)
        parts.append([key for batch in data.val_dataloader() for key in batch.keys])
    assert all(parts)
    if world_size <= len(every):
        assert sorted(key for part in parts for key in part) == sorted(every)
    else:
        assert all(sorted(part) == sorted(every) for part in parts)


def test_a_group_keeps_its_side_when_data_grows():
    groups = [f"video {i}" for i in range(1000)]
    train, held = split_samples(groups, Validation(0.1))
    grown, grown_held = split_samples([*groups, "more"], Validation(0.1))
    assert grown[: len(train)] == train
    assert grown_held[: len(held)] == held
    assert 60 < len(held) < 140


def test_everything_held_out_is_an_error(toy_lake):
    with pytest.raises(UsageError, match=r"lower --data.validation.fraction"):
        make(toy_lake, validation=Validation(0.9999999))


def test_latents_are_loaded_as_planned(encoded, toy_lake):
    options = {"mix": BatchMix(1, 1), "validation": Validation(0.2)}
    latents = LatentDataModule(str(encoded / "latents"), TOY_BUCKETS, 32, **options)
    latents.setup("fit")
    assert latents.resolution == 32
    pixels = make(toy_lake, mix=BatchMix(1, 1))
    pairs = zip(first(latents.train_dataloader(), 6), first(pixels.train_dataloader(), 6), strict=True)
    for cached, decoded in pairs:
        assert cached.bucket == decoded.bucket
        assert len(cached) == len(decoded)
        assert cached.latent_mean.shape[2:] == (
            cached.latent_mean.shape[2],
            *(n // 8 for n in decoded.pixels.shape[3:]),
        )
    assert latents.defaults().num_frames == 16
    assert latents.defaults() == pixels.defaults()
