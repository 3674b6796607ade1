import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.audio_caption import audio_caption
from moviegen.contracts.audio_caption import (
    AudioCaption,
    decode_audio_caption,
    encode_audio_caption,
    tidy_description,
)

WORDS = st.text(min_size=1).map(tidy_description).filter(bool)
FIELDS = st.builds(
    AudioCaption,
    quality=st.integers(10, 100).map(lambda n: n / 10),
    has_speech=st.booleans(),
    has_singing=st.booleans(),
    sound=WORDS,
    music_probability=st.integers(0, 100).map(lambda n: n / 100),
    music=WORDS,
)
TAGS = {"Dog": 0.9, "Bark": 0.8, "Speech": 0.1, "Singing": 0.0, "Music": 0.05, "Piano": 0.02, "Inside, small room": 0.7}


class TestTemplate:
    def test_the_papers_words(self):
        """The sentences of Table 26 that deny, word for word."""
        text = encode_audio_caption(AudioCaption(7.0, False, False, "gentle waves", 0.01, "calm piano"))
        assert text == (
            "This audio has quality: 7.0. This audio does not contain speech. This audio does not contain vocal singing. "
            'This audio has a description: "gentle waves". This audio contains music with a 0.01 likelihood. '
            'This audio has a music description (if applicable): "calm piano".'
        )

    @given(FIELDS)
    def test_there_and_back(self, fields):
        assert decode_audio_caption(encode_audio_caption(fields)) == fields

    @given(st.floats(1, 10), st.floats(0, 1))
    def test_rounding_is_all_that_is_lost(self, quality, probability):
        fields = AudioCaption(quality, True, False, "rain", probability, "music")
        text = encode_audio_caption(fields)
        back = decode_audio_caption(text)
        assert abs(back.quality - quality) <= 0.05 + 1e-9
        assert abs(back.music_probability - probability) <= 0.005 + 1e-9
        assert encode_audio_caption(back) == text

    @given(FIELDS, FIELDS)
    def test_two_texts_are_alike_only_when_their_fields_are(self, one, other):
        assert (encode_audio_caption(one) == encode_audio_caption(other)) == (one == other)

    @pytest.mark.parametrize(
        "change",
        [
            lambda text: text + " ",
            lambda text: text.replace("7.0", "7"),
            lambda text: text.replace("does not contain speech", "lacks speech"),
            lambda text: text.replace('"waves"', '"the "waves"'),
            lambda text: "A dog barks.",
        ],
    )
    def test_no_other_text_is_read(self, change):
        text = encode_audio_caption(AudioCaption(7.0, False, False, "waves", 0.01, "piano"))
        with pytest.raises(ValueError, match="no audio caption"):
            decode_audio_caption(change(text))

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"quality": 0.9}, "quality is 0.9"),
            ({"quality": float("nan")}, "quality is nan"),
            ({"music_probability": 1.1}, "music_probability is 1.1"),
            ({"sound": 'a "bang"'}, "wanted \"a 'bang'\""),
            ({"music": ""}, "wanted 'words'"),
            ({"has_speech": "no"}, "has_speech is 'no', wanted a bool"),
            ({"sound": None}, "sound is None, wanted a str"),
        ],
    )
    def test_refusals(self, fields, message):
        good = {"quality": 5.0, "has_speech": True, "has_singing": True, "sound": "x", "music_probability": 0.5}
        with pytest.raises(ValueError, match=message):
            AudioCaption(**{**good, "music": "y", **fields})


class TestFromTags:
    def test_a_dog(self):
        assert audio_caption(TAGS, 6.34) == AudioCaption(6.3, False, False, "dog; bark", 0.05, "music; piano")

    def test_voice(self):
        found = audio_caption(TAGS | {"Male speech, man speaking": 0.6, "Rapping": 0.4}, 5)
        assert (found.has_speech, found.has_singing) == (True, True)
        assert found.sound == "dog; bark; male speech, man speaking; rapping"

    @pytest.mark.parametrize(("answer", "written"), [(11.3, 10.0), (-2.0, 1.0), (4.26, 4.3)])
    def test_quality_is_brought_into_its_scale(self, answer, written):
        assert audio_caption(TAGS, answer).quality == written

    def test_nothing_is_said_of_silence(self):
        assert audio_caption(TAGS | {"Silence": 0.95}, 5) is None
        assert audio_caption(dict.fromkeys(TAGS, 0.01), 5) is None

    def test_a_tagger_that_knows_no_music_is_refused(self):
        with pytest.raises(ValueError, match="no label for music, singing"):
            audio_caption({"Dog": 0.9, "Speech": 0.1}, 5)
