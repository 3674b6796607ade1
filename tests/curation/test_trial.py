import numpy as np
import pytest

from curation.filters import Rule
from curation.trial import try_rules
from curation.verdicts import decide, holds
from moviegen.errors import UsageError

CHEAP = Rule("motion", "motion.vmaf", min=2.0, min_inclusive=False)
COSTLY = Rule("beauty", "aesthetic.middle", min=4.0)


def world(num: int, explored: float, seed: int = 0):
    """Scores as the jobs leave them: aesthetics of clips that motion rejects only where explored. And all of them."""
    random = np.random.default_rng(seed)
    motion = random.uniform(0, 4, num)
    beauty = 2 + motion + random.normal(0, 1, num)  # the two are dependent: the share among the rejected is another
    shown = (motion > 2) | (random.random(num) < explored)
    return {"motion.vmaf": motion, "aesthetic.middle": np.where(shown, beauty, np.nan)}, beauty


def test_the_steps_are_the_decisions_of_the_rules():
    """Against `decide`, clip by clip, where every score is there or the rule says what to do without."""
    random = np.random.default_rng(1)
    scores = {"a": random.integers(0, 5, 400).astype(float), "b": random.normal(size=400)}
    scores["b"][random.random(400) < 0.3] = np.nan
    rules = [
        Rule("r1", "a", 1, 3, max_inclusive=False),
        Rule("r2", "b", max=0.5, if_missing="keep"),
        Rule("r3", "b", -1.0, if_missing="reject"),
    ]
    trial = try_rules(rules, scores, np.full(400, 3.6), ())
    decisions = [decide({m: v[i] for m, v in scores.items() if not np.isnan(v[i])}, rules) for i in range(400)]
    assert trial.kept.tolist() == [decision.keep for decision in decisions]
    for step in trial.steps:
        assert step.num_rejected == sum(decision.reason == step.name for decision in decisions)
    assert [step.num_unmeasured for step in trial.steps] == [0, 0, 0]
    assert trial.steps[-1].num_left == trial.kept.sum()
    assert trial.steps[-1].hours_left == pytest.approx(trial.kept.sum() * 3.6 / 3600)
    assert trial.lacking == {"a": 0, "b": int(np.isnan(scores["b"]).sum())}


def test_bounds_are_those_of_the_rule():
    values = np.array([1.0, 2.0, 3.0, np.nan])
    for low in (True, False):
        for high in (True, False):
            rule = Rule("r", "m", 1.0, 3.0, low, high)
            assert holds(rule, values).tolist() == [rule.holds(1.0), True, rule.holds(3.0), False]


def test_clips_that_were_not_measured_are_counted_and_estimated():
    """Loosening motion lets clips in that were never shown to aesthetics: 5% explored tell how many, within three standard errors."""
    scores, beauty = world(100_000, 0.05)
    looser = [Rule("motion", "motion.vmaf", min=1.0), COSTLY]
    trial = try_rules(looser, scores, np.ones(100_000), [CHEAP, COSTLY])
    truth = (scores["motion.vmaf"] >= 1) & (beauty >= 4)
    sure = truth & ~np.isnan(scores["aesthetic.middle"])
    assert trial.steps[-1].num_left == sure.sum() == trial.kept.sum()
    estimate = trial.estimate
    assert estimate.num_unmeasured == trial.steps[1].num_unmeasured
    assert estimate.num_unknown == 0
    assert 0 < estimate.error < 0.1 * estimate.num_kept
    assert abs(estimate.num_kept - (truth & ~sure).sum()) < 3 * estimate.error


def test_the_estimate_is_no_bias_of_what_rejects_first():
    """Explored clips that two rules reject stand for those that the cheap one alone could: over 20 worlds the mean error is small."""
    errors = []
    for seed in range(20):
        scores, beauty = world(20_000, 0.03, seed)
        rules = [Rule("beauty", "aesthetic.middle", min=3.0)]
        trial = try_rules(rules, scores, np.ones(20_000), [COSTLY, CHEAP])
        truth = (beauty >= 3) & np.isnan(scores["aesthetic.middle"])
        errors.append((trial.estimate.num_kept - truth.sum()) / trial.estimate.error)
    assert abs(np.mean(errors)) < 0.7  # three standard errors of the mean of 20
    assert np.std(errors) < 2


def test_without_exploration_it_is_unknown():
    scores, _ = world(1000, 0.0)
    trial = try_rules([Rule("motion", "motion.vmaf", min=1.0), COSTLY], scores, np.ones(1000), [CHEAP, COSTLY])
    assert trial.estimate.num_kept is None
    assert trial.estimate.num_unknown == trial.estimate.num_unmeasured > 0


def test_a_tighter_bound_needs_no_estimate():
    scores, _ = world(1000, 0.0)
    trial = try_rules(
        [Rule("motion", "motion.vmaf", min=2.5), Rule("beauty", "aesthetic.middle", min=5)],
        scores,
        np.ones(1000),
        [CHEAP, COSTLY],
    )
    assert trial.estimate.num_unmeasured == 0
    assert trial.estimate.num_kept == 0


def test_a_clip_that_failed_is_unknown_not_estimated():
    """No rule rejects it and it lacks the score: exploring says nothing about such."""
    scores, _ = world(1000, 0.5)
    scores["aesthetic.middle"][np.flatnonzero(scores["motion.vmaf"] > 2)[:7]] = np.nan
    assert try_rules([COSTLY], scores, np.ones(1000), [CHEAP, COSTLY]).estimate.num_unknown == 7


def test_no_clips_and_no_rules():
    empty = {"aesthetic.middle": np.zeros(0)}
    assert try_rules([COSTLY], empty, np.zeros(0), []).steps[0].num_left == 0
    assert try_rules([], {}, np.ones(3), []).kept.all()


def test_decide_would_have_refused():
    with pytest.raises(UsageError):
        decide({}, [COSTLY])
