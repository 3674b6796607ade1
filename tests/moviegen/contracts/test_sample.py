import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviegen.contracts.audio_caption import AudioCaption
from moviegen.contracts.sample import SampleMeta, decode_meta, decode_sample, encode_meta, encode_sample

KEY = "0123456789abcdef" * 2
metas = st.builds(
    SampleMeta,
    clip_id=st.text("0123456789abcdef", min_size=32, max_size=32),
    video_id=st.text(max_size=8),
    subset=st.text(max_size=8),
    bucket=st.just("16x9-f128"),
    start_pts=st.integers(),
    end_pts=st.integers(),
    tb_num=st.integers(1),
    tb_den=st.integers(1),
    num_frames=st.integers(1),
    fps_num=st.integers(1),
    fps_den=st.integers(1),
    width=st.integers(1),
    height=st.integers(1),
    duration=st.floats(allow_nan=False, allow_infinity=False),
    has_audio=st.booleans(),
    captioner=st.text(),
    camera_motion=st.none() | st.text(),
    scores=st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False)),
)


@given(metas)
def test_meta_comes_back(meta):
    assert decode_meta(encode_meta(meta)) == meta


@given(metas, st.text(), st.binary(), st.sampled_from(["mp4", "jpg", "flac"]))
def test_sample_comes_back(meta, caption, media, suffix):
    assert decode_sample(encode_sample(meta, caption, media, suffix)) == (meta, caption, media, suffix)


def meta_of(**changes) -> SampleMeta:
    values = {
        "clip_id": KEY,
        "video_id": "v",
        "subset": "s",
        "bucket": "1x1-f16",
        "start_pts": 0,
        "end_pts": 9,
        "tb_num": 1,
        "tb_den": 25,
        "num_frames": 9,
        "fps_num": 25,
        "fps_den": 1,
        "width": 64,
        "height": 64,
        "duration": 0.36,
        "has_audio": False,
        "captioner": "source",
    }
    return SampleMeta(**(values | changes))


@pytest.mark.parametrize("key", ["../../etc/x", "A" * 32, KEY + "\n", ""])
def test_keys_that_are_paths_are_refused(key):
    with pytest.raises(ValueError, match="32 hex digits"):
        meta_of(clip_id=key)


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match=r"ocr\.max_score"):
        meta_of(scores={"ocr.max_score": float("nan")})


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (b"[]", "object"),
        (b"{", "json"),
        (b"\xff", "json"),
        (b'{"clip_id": "x"}', "missing"),
        (b'{"colour": 1}', "colour"),
    ],
)
def test_meta_of_others_is_refused(text, word):
    with pytest.raises(ValueError, match=word):
        decode_meta(text)


def test_a_newer_format_is_refused():
    values = json.loads(encode_meta(meta_of())) | {"format": 99}
    with pytest.raises(ValueError, match="format 99"):
        decode_meta(json.dumps(values).encode())


@pytest.mark.parametrize("extra", ["pyd", "pickle", "pth", "py"])
def test_members_that_could_run_code_are_refused(extra):
    members = encode_sample(meta_of(), "a", b"b") | {extra: b"x"}
    with pytest.raises(ValueError, match=extra):
        decode_sample(members)


class TestAudioCaption:
    HEARD = AudioCaption(6.3, True, False, 'a dog, "Rex"'.replace('"', "'"), 0.05, "music; piano")

    def test_comes_back(self):
        meta = meta_of(audio_caption=self.HEARD, audio_captioner="audio_template")
        assert decode_meta(encode_meta(meta)) == meta

    def test_samples_without_one_keep_their_bytes(self):
        """Tars written before there were audio captions are read, and written again to the same bytes."""
        before = b'"audio'
        assert before not in encode_meta(meta_of())
        values = json.loads(encode_meta(meta_of()))
        assert decode_meta(json.dumps(values).encode()) == meta_of()

    @pytest.mark.parametrize(
        ("odd", "word"),
        [({"quality": 11.0}, "quality is 11.0"), ({"tune": "x"}, "tune"), ({"has_speech": 1}, "has_speech is 1")],
    )
    def test_odd_fields_are_refused(self, odd, word):
        values = json.loads(encode_meta(meta_of(audio_caption=self.HEARD, audio_captioner="a")))
        values["audio_caption"] |= odd
        with pytest.raises(ValueError, match=word):
            decode_meta(json.dumps(values).encode())

    def test_an_audio_caption_has_somebody_who_wrote_it(self):
        with pytest.raises(ValueError, match="go together"):
            meta_of(audio_caption=self.HEARD)
