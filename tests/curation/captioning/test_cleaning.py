"""The cleaner on 100 captions written by hand: one half it was written with, the other held out."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.captioning.cleaning import REASONS, CleaningConfig, clean, clean_all
from curation.captioning.repetition import is_repetitive
from curation.captioning.sentences import cut_to_words, num_words, split_sentences
from moviegen.testing.scene import sample_scene
from moviegen.testing.world import caption

CONFIG = CleaningConfig()
WRITTEN = [json.loads(line) for line in (Path(__file__).parent / "written_captions.jsonl").read_text().splitlines()]


def rated(half: str) -> tuple[float, float]:
    """(precision, recall) of rejection."""
    rejected = {True: Counter(), False: Counter()}
    for row in WRITTEN:
        if row["half"] == half:
            rejected[row["verdict"] == "reject"][bool(clean(row["text"], CONFIG).reason)] += 1
    caught, missed, wronged = rejected[True][True], rejected[True][False], rejected[False][True]
    return caught / (caught + wronged), caught / (caught + missed)


def test_there_are_a_hundred_of_every_kind_in_both_halves():
    assert len({row["text"] for row in WRITTEN}) == 100
    kinds = {
        half: {(r["verdict"], r.get("reason")) for r in WRITTEN if r["half"] == half} for half in ("tune", "held_out")
    }
    assert kinds["held_out"] <= kinds["tune"]
    assert sum(row["verdict"] == "reject" for row in WRITTEN) == 45


@pytest.mark.parametrize("half", ["tune", "held_out"])
def test_precision_and_recall(half):
    precision, recall = rated(half)
    assert precision >= 0.95
    assert recall >= 0.95


@pytest.mark.parametrize(
    "row", [row for row in WRITTEN if row["verdict"] != "reject"], ids=lambda row: row["text"][:40]
)
def test_good_ones_stay_as_they_are_and_others_are_mended(row):
    assert clean(row["text"], CONFIG).text == row.get("mended", row["text"])


@pytest.mark.parametrize(
    "row", [row for row in WRITTEN if row["verdict"] == "reject"], ids=lambda row: row["text"][:40]
)
def test_bad_ones_go_with_their_reason(row):
    found = clean(row["text"], CONFIG)
    assert (found.text, found.reason) == ("", row["reason"])
    assert found.detail


@pytest.mark.parametrize("seed", range(60))
def test_captions_of_the_toy_world_are_left_alone(seed):
    text = caption(sample_scene(seed, width=64, height=64, fps=10, duration=4.0))
    assert clean(text, CONFIG).text.rstrip(".") == text.rstrip(".")


@given(st.text(max_size=300))
def test_any_text_is_kept_or_has_a_reason_and_cleaning_again_changes_nothing(text):
    once = clean(text, CONFIG)
    assert bool(once.text) != bool(once.reason)
    assert once.reason in (*REASONS, "")
    if once.text:
        assert once.text == " ".join(once.text.split())
        assert clean(once.text, CONFIG).reason == "" or "\n" in text


def test_too_long_ends_with_a_whole_sentence():
    sentences = [row["text"] for row in WRITTEN if row["verdict"] == "keep"][:8]
    cut = clean(" ".join(sentences), CleaningConfig(max_words=95)).text
    assert 60 < num_words(cut) <= 95
    assert " ".join(sentences).startswith(cut)
    assert cut.endswith(".")


def test_language_may_be_any():
    text = "Ein Mann geht mit seinem Hund am Strand spazieren, und die Sonne geht unter."
    assert clean(text, CONFIG).reason == "language"
    assert clean(text, CleaningConfig(language="any")).text == text


def test_bounds_that_make_no_sense():
    with pytest.raises(ValueError, match="min_words is 9, max_words 9"):
        CleaningConfig(min_words=9, max_words=9)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("A dog runs. It barks! Why?", ["A dog runs.", "It barks!", "Why?"]),
        ("Dr. Smith waves. Mr. Jones does not.", ["Dr. Smith waves.", "Mr. Jones does not."]),
        ("It is 3.5 m long. then more", ["It is 3.5 m long. then more"]),
        ('He says "Stop." She stops.', ['He says "Stop."', "She stops."]),
        ("", []),
    ],
)
def test_sentences(text, sentences):
    assert split_sentences(text) == sentences


def test_a_single_sentence_that_is_too_long_is_cut_in_it():
    assert cut_to_words("one two three four", 2) == "one two"


@pytest.mark.parametrize(
    "text",
    ["Higher and higher and higher it flies.", "Very, very slow.", "A cat. A dog. A cat.", "10 10 20 20", "Hmmm, mmmm"],
)
def test_what_people_repeat_is_no_circle(text):
    assert is_repetitive(text) is None


def test_on_all_cores_it_is_the_same():
    texts = [row["text"] for row in WRITTEN]
    assert clean_all(texts, CONFIG, many=1) == clean_all(texts, CONFIG) == [clean(text, CONFIG) for text in texts]
