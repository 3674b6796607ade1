"""The quick ways are the slow ones: what is asked before a pattern never hides what it would find."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.captioning import phrases, repetition, sentences

RARE = {name: found for name, found in vars(phrases).items() if isinstance(found, phrases.Phrases)}
PIECES = (
    "I'm sorry,", "I can’t", "taxi cannot", "As an AI model", "as a large language", "no video was provided", "no files are",
    "the clip cannot be described", "the image shows", "collage of", "these frames", "throughout this photo", "https://x", "www.x",
    "```", "user:", '" : "', "{ \"", "[INST]", "<|eot", "[insert name]", "content policy", "please provide", "could you resend",
    "not possible to view", "Unfortunately", "A dog runs.", "İ am", "ſorry", "poſſible", "K", "on the old", "Dr.", "approx.", "with the",
)  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), max_size=6).map(" ".join)


def test_all_rare_phrases_are_known():
    assert set(RARE) == {"MARKUP", "REFUSAL", "MEDIUM"}


@pytest.mark.parametrize("name", RARE)
@given(text=texts)
def test_a_pattern_is_looked_for_where_it_may_be(name, text):
    assert str(RARE[name].search(text)) == str(RARE[name].pattern.search(text))


@pytest.mark.parametrize("name", RARE)
def test_the_written_captions_too(name):
    for line in (Path(__file__).parent / "written_captions.jsonl").read_text().splitlines():
        text = json.loads(line)["text"]
        assert str(RARE[name].search(text)) == str(RARE[name].pattern.search(text))


@given(st.text("ab", max_size=60) | st.text(max_size=20).map(lambda text: "".join(text.split()) * 9))
def test_letters_that_come_round(text):
    assert repetition._comes_round(text) == (repetition._LETTERS.search(text) is not None)


@given(texts)
def test_the_end_tells_as_much_as_the_whole(text):
    assert (sentences._IN_THE_AIR.search(text) is None) == (sentences._IN_THE_AIR.search(text[-20:]) is None)
    assert (sentences._ABBREVIATION.search(text) is None) == (sentences._ABBREVIATION.search(text[-10:]) is None)
