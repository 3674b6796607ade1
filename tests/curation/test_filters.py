from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.filters import Decision, Rule, load_rules
from curation.verdicts import decide
from moviegen.errors import UsageError

PAPER_RULES = Path(__file__).parents[2] / "configs/curation/filter/paper.yaml"
SIZE = Rule("resolution", "probe.min_side", min=768)
VECTOR = Rule(
    "motion_vector", "motion.vector", min=0.5, max=7, min_inclusive=False, max_inclusive=False, if_missing="keep"
)
TEXT = Rule("text", "ocr.max_score", max=0.6, max_inclusive=False)
BLACK = Rule("border", "borders.area_fraction", max=0.01, if_missing="reject")
GOOD = {"probe.min_side": 1080, "motion.vector": 3.0, "ocr.max_score": 0.0, "borders.area_fraction": 0.0}
RULES = [SIZE, VECTOR, TEXT, BLACK]


def test_kept_when_every_rule_holds():
    assert decide(GOOD, RULES) == Decision(True)


@pytest.mark.parametrize(
    ("score", "reason", "detail"),
    [
        ({"probe.min_side": 720}, "resolution", "probe.min_side = 720, wanted probe.min_side >= 768"),
        ({"motion.vector": 7}, "motion_vector", "motion.vector = 7, wanted 0.5 < motion.vector < 7"),
        ({"motion.vector": 0.5}, "motion_vector", "motion.vector = 0.5, wanted 0.5 < motion.vector < 7"),
        ({"ocr.max_score": 0.6}, "text", "ocr.max_score = 0.6, wanted ocr.max_score < 0.6"),
        (
            {"borders.area_fraction": 0.25},
            "border",
            "borders.area_fraction = 0.25, wanted borders.area_fraction <= 0.01",
        ),
    ],
)
def test_the_reason_is_the_rule_and_the_detail_the_number(score, reason, detail):
    assert decide(GOOD | score, RULES) == Decision(False, reason, detail)


def test_the_first_rule_that_fails_is_the_reason():
    assert decide({"probe.min_side": 10, "ocr.max_score": 1}, RULES).reason == "resolution"


def test_a_bound_itself_is_in_or_out_as_the_rule_says():
    assert decide(GOOD | {"probe.min_side": 768}, RULES).keep
    assert not decide(GOOD | {"probe.min_side": 767}, RULES).keep


class TestMissing:
    def without(self, metric: str) -> dict[str, float]:
        return {name: score for name, score in GOOD.items() if name != metric}

    def test_keep_skips_the_rule_and_says_so(self):
        assert decide(self.without("motion.vector"), RULES) == Decision(True, skipped=("motion_vector",))

    def test_a_score_out_of_bounds_is_the_reason_before_one_that_is_missing(self):
        """Costly detectors are not asked about clips that a cheap rule rejects: that they lack a score says nothing."""
        scores = self.without("borders.area_fraction") | {"ocr.max_score": 1.0}
        assert decide(scores, [BLACK, *RULES]).reason == "text"

    def test_a_rule_that_rejects_what_is_missing_needs_no_other_score(self):
        assert decide({"probe.min_side": 1080}, [SIZE, TEXT, BLACK]).reason == "border"

    def test_reject(self):
        decision = decide(self.without("borders.area_fraction"), RULES)
        assert (decision.keep, decision.reason) == (False, "border")
        assert "missing" in decision.detail

    def test_error_says_what_to_do(self):
        with pytest.raises(UsageError, match=r"(?s)'text': no score ocr\.max_score.*detector 'ocr'.*if_missing: keep"):
            decide(self.without("ocr.max_score"), RULES)


numbers = st.floats(-1e6, 1e6)


@given(numbers, numbers, numbers, st.booleans(), st.booleans())
def test_a_rule_is_its_two_bounds(a, b, score, min_inclusive, max_inclusive):
    low, high = sorted((a, b))
    rule = Rule("r", "x.y", low, high, min_inclusive, max_inclusive)
    above = score >= low if min_inclusive else score > low
    below = score <= high if max_inclusive else score < high
    assert decide({"x.y": score}, [rule]).keep == (above and below)


class TestFiles:
    def write(self, tmp_path: Path, text: str) -> Path:
        path = tmp_path / "rules.yaml"
        path.write_text(text)
        return path

    def test_order_and_defaults(self, tmp_path):
        path = self.write(
            tmp_path,
            "rules:\n- {name: a, metric: x.y, min: 1}\n- {name: b, metric: x.z, max: 2.5, max_inclusive: false, if_missing: keep}\n",
        )
        assert load_rules(path) == [
            Rule("a", "x.y", min=1),
            Rule("b", "x.z", max=2.5, max_inclusive=False, if_missing="keep"),
        ]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("name: a", "wanted one key, `rules`"),
            ("rules: {a: 1}", "wanted one key, `rules`"),
            ("rules:\n- {name: a, metric: x.y, mim: 1}", r"rule 1: no key 'mim'; did you mean 'min'\?"),
            ("rules:\n- {name: a, metric: x.y}", "rule 1: rule 'a': give min, max or both"),
            ("rules:\n- {name: a, metric: x.y, min: 2, max: 1}", "nothing could pass"),
            ("rules:\n- {name: a, metric: x.y, min: '2'}", "min is '2', wanted a number"),
            ("rules:\n- {name: a, metric: x.y, min: 2, if_missing: drop}", "'drop' is not one of error, keep, reject"),
            ("rules:\n- {name: a, min: 2}", "metric"),
            ("rules:\n- {name: a, metric: x, min: 2}\n- {name: a, metric: y, min: 2}", "'a' occurs twice"),
            ("rules:\n- nothing", "rule 1 is 'nothing'"),
            ("rules: [", "cannot be read as YAML"),
        ],
    )
    def test_refusals_name_the_file_and_the_rule(self, tmp_path, text, message):
        with pytest.raises(UsageError, match=message) as caught:
            load_rules(self.write(tmp_path, text))
        assert "rules.yaml" in str(caught.value)

    def test_a_file_that_is_not_there(self, tmp_path):
        with pytest.raises(UsageError, match=r"none\.yaml"):
            load_rules(tmp_path / "none.yaml")


def paper_clip(**scores: float) -> dict[str, float]:
    """A clip that passes every rule of the paper."""
    return {
        "probe.source_duration": 28, "probe.min_side": 768, "probe.aspect": 1.78, "ocr.max_score": 0.2,
        "borders.area_fraction": 0.0, "probe.duration": 14, "aesthetic.middle": 4.0, "motion.vmaf": 2.1,
        "motion.px_per_frame": 3.0, "jitter.shots_per_second": 0.5, "still.freeze_fraction": 0.0, "still.picture_fraction": 0.4,
    } | {name.replace("__", "."): score for name, score in scores.items()}  # fmt: skip


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        ({}, ""),
        ({"probe__source_duration": 121}, "duration"),
        ({"probe__min_side": 767}, "resolution"),
        ({"probe__aspect": 0.99}, "aspect"),
        ({"ocr__max_score": 0.6}, "text"),
        ({"borders__area_fraction": 0.1}, "border"),
        ({"probe__duration": 11.9}, "scene_change"),
        ({"aesthetic__middle": 3.99}, "aesthetics"),
        ({"still__freeze_fraction": 0.6}, "static"),
        ({"still__picture_fraction": 1.0}, "slideshow"),
        ({"motion__px_per_frame": 0.5}, "motion_vector"),
        ({"motion__vmaf": 2.0}, "motion"),
        ({"jitter__shots_per_second": 0.85}, "jitter"),
    ],
)
def test_the_papers_bounds(repo_root, scores, reason):
    rules = load_rules(repo_root / "configs" / "curation" / "filter" / "paper.yaml")
    assert decide(paper_clip(**scores), rules).reason == reason


@pytest.mark.parametrize("name", ["paper", "demo"])
def test_our_rules_ask_for_metrics_that_a_detector_yields(repo_root, name):
    from curation.detectors import DETECTORS, load_class

    metrics = {m for detector in DETECTORS for m in load_class("detector", detector, DETECTORS).metrics}
    assert {rule.metric for rule in load_rules(repo_root / f"configs/curation/filter/{name}.yaml")} <= metrics


def test_a_bare_list_is_rules_too(tmp_path):
    (tmp_path / "list.yaml").write_text("- {name: green, metric: green.fraction, min: 0.2}\n")
    (tmp_path / "key.yaml").write_text("rules:\n- {name: green, metric: green.fraction, min: 0.2}\n")
    assert (
        load_rules(tmp_path / "list.yaml")
        == load_rules(tmp_path / "key.yaml")
        == [Rule("green", "green.fraction", 0.2)]
    )


score_near_the_bounds = {
    "probe.source_duration": st.floats(0, 240), "probe.min_side": st.integers(300, 1100), "probe.aspect": st.floats(0.5, 2),
    "ocr.max_score": st.floats(0, 1), "borders.area_fraction": st.floats(0, 0.02), "probe.duration": st.floats(4, 20),
    "aesthetic.middle": st.floats(1, 9), "still.freeze_fraction": st.floats(0, 1), "still.picture_fraction": st.floats(0, 1),
    "motion.px_per_frame": st.floats(0, 9), "motion.vmaf": st.floats(0, 6), "jitter.shots_per_second": st.floats(0, 1.5),
}  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.fixed_dictionaries({}, optional=score_near_the_bounds), max_size=12))
def test_the_funnel_never_widens_and_each_rejection_has_its_reason_s_table_38(clips):
    rules = load_rules(PAPER_RULES)
    clips = [paper_clip() | clip for clip in clips]
    order = [r.name for r in rules]
    kept = [sum(decide(clip, rules[:n]).keep for clip in clips) for n in range(len(rules) + 1)]
    assert kept[0] == len(clips)
    assert all(after <= before for before, after in pairwise(kept))
    reasons = [decide(clip, rules).reason for clip in clips]
    for name, before, after in zip(order, kept, kept[1:], strict=False):
        assert reasons.count(name) == before - after  # each is counted once, at the first rule that it breaks
    assert reasons.count("") == kept[-1]


def test_the_papers_rules_stand_in_the_table_s_order_s_table_38():
    table = [rule.name for rule in load_rules(PAPER_RULES) if rule.name not in ("static", "slideshow")]
    assert table == [
        "duration", "resolution", "aspect", "text", "border", "scene_change", "aesthetics", "motion_vector", "motion", "jitter",
    ]  # fmt: skip
