from types import SimpleNamespace

import pytest

from curation.detectors.base import AudioRequest, FrameRequest
from curation.filters import Decision, Rule
from curation.jobs.filter import BUCKET_RULE, changed_rules, choose_sounds, in_bucket, rule_rows, told
from curation.jobs.score import is_explored, order_detectors
from curation.sound_buckets import SoundConfig
from curation.verdicts import decide, survivors
from moviegen.contracts.bucket import PAPER_ASPECTS, BucketSet, DurationBucket
from moviegen.contracts.clip import Clip, hash_id
from moviegen.errors import UsageError

RULES = [
    Rule("text", "ocr.max_score", max=0.6),
    Rule("motion", "motion.vmaf", min=2.0),
    Rule("aesthetics", "aesthetic.middle", min=4.0, if_missing="keep"),
]
BUCKETS = BucketSet(PAPER_ASPECTS, (DurationBucket(4.0, 16.0, 128),))


def test_the_first_rule_that_does_not_hold_is_the_reason():
    decision = decide({"ocr.max_score": 0.9, "motion.vmaf": 0.0}, RULES)
    assert (decision.keep, decision.reason) == (False, "text")


def test_a_cheap_rejection_needs_no_costly_score():
    decision = decide({"motion.vmaf": 0.0}, RULES)
    assert (decision.keep, decision.reason) == (False, "motion")


def test_a_clip_that_nothing_rejects_needs_every_score():
    with pytest.raises(UsageError, match="ocr"):
        decide({"motion.vmaf": 5.0}, RULES)


def test_a_failed_detector_fails_the_clip_and_not_the_run():
    assert decide({"motion.vmaf": 5.0}, RULES, {"ocr"}) is None
    assert decide({"motion.vmaf": 0.0}, RULES, {"ocr"}).reason == "motion"


def test_a_skipped_rule_is_told():
    decision = decide({"ocr.max_score": 0.0, "motion.vmaf": 5.0}, RULES)
    assert (decision.keep, decision.skipped) == (True, ("aesthetics",))


def test_what_is_known_decides_who_is_still_alive():
    assert survivors({"new": {}, "still": {"motion.vmaf": 0.0}, "moves": {"motion.vmaf": 2.0}}, RULES) == [
        "new",
        "moves",
    ]
    assert survivors({}, RULES) == []


@pytest.mark.parametrize(("seconds", "keep"), [(3, False), (4, True), (15, True), (16, False)])
def test_a_clip_in_no_bucket_is_rejected_for_it(seconds, keep):
    clip = Clip("c", "v", 0, 0, seconds, 1, 1, 0, 10, 10, 1, 64, 64)
    decision = in_bucket(Decision(True), clip, BUCKETS)
    assert (decision.keep, decision.reason) == (keep, "" if keep else BUCKET_RULE)


def test_the_rules_table_is_the_funnel_in_order():
    rows = rule_rows(RULES, "s")
    assert [row["rule"] for row in rows] == ["text", "motion", "aesthetics", BUCKET_RULE]
    assert [row["position"] for row in rows] == [0, 1, 2, 3]


def test_the_explored_share_is_about_right_and_grows_with_the_fraction():
    ids = [hash_id(i) for i in range(4000)]
    tenth = {clip_id for clip_id in ids if is_explored(clip_id, 0.1)}
    assert 300 < len(tenth) < 500
    assert tenth <= {clip_id for clip_id in ids if is_explored(clip_id, 0.3)}
    assert not any(is_explored(clip_id, 0.0) for clip_id in ids)
    assert all(is_explored(clip_id, 1.0) for clip_id in ids)


def test_detectors_without_a_file_go_together_then_the_cheapest():
    detectors = {
        "slow": SimpleNamespace(frames=FrameRequest("spread", 4), cost=9.0),
        "a": SimpleNamespace(frames=FrameRequest(), cost=1.0),
        "quick": SimpleNamespace(frames=FrameRequest("middle"), cost=2.0),
        "hears": SimpleNamespace(frames=FrameRequest(audio=AudioRequest()), cost=3.0),
        "b": SimpleNamespace(frames=FrameRequest(), cost=5.0),
    }
    assert order_detectors(detectors) == [["a", "b"], ["quick"], ["hears"], ["slow"]]


class TestSound:
    HEARD = frozenset({"sound_tags", "sync"})

    def choose(self, scores, failed=None, detectors=HEARD):
        batch = SimpleNamespace(scores=scores, failed_detectors=failed or {})
        kept = [{"subset": "s", "clip_id": clip_id, "keep": True, "reason": "", "detail": ""} for clip_id in scores]
        lost = {"subset": "s", "clip_id": "lost", "keep": False, "reason": "text", "detail": "x"}
        rows = {"rules": rule_rows(RULES, "s"), "selection": [*kept, lost]}
        return choose_sounds(rows, batch, SoundConfig(), detectors)

    def test_what_belongs_to_the_picture_is_kept(self):
        voice = {"sound_tags.speech": 0.9}
        rows = self.choose({"seen": voice | {"sync.cosine": 0.3}, "dubbed": voice | {"sync.cosine": 0.1}, "mute": {}})
        found = {row["clip_id"]: (row["keep"], row["reason"]) for row in rows["selection"]}
        assert found == {
            "seen": (True, ""), "dubbed": (False, "sound_bucket"), "mute": (False, "sound_bucket"), "lost": (False, "text"),
        }  # fmt: skip
        assert [row["rule"] for row in rows["rules"]][-2:] == [BUCKET_RULE, "sound_bucket"]
        assert [row["position"] for row in rows["rules"]] == list(range(5))

    def test_a_clip_whose_sound_could_not_be_measured_failed(self):
        rows = self.choose({"broken": {}, "fine": {"sound_tags.sound": 0.9, "sync.cosine": 0.3}}, {"broken": {"sync"}})
        assert [row["clip_id"] for row in rows["selection"]] == ["fine", "lost"]

    def test_somebody_must_measure_it(self):
        with pytest.raises(UsageError, match=r"score\.detectors has no sync"):
            self.choose({}, detectors={"sound_tags"})


class TestWhatIsSaid:
    """Whoever moves a bound is told that the filter has seen it, and what it did."""

    def rows(self, kept, rules=RULES):
        selection = [{"clip_id": name, "keep": name in kept} for name in "abcd"]
        return {"rules": rule_rows(rules, "s"), "selection": selection}

    def test_the_first_time(self):
        assert told({"rules": [], "selection": []}, self.rows("ab"), 4, "s", True, False) == "2 of 4 clips kept for s"

    def test_nothing_has_changed(self):
        rows = self.rows("ab")
        assert told(rows, rows, 4, "s", False, False) == "2 of 4 clips kept for s, nothing to do"

    def test_a_rule_has_changed(self):
        rules = [RULES[0], Rule("motion", "motion.vmaf", min=3.0), RULES[2]]
        words = ": 2 go, 1 come; rules changed: motion was motion.vmaf >= 2, is motion.vmaf >= 3"
        before, now = self.rows("abc"), self.rows("ad", rules)
        assert told(before, now, 4, "s", True, False) == f"2 of 4 clips kept for s{words}"
        assert told(before, now, 4, "s", True, True) == f"would keep 2 of 4 clips for s{words}"

    def test_the_same_rules_on_other_scores(self):
        text = told(self.rows("ab"), self.rows("a"), 4, "s", True, False)
        assert text.endswith("1 go, 0 come; the rules are the same, what they see has changed")

    def test_rules_come_go_and_move(self):
        before = rule_rows(RULES, "s")
        assert changed_rules(before, before) == []
        assert changed_rules(before, rule_rows(RULES[:2], "s")) == ["aesthetics is gone"]
        assert changed_rules(rule_rows(RULES[:2], "s"), before) == ["aesthetics is new (aesthetic.middle >= 4)"]
        assert changed_rules(before, rule_rows(RULES[::-1], "s")) == ["their order"]
        strict = Rule("aesthetics", "aesthetic.middle", min=4.0, if_missing="reject")
        assert changed_rules(before, rule_rows([*RULES[:2], strict], "s")) == ["aesthetics has if_missing: reject"]
