import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.concepts import (
    Balance,
    BalanceConfig,
    ClipPool,
    balance,
    clip_draws,
    lowest,
    share_out,
    whole_counts,
)

SIZES = [4000, 1600, 900, 400, 100, 25, 9]


def make_pool(sizes=SIZES, seed: int = 0, **kinds) -> tuple[ClipPool, np.ndarray]:
    """Clips of known concepts of these sizes, mixed, and the concept of each."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((len(sizes), 32))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    truth = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    vectors = centres[truth] + 0.05 * rng.standard_normal((len(truth), 32))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    clip_ids = [f"{number:032x}" for number in rng.choice(10**6, len(truth), replace=False)]
    ids = {name: frozenset(np.array(clip_ids)[mask(truth, rng)].tolist()) for name, mask in kinds.items()}
    return ClipPool(clip_ids, vectors.astype(np.float32), **ids), truth


def kept_of(result: Balance, pool: ClipPool) -> np.ndarray:
    """(N,) bool in the order of the pool."""
    decisions = {each.clip_id: each.keep for each in result}
    return np.array([decisions[clip_id] for clip_id in pool.clip_ids])


CONFIG = BalanceConfig(num_clusters=20, merge_cosine=0.8)


class TestConcepts:
    @pytest.mark.parametrize("keep_fraction", [0.1, 0.3, 0.817])
    def test_kept_share_falls_as_one_over_root_n(self, keep_fraction):
        pool, truth = make_pool()
        result = balance(pool, dataclasses.replace(CONFIG, keep_fraction=keep_fraction), "s")
        kept = np.bincount(truth[kept_of(result, pool)], minlength=len(SIZES))
        assert kept.sum() == round(keep_fraction * sum(SIZES))
        sizes = np.array(SIZES)
        factor = (kept[0] / sizes[0]) * np.sqrt(sizes[0])
        assert abs(kept - np.minimum(sizes, factor * np.sqrt(sizes))).max() <= 1.5  # whole clips

    def test_what_a_clip_is_told(self):
        pool, truth = make_pool()
        result = balance(pool, dataclasses.replace(CONFIG, keep_fraction=0.1), "s")
        told = {each.clip_id: each for each in result}
        assert list(told) == sorted(pool.clip_ids)
        for clip_id, concept in zip(pool.clip_ids, truth.tolist(), strict=True):
            each = told[clip_id]
            assert (each.cluster, each.cluster_size) == (concept, SIZES[concept])
            assert each.reason == ("" if each.keep else "concept")
            assert bool(each.detail) == (not each.keep)
        weights = {each.cluster: each.weight for each in result}
        assert weights[0] / weights[1] == pytest.approx(np.sqrt(SIZES[1] / SIZES[0]))

    def test_a_number_of_clips(self):
        pool, _ = make_pool()
        for wanted, expected in ((1000, 1000), (10**6, sum(SIZES))):
            assert balance(pool, dataclasses.replace(CONFIG, num_clips=wanted), "s").keep.sum() == expected

    def test_the_same_in_any_order_and_with_two_threads(self):
        rng = np.random.default_rng(2)
        vectors = rng.standard_normal((20_000, 24)).astype(np.float32)  # no clusters: every border is near
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        ids = [f"{number:032x}" for number in range(20_000)]
        config = BalanceConfig(num_clusters=60, keep_fraction=0.4, landscape_fraction=0.5)
        wide = frozenset(ids[::3])
        first = balance(ClipPool(ids, vectors, landscape=wide), config, "s", num_threads=1)
        order = rng.permutation(20_000)
        mixed = ClipPool([ids[i] for i in order], vectors[order], landscape=wide)
        assert list(balance(mixed, config, "s", num_threads=2)) == list(first)

    def test_another_subset_or_seed_draws_others(self):
        pool, _ = make_pool()
        first = balance(pool, CONFIG, "s").keep
        for other in (balance(pool, CONFIG, "t"), balance(pool, dataclasses.replace(CONFIG, seed=1), "s")):
            assert other.keep.sum() == first.sum()
            assert (other.keep != first).mean() > 0.1

    def test_more_clips_change_few_decisions(self):
        pool, _ = make_pool()
        fewer = np.arange(len(pool.clip_ids)) % 50 > 0  # 2% are not there yet
        before = ClipPool([i for i, here in zip(pool.clip_ids, fewer, strict=True) if here], pool.vectors[fewer])
        then, now = kept_of(balance(before, CONFIG, "s"), before), kept_of(balance(pool, CONFIG, "s"), pool)[fewer]
        assert (then != now).mean() < 0.01

    def test_few_clips_and_none(self):
        empty = balance(ClipPool([], np.zeros((0, 8), np.float32)), BalanceConfig(), "s")
        assert list(empty) == []
        [only] = balance(ClipPool(["a"], np.eye(1, 8, dtype=np.float32)), BalanceConfig(), "s")
        assert (only.keep, only.cluster_size) == (True, 1)


class TestHumans:
    def some(self, truth, rng):
        """60% of the two largest concepts, and a few of the others."""
        return np.where(truth < 2, rng.random(len(truth)) < 0.6, rng.random(len(truth)) < 0.05)

    @pytest.mark.parametrize("keep_fraction", [0.2, 0.817])
    def test_their_share_of_all_clips_stays(self, keep_fraction):
        pool, truth = make_pool(humans=self.some)
        kept = kept_of(balance(pool, dataclasses.replace(CONFIG, keep_fraction=keep_fraction), "s"), pool)
        human = np.array([clip_id in pool.humans for clip_id in pool.clip_ids])
        assert human[kept].mean() == pytest.approx(human.mean(), abs=1.5 / kept.sum())
        shares = [kept[human & (truth == concept)].mean() for concept in (0, 1)]
        assert shares == pytest.approx([keep_fraction] * 2, abs=0.04)  # drawn evenly, whatever the size of the concept

    def test_the_others_are_balanced_among_themselves(self):
        pool, truth = make_pool(humans=self.some)
        config = dataclasses.replace(CONFIG, keep_fraction=0.2)
        kept = kept_of(balance(pool, config, "s"), pool)
        other = np.array([clip_id not in pool.humans for clip_id in pool.clip_ids])
        sizes = np.bincount(truth[other])
        kept = np.bincount(truth[other & kept], minlength=len(sizes))
        factor = kept[0] / np.sqrt(sizes[0])
        assert abs(kept - np.minimum(sizes, factor * np.sqrt(sizes))).max() <= 1.5

    def test_all_of_them(self):
        pool, _ = make_pool(humans=self.some)
        config = dataclasses.replace(CONFIG, humans="all", keep_fraction=0.5)
        kept = kept_of(balance(pool, config, "s"), pool)
        human = np.array([clip_id in pool.humans for clip_id in pool.clip_ids])
        assert kept[human].all()
        assert kept[~human].sum() == round(0.5 * (~human).sum())

    def test_nothing_but_humans(self):
        pool, _ = make_pool([50, 30], humans=lambda truth, rng: np.ones(len(truth), bool))
        assert balance(pool, dataclasses.replace(CONFIG, keep_fraction=0.5), "s").keep.sum() == 40


class TestAspects:
    def mix(self, truth, rng):
        """Most are wide; the second concept has no high clip at all."""
        return (rng.random(len(truth)) < 0.65) | (truth == 1)

    @pytest.mark.parametrize("wanted", [0.6, 0.8, 0.95])
    def test_the_target_is_met_within_rounding(self, wanted):
        pool, _ = make_pool(landscape=self.mix)
        config = dataclasses.replace(CONFIG, landscape_fraction=wanted)
        result = balance(pool, config, "s")
        wide = np.array([each.clip_id in pool.landscape for each in result])
        assert wide[result.keep].mean() == pytest.approx(wanted, abs=1 / result.keep.sum())
        dropped = wide[result.reasons == "aspect"]
        assert len({*dropped.tolist()}) == 1  # only one of the two is ever too many
        resampled = result.keep | (result.reasons == "aspect")
        assert resampled.sum() == round(0.817 * len(wide))

    def test_concepts_keep_their_proportions(self):
        pool, truth = make_pool(landscape=self.mix, humans=lambda truth, rng: rng.random(len(truth)) < 0.3)
        config = dataclasses.replace(CONFIG, keep_fraction=0.3, landscape_fraction=0.7)
        with_mix, without = (
            kept_of(balance(pool, each, "s"), pool)
            for each in (config, dataclasses.replace(config, landscape_fraction=None))
        )
        assert (with_mix <= without).all()
        ratio = np.bincount(truth[with_mix])[:4] / np.bincount(truth[without])[:4]
        assert ratio == pytest.approx([with_mix.sum() / without.sum()] * 4, abs=0.05)
        human = np.array([clip_id in pool.humans for clip_id in pool.clip_ids])
        assert human[with_mix].mean() == pytest.approx(human.mean(), abs=2 / with_mix.sum())

    def test_a_dataset_without_high_clips_is_not_lost(self):
        pool, _ = make_pool(landscape=lambda truth, rng: np.ones(len(truth), bool))
        config = dataclasses.replace(CONFIG, keep_fraction=1.0, landscape_fraction=0.6, max_aspect_drop_fraction=0.1)
        result = balance(pool, config, "s")
        assert result.keep.sum() == len(result.keep) - int(0.1 * len(result.keep))


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9)), min_size=1, max_size=8),
    st.floats(0, 1),
)
def test_share_out_is_in_proportion_up_to_the_limits(groups, fraction):
    limits, weights = (np.array(column) for column in zip(*groups, strict=True))
    total = fraction * limits[weights > 0].sum()
    amounts = share_out(limits, weights, total)
    assert amounts.sum() == pytest.approx(total, abs=1e-6)
    assert (amounts <= limits + 1e-9).all()
    below = (amounts < limits - 1e-6) & (weights > 0)
    factors = amounts[below] / weights[below]
    assert np.ptp(factors) < 1e-6 if below.any() else True
    if below.any():
        assert (amounts[weights > 0] <= factors[0] * weights[weights > 0] + 1e-6).all()
    whole = whole_counts(amounts)
    assert whole.sum() == round(float(amounts.sum()))
    assert (abs(whole - amounts) < 1 + 1e-6).all()


def test_lowest_draws_of_each_group():
    draws, groups = np.array([5, 1, 4, 2, 3], np.uint64), np.array([0, 0, 0, 2, 2])
    assert lowest(draws, groups, np.array([2, 1, 1])).tolist() == [False, True, True, True, False]


def test_draws_are_evenly_spread():
    draws = clip_draws([f"{i:032x}" for i in range(20_000)], "s", 0) / 2.0**64
    np.testing.assert_allclose(np.quantile(draws, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.015)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"keep_fraction": 1.2}, "keep_fraction is 1.2, wanted 0..1"),
        ({"num_clips": 0}, "num_clips is 0, wanted at least 1"),
        ({"num_clusters": -3}, "num_clusters is -3"),
        ({"merge_cosine": 1.5}, "merge_cosine is 1.5, wanted a cosine"),
        ({"humans": "some"}, "humans is 'some', wanted one of share, all"),
        ({"landscape_fraction": -0.1}, "landscape_fraction"),
    ],
)
def test_refused_settings(settings, words):
    with pytest.raises(ValueError, match=words):
        BalanceConfig(**settings)


def test_refused_pools():
    row = np.eye(2, dtype=np.float32)
    for ids, vectors, words in (
        (["a"], row, "1 clips have vectors of shape"),
        (["a", "a"], row, "occurs twice"),
        (["a", "b"], row * [[1], [2]], "clip b has length 2, wanted 1"),
        (["a", "b"], row * np.nan, "clip a has length nan"),
    ):
        with pytest.raises(ValueError, match=words):
            ClipPool(ids, vectors)
