import hashlib
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviegen.contracts.clip import Clip, clip_id_of, file_sha256, hash_id, pts_to_seconds, seconds_to_pts, video_id_of

time_bases = st.builds(Fraction, st.integers(1, 1001), st.integers(1, 90000))


@given(st.integers(-(2**40), 2**40), time_bases)
def test_pts_come_back_from_seconds(pts, time_base):
    assert seconds_to_pts(pts_to_seconds(pts, time_base), time_base) == pts


@given(st.fractions(min_value=0, max_value=7200), time_bases)
def test_seconds_to_pts_never_passes_the_time(seconds, time_base):
    pts = seconds_to_pts(seconds, time_base)
    assert pts_to_seconds(pts, time_base) <= seconds < pts_to_seconds(pts + 1, time_base)


@given(st.lists(st.one_of(st.text(), st.integers(), st.none(), st.booleans())))
def test_hash_id_depends_on_every_part_and_on_its_type(parts):
    assert hash_id(*parts) == hash_id(*parts)
    assert hash_id(*parts) != hash_id(*parts, "")
    assert hash_id("1") != hash_id(1)


def test_ids_are_those_of_the_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"movie")
    sha256 = file_sha256(tmp_path / "a")
    assert sha256 == hashlib.sha256(b"movie").hexdigest()
    assert video_id_of(sha256) == sha256[:32]
    with pytest.raises(ValueError, match="64"):
        video_id_of("abc")


def test_clip_id_changes_with_the_span_and_the_splitter():
    ids = {
        clip_id_of("v", 0, 10, "s"),
        clip_id_of("v", 0, 11, "s"),
        clip_id_of("v", 0, 10, "t"),
        clip_id_of("w", 0, 10, "s"),
    }
    assert len(ids) == 4


def test_duration_is_exact_on_ntsc_time():
    clip = Clip("c", "v", 0, 1001, 1001 * 121, 1, 30000, 1, 120, 30000, 1001, 640, 360)
    assert clip.duration == float(Fraction(1001 * 120, 30000))
    assert clip.fps == Fraction(30000, 1001)


@pytest.mark.parametrize(("end", "frames", "word"), [(0, 5, "end_pts"), (10, 0, "num_frames")])
def test_an_empty_clip_is_refused(end, frames, word):
    with pytest.raises(ValueError, match=word):
        Clip("c", "v", 0, 0, end, 1, 25, 0, frames, 25, 1, 64, 64)
