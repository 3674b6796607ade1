"""Batch plans: one bucket a batch, fair visits, the same on any number of ranks, from the seed and the number alone."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moviegen.contracts.bucket import decode_bucket, encode_bucket
from moviegen.testing.lake import TOY_BUCKETS
from training.data.buckets import BatchMix, BatchPlan, batch_size, image_bucket, num_tokens

KEYS = ["1x1-f16"] * 23 + ["16x9-f16"] * 7 + ["1x1-f128"] * 2
SIZES = {"1x1-f16": 4, "16x9-f16": 3, "1x1-f128": 1, "1x1-f1": 8, "16x9-f1": 6}

plans = st.builds(
    BatchPlan,
    st.just(KEYS),
    st.just(SIZES),
    st.builds(BatchMix, st.integers(0, 3), st.integers(1, 10)),
    st.integers(0, 2**31),
)


@settings(max_examples=25, deadline=None)
@given(plans, st.integers(0, 400))
def test_a_batch_is_full_and_of_one_bucket(plan, index):
    spec = plan.spec(index)
    key = encode_bucket(spec.bucket)
    assert len(spec.samples) == SIZES[key]
    names = {image_bucket(KEYS[i]) if spec.bucket.is_image else KEYS[i] for i in spec.samples}
    assert names == {key}
    assert len(spec.frames) == (len(spec.samples) if spec.bucket.is_image else 0)
    assert all(0 <= place < 1 for place in spec.frames)


@settings(max_examples=15, deadline=None)
@given(plans, st.permutations(range(60)))
def test_a_batch_depends_on_nothing_but_its_number(plan, order):
    forward = {index: plan.spec(index) for index in range(60)}
    assert {index: plan.spec(index) for index in order} == forward


def test_two_samples_of_a_bucket_are_visited_equally_often():
    plan = BatchPlan(KEYS, SIZES, BatchMix(0, 1), seed=3)
    visits = Counter()
    for index in range(200):
        visits.update(plan.spec(index).samples)
        for key in set(KEYS):
            counts = [visits[i] for i, name in enumerate(KEYS) if name == key]
            assert max(counts) - min(counts) <= 1


def test_buckets_are_drawn_in_proportion_to_their_samples():
    plan = BatchPlan(KEYS, SIZES, BatchMix(0, 1), seed=3)
    visits = Counter()
    for index in range(64 * 12):
        visits.update(KEYS[i] for i in plan.spec(index).samples)
    total = sum(visits.values())
    for key in set(KEYS):
        assert visits[key] / total == pytest.approx(KEYS.count(key) / len(KEYS), rel=0.1)


def test_orders_differ_between_passes_and_between_seeds():
    first = BatchPlan(["1x1-f16"] * 64, {"1x1-f16": 64, "1x1-f1": 64}, BatchMix(0, 1), seed=0)
    other = BatchPlan(["1x1-f16"] * 64, {"1x1-f16": 64, "1x1-f1": 64}, BatchMix(0, 1), seed=1)
    assert first.spec(0).samples != first.spec(1).samples
    assert first.spec(0).samples != other.spec(0).samples
    assert sorted(first.spec(0).samples) == sorted(first.spec(1).samples) == list(range(64))


@given(st.integers(0, 5), st.integers(0, 12), st.integers(1, 500))
def test_the_mix_is_kept_at_every_moment(image, video, count):
    if image + video == 0:
        with pytest.raises(ValueError, match="not both 0"):
            BatchMix(image, video)
        return
    mix = BatchMix(image, video)
    images = sum(mix.is_image(i) for i in range(count))
    assert images == mix.num_images_before(count)
    assert abs(images - count * image / (image + video)) < 1


@pytest.mark.parametrize("world_size", [1, 2, 3, 4])
def test_ranks_share_a_batch_without_overlap(world_size):
    sizes = {key: batch_size(20, 240, world_size) for key in SIZES}
    plan = BatchPlan(KEYS, sizes, BatchMix(1, 3), seed=5)
    for index in range(40):
        whole = plan.spec(index)
        parts = [whole.slice(rank, world_size) for rank in range(world_size)]
        assert {part.bucket for part in parts} == {whole.bucket}
        assert len({len(part.samples) for part in parts}) == 1
        assert Counter(i for part in parts for i in part.samples) == Counter(whole.samples)


def test_the_same_global_batch_on_1_2_and_4_ranks():
    plans = [BatchPlan(KEYS, {key: batch_size(20, 240, n) for key in SIZES}, BatchMix(1, 3), 5) for n in (1, 2, 4)]
    for index in range(40):
        assert len({plan.spec(index) for plan in plans}) == 1


def test_tokens_are_the_papers():
    from moviegen.config import load_config
    from moviegen.contracts.bucket import BucketSet

    paper = load_config(BucketSet, "configs/buckets/paper.yaml")
    assert num_tokens(decode_bucket("1x1-f256"), paper, 768) == 73_728
    assert num_tokens(decode_bucket("16x9-f256"), paper, 768) == 73_728
    assert num_tokens(decode_bucket("1x1-f256"), paper, 256) == 8_192
    assert num_tokens(decode_bucket("1x1-f1"), paper, 256) == 256
    assert num_tokens(decode_bucket("1x1-f16"), TOY_BUCKETS, 64) == 32


def test_batch_size_is_a_multiple_of_the_ranks_and_never_none():
    assert batch_size(32, 512, 1) == 16
    assert batch_size(32, 512, 3) == 15
    assert batch_size(73_728, 512, 4) == 4
