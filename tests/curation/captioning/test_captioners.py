import numpy as np
import pytest

from curation.captioning import CAPTIONERS, captioner_version, load_captioner
from curation.captioning.base import Caption, Captioner
from curation.detectors import load_class
from moviegen.errors import UsageError


@pytest.mark.parametrize("name", CAPTIONERS)
def test_every_captioner_of_the_table_declares_itself(name):
    assert load_class("captioner", name, CAPTIONERS).name == name


class TestSource:
    def test_the_files_own_text_tidied(self, clip_input):
        captioner = load_captioner("source")
        assert isinstance(captioner, Captioner)
        assert captioner.caption(clip_input(video={"source_caption": " a red\n circle "})) == Caption("a red circle")

    @pytest.mark.parametrize("text", [None, "", " \n"])
    def test_nothing_where_there_is_none(self, clip_input, text):
        assert load_captioner("source").caption(clip_input(video={"source_caption": text})) is None


class TestTemplate:
    @pytest.mark.parametrize(
        ("facts", "text"),
        [
            ({"motion": 1.0, "luma": 100}, "A landscape video of 4.0 seconds, with slow motion."),
            ({"motion": 0.0, "luma": 20}, "A landscape video of 4.0 seconds, dark, with no motion."),
            ({"motion": 12.0, "luma": 220}, "A landscape video of 4.0 seconds, bright, with fast motion."),
            ({"motion": 4.0, "luma": 100, "size": (180, 320)}, "A portrait video of 4.0 seconds, with motion."),
            ({"motion": 4.0, "luma": 100, "size": (99, 99)}, "A square video of 4.0 seconds, with motion."),
        ],
    )
    def test_says_what_was_measured(self, clip_input, facts, text):
        width, height = facts.get("size", (320, 180))
        clip = clip_input(96, width=width, height=height, motion=[facts["motion"]] * 96, luma=[facts["luma"]] * 96)
        assert load_captioner("template").caption(clip) == Caption(text)

    def test_is_true_of_planted_films(self, film, clip_input):
        from curation.detectors.base import ClipInput

        for kind, words in (
            ("static", "with no motion"),
            ("black", "dark, with no motion"),
            ("good", "with slow motion"),
        ):
            made = film(kind, 0)
            clip, signals = made.clips()[0]
            assert words in load_captioner("template").caption(ClipInput(clip, made.video, signals)).text


def test_refusals():
    with pytest.raises(UsageError, match="no captioner 'sorce'; did you mean 'source'"):
        load_captioner("sorce")
    with pytest.raises(UsageError, match="captioner template: no parameter 'style'; it has none"):
        load_captioner("template", {"style": "x"})


def test_versions_tell_captioners_apart():
    assert len({captioner_version(load_captioner(name)) for name in ("source", "template")}) == 2
    assert np.unique([captioner_version(load_captioner("source")) for _ in range(2)]).size == 1
