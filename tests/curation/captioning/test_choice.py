import random

import pytest

from curation.captioning.camera import WORDS, sure_motion, with_motion
from curation.captioning.choice import Rules, choose_captions, judge, similarity_metric, with_camera
from curation.captioning.cleaning import CleaningConfig
from curation.captioning.plan import read_plan
from curation.detectors.camera import CLASSES

GOOD = "A dog runs over a wide green meadow."
SERVED = {"captioner": "endpoint", "url": "http://127.0.0.1:1/v1", "model": "m"}
PLAN = read_plan({"a": SERVED, "b": SERVED, "template": {}})


def row(captioner, text, clip_id="c"):
    return {"clip_id": clip_id, "captioner": captioner, "text": text, "camera_motion": None, "captioner_version": "1"}


def texts(choice):
    return {clip_id: chosen["text"] for clip_id, chosen in choice.chosen.items()}


def test_the_first_fit_one_is_taken_and_every_other_has_a_reason():
    rows = [row("template", "A video."), row("b", GOOD), row("a", "I'm sorry, but I can't help with that.")]
    choice = choose_captions(PLAN, rows, {}, Rules())
    assert texts(choice) == {"c": GOOD}
    [rejected] = choice.rejected
    assert (rejected["captioner"], rejected["input_id"]) == ("a", "c")
    assert rejected["message"].startswith("refusal (I'm sorry): I'm sorry, but")


def test_captioners_that_are_no_models_are_taken_at_their_word():
    assert texts(choose_captions(PLAN, [row("template", "A video")], {}, Rules())) == {"c": "A video"}


def test_the_text_is_mended_and_the_table_keeps_what_was_written():
    written = row("a", f"The video shows {GOOD[0].lower()}{GOOD[1:]}")
    assert texts(choose_captions(PLAN, [written], {}, Rules())) == {"c": GOOD}
    assert texts(choose_captions(PLAN, [written], {}, Rules(CleaningConfig(enabled=False)))) == {"c": written["text"]}


def test_similarity_bounds_and_chooses():
    rows = [row("a", GOOD), row("b", "A cat sleeps on a red chair.")]
    scores = {"c": {similarity_metric("a"): 0.1, similarity_metric("b"): 0.3}}
    assert texts(choose_captions(PLAN, rows, scores, Rules())) == {"c": GOOD}
    assert texts(choose_captions(PLAN, rows, scores, Rules(choose="best"))) == {"c": rows[1]["text"]}
    bounded = choose_captions(PLAN, rows, scores, Rules(min_similarity=0.2))
    assert texts(bounded) == {"c": rows[1]["text"]}
    assert bounded.rejected[0]["message"].startswith("similarity (0.1000, wanted 0.2 or more): A dog")


def test_a_caption_that_was_not_judged_is_not_rejected_for_it():
    assert texts(choose_captions(PLAN, [row("a", GOOD)], {}, Rules(min_similarity=0.2))) == {"c": GOOD}


def test_a_clip_that_is_dealt_to_another_now_has_another_caption():
    mix = {"a": SERVED | {"share": 0.5}, "b": SERVED | {"share": 0.5}}
    clips = [f"{n:032x}" for n in range(40)]
    rows = [row(label, GOOD, clip_id) for label in "ab" for clip_id in clips]
    plan = read_plan(mix)
    chosen = choose_captions(plan, rows, {}, Rules()).chosen
    assert {c: r["captioner"] for c, r in chosen.items()} == {c: "a" if plan[0].takes(c) else "b" for c in clips}


class TestCamera:
    def test_the_sixteen_classes_have_the_papers_words(self):
        assert len(WORDS) == 16
        assert WORDS["arc"] == "arc shot"
        assert WORDS["pedestal_up"] == "pedestal up"

    @pytest.mark.parametrize("name", CLASSES)
    def test_only_what_is_sure_is_said(self, name):
        scores = {f"camera.{n}": 0.02 for n in CLASSES} | {f"camera.{name}": 0.6, "camera.speed": 9.0}
        assert sure_motion(scores, 0.6) == WORDS[name]
        assert sure_motion(scores, 0.61) is None

    def test_a_clip_without_scores_has_none(self):
        assert sure_motion({}, 0.0) is None

    def test_before_the_caption_and_in_its_own_column(self):
        found = with_camera(row("a", GOOD), {"camera.static": 0.9}, 0.5)
        assert (found["text"], found["camera_motion"]) == (f"Static shot. {GOOD}", "static shot")
        unsure = with_camera(row("a", GOOD) | {"camera_motion": "pan left"}, {"camera.static": 0.4}, 0.5)
        assert (unsure["text"], unsure["camera_motion"]) == (GOOD, None), "what a captioner thinks is not sure"
        assert with_camera(row("a", GOOD), {"camera.static": 0.9}, None) == row("a", GOOD)

    def test_is_not_said_twice(self):
        assert with_motion("Pan left over a harbour.", "pan left") == "Pan left over a harbour."


def brute_force(plan, rows, scores, rules):
    """What `choose_captions` must give, from all rows at once, clip by clip."""
    taken = {}
    for clip_id in {r["clip_id"] for r in rows}:
        fit = []
        for entry in plan:
            own = [r for r in rows if (r["clip_id"], r["captioner"]) == (clip_id, entry.label)]
            if own and entry.takes(clip_id):
                mended, reason, _ = judge(entry, own[0], scores.get(clip_id, {}), rules)
                similarity = scores.get(clip_id, {}).get(similarity_metric(entry.label), float("-inf"))
                fit += [] if reason else [(similarity, mended)]
        if fit:
            best = max(fit, key=lambda each: each[0])  # of equal ones the first
            taken[clip_id] = best[1] if rules.choose == "best" else fit[0][1]
    return taken


@pytest.mark.parametrize("choose", ["first", "best"])
def test_entry_by_entry_is_as_all_at_once(choose):
    rng = random.Random(choose)
    plan = read_plan(
        {"a": SERVED | {"share": 0.6, "temperature": 1.0, "captions": 2}, "b": SERVED | {"share": 0.4}, "template": {}}
    )
    texts = (GOOD, "A cat sleeps on a red chair.", "I'm sorry, but I can't help with that.", "", "ha " * 40)
    rows, scores = [], {}
    for clip_id in (f"{n:032x}" for n in range(60)):
        for entry in plan:
            if rng.random() < 0.8:
                rows.append(row(entry.label, rng.choice(texts), clip_id))
            if rng.random() < 0.7:
                scores.setdefault(clip_id, {})[similarity_metric(entry.label)] = rng.choice((0.1, 0.2, 0.3))
    rng.shuffle(rows)
    rules = Rules(min_similarity=0.2, choose=choose)
    found = choose_captions(plan, rows, scores, rules)
    assert found.chosen == brute_force(plan, rows, scores, rules)
    dealt = [r for r in rows if next(e for e in plan if e.label == r["captioner"]).takes(r["clip_id"])]
    assert len(found.rejected) == sum(
        bool(judge(next(e for e in plan if e.label == r["captioner"]), r, scores.get(r["clip_id"], {}), rules)[1])
        for r in dealt
    )
