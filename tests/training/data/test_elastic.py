"""Resume on another number of ranks and workers: every sample of an epoch exactly once, the batches those of the uninterrupted run."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moviegen.contracts.bucket import encode_bucket
from training.data.batch import Batch
from training.data.buckets import BatchMix, BatchPlan, image_bucket
from training.data.loader import BatchLoader, PlannedBatches

SIZES = {"1x1-f16": 8, "16x9-f16": 5, "9x16-f16": 4, "1x1-f1": 12, "16x9-f1": 7, "9x16-f1": 6}


class NamedSource:
    """Samples that are nothing but their name."""

    def __init__(self, counts: dict[str, int]) -> None:
        self.buckets = [key for key, count in counts.items() for _ in range(count)]
        self.groups = [str(i) for i in range(len(self.buckets))]

    def load(self, spec) -> Batch:
        names = [
            f"{i}@{frame:.6f}" for i, frame in zip(spec.samples, spec.frames or (0,) * len(spec.samples), strict=True)
        ]
        return Batch(spec.index, encode_bucket(spec.bucket), names, [""] * len(names), [0.0] * len(names))


def loaders(source, mix, seed, world_size, num_workers=0):
    samples = range(len(source.buckets))
    plan = BatchPlan(source.buckets, SIZES, mix, seed)
    return [BatchLoader(PlannedBatches(source, plan, samples, r, world_size), num_workers) for r in range(world_size)]


def run(source, mix, seed, parts):
    """(bucket, sorted names) of each global batch, and the state, over parts of (world size, workers, batches)."""
    state, batches, states = None, [], []
    for world_size, num_workers, count in parts:
        ranks = loaders(source, mix, seed, world_size, num_workers)
        if state is not None:
            for loader in ranks:
                loader.load_state_dict(state)
        iterators = [iter(loader) for loader in ranks]
        for _ in range(count):
            shares = [next(iterator) for iterator in iterators]
            assert len({(b.index, b.bucket, b.digest) for b in shares}) == 1, "one bucket and one digest on all ranks"
            assert sum(b.weight for b in shares) == pytest.approx(world_size)
            batches.append((shares[0].bucket, sorted(name for b in shares for name in b.keys)))
        states = [loader.state_dict() for loader in ranks]
        assert all(each == states[0] for each in states)
        state = states[0]
    return batches, state


counts = st.fixed_dictionaries({key: st.integers(1, 40) for key in ("1x1-f16", "16x9-f16", "9x16-f16", "16x9-f1")})
cuts = st.lists(st.tuples(st.sampled_from([1, 2, 3, 4]), st.just(0), st.integers(0, 25)), min_size=1, max_size=5)


@settings(max_examples=60)
@given(counts, cuts, st.integers(0, 3), st.integers(1, 10), st.integers(0, 2**31))
def test_any_ranks_in_any_order_see_the_uninterrupted_batches(counts, parts, image, video, seed):
    source, mix = NamedSource(counts), BatchMix(image + 1, video)
    total = sum(count for _, _, count in parts)
    assert run(source, mix, seed, parts) == run(source, mix, seed, [(1, 0, total)])


def test_ranks_1_2_4_3_and_workers_0_1_2_give_every_sample_once_an_epoch(capsys):
    source, mix = NamedSource({"1x1-f16": 83, "16x9-f16": 31, "9x16-f16": 10}), BatchMix(1, 3)
    parts = [(1, 1, 9), (2, 0, 11), (4, 0, 10), (3, 0, 13), (1, 2, 17)]
    batches, state = run(source, mix, 7, parts)
    whole, expected = run(source, mix, 7, [(1, 0, 60)])
    assert batches == whole
    assert state == expected
    assert capsys.readouterr().err == ""
    for bucket in SIZES:
        drawn = [int(name.split("@")[0]) for key, names in batches if key == bucket for name in names]
        members = [i for i, key in enumerate(source.buckets) if bucket in (key, image_bucket(key))]
        visits = Counter(dict.fromkeys(members, 0)) + Counter(drawn)
        assert max(visits.values()) - min(visits[i] for i in members) <= 1, "none twice before all have come once"


def test_an_epoch_of_a_bucket_is_each_of_its_samples_once():
    source = NamedSource({"1x1-f16": 48})
    batches, _ = run(source, BatchMix(0, 1), 3, [(1, 0, 2), (2, 0, 1), (4, 0, 2), (3, 0, 1)])
    assert sorted(name for _, names in batches for name in names) == sorted(f"{i}@0.000000" for i in range(48))


def test_other_data_on_resume_are_noticed(capsys):
    mix = BatchMix(1, 3)
    [loader] = loaders(NamedSource({"1x1-f16": 30}), mix, 0, 1)
    iterator = iter(loader)
    for _ in range(5):
        next(iterator)
    [other] = loaders(NamedSource({"1x1-f16": 31}), mix, 0, 1)
    other.load_state_dict(loader.state_dict())
    next(iter(other))
    assert "batch 4 is another than before the interruption" in capsys.readouterr().err
