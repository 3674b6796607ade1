"""Loaders: resumed, spawned, split and validated."""

import pytest
import torch

from moviegen.errors import UsageError
from moviegen.testing.lake import TOY_BUCKETS
from training.data.buckets import BatchMix
from training.data.datamodule import ENDLESS, LatentDataModule, ShardDataModule, Validation, split_samples


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
    assert loader.state_dict() == {"num_given": 9}
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
    assert helped.state_dict() == {"num_given": 4}, "what is prefetched does not count"
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
