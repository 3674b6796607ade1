"""Batch plans: one bucket a batch, fair visits, the same on any number of ranks, from the seed and the number alone."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moviegen.contracts.bucket import encode_bucket
from moviegen.errors import UsageError
from training.data.buckets import BatchMix, BatchPlan, image_bucket

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
    plan = BatchPlan(KEYS, {key: size + 4 for key, size in SIZES.items()}, BatchMix(1, 3), seed=5)
    for index in range(40):
        whole = plan.spec(index)
        parts = [whole.slice(rank, world_size) for rank in range(world_size)]
        assert {part.bucket for part in parts} == {whole.bucket}
        counts = [len(part.samples) for part in parts]
        assert max(counts) - min(counts) <= 1
        assert Counter(i for part in parts for i in part.samples) == Counter(whole.samples)
        assert Counter(f for part in parts for f in part.frames) == Counter(whole.frames)


def test_epochs_are_counted_by_bucket():
    plan = BatchPlan(KEYS, SIZES, BatchMix(1, 3), seed=3)
    given = Counter()
    for index in range(100):
        spec = plan.spec(index)
        key = encode_bucket(spec.bucket)
        given[key] += len(spec.samples)
        members = sum(name == key or image_bucket(name) == key for name in KEYS)
        assert spec.epoch == pytest.approx(given[key] / members)


def test_shares_of_steps_are_those_taken():
    plan = BatchPlan(KEYS, SIZES, BatchMix(1, 3), seed=3)
    count = 64 * 40
    taken = Counter(encode_bucket(plan.spec(index).bucket) for index in range(count))
    shares = plan.step_shares()
    assert sum(shares.values()) == pytest.approx(1)
    assert {key: taken[key] / count for key in shares} == pytest.approx(shares, abs=0.02)


def test_images_are_in_batches_of_images_beside_frames_of_videos():
    keys = ["1x1-f16"] * 5 + ["1x1-f1"] * 7
    plan = BatchPlan(keys, {"1x1-f16": 2, "1x1-f1": 4}, BatchMix(1, 1), seed=0)
    for index in range(60):
        spec = plan.spec(index)
        assert {keys[i] for i in spec.samples} <= ({"1x1-f16", "1x1-f1"} if spec.bucket.is_image else {"1x1-f16"})
    seen = {i for index in range(60) for i in plan.spec(index).samples if plan.spec(index).bucket.is_image}
    assert seen == set(range(12))


def test_what_would_never_be_used_is_refused():
    with pytest.raises(UsageError, match="2 of 5 samples would never be used"):
        BatchPlan(["1x1-f16"] * 3 + ["1x1-f1"] * 2, {"1x1-f16": 1, "1x1-f1": 1}, BatchMix(0, 1), seed=0)
    with pytest.raises(UsageError, match="wants batches of videos, all 2 samples are images"):
        BatchPlan(["1x1-f1"] * 2, {"1x1-f1": 1}, BatchMix(1, 10), seed=0)
    plan = BatchPlan(["1x1-f1"] * 2, {"1x1-f1": 1}, BatchMix(1, 0), seed=0)
    assert sorted(plan.spec(0).samples + plan.spec(1).samples) == [0, 1]
