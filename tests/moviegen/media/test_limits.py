"""Each limit refuses with both numbers, at the limit nothing is refused."""

from fractions import Fraction

import pytest

from moviegen.errors import MovieGenError
from moviegen.media.limits import MediaError, MediaLimits, RefusedMediaError, UnreadableMediaError


def test_at_the_limit_passes_above_it_is_refused() -> None:
    limits = MediaLimits(max_pixels=100, max_side_px=20, max_aspect=4, max_fps=30, max_duration_s=10, max_frames=5)
    limits.check_size("f", 20, 5)
    limits.check_rate("f", Fraction(30))
    limits.check_duration("f", 10.0)
    limits.check_frames("f", 5)
    for check, values, words in (
        (limits.check_size, (11, 10), "f: 11x10 is over the limit of 100 pixels"),
        (limits.check_size, (21, 4), "20 px a side"),
        (limits.check_size, (17, 4), "4 to 1"),
        (limits.check_rate, (Fraction(30001, 1000),), "30.001 frames per second, limit 30"),
        (limits.check_duration, (10.5,), "lasts 10.5 s, limit 10 s"),
        (limits.check_frames, (6,), "more than 5 frames"),
    ):
        with pytest.raises(RefusedMediaError, match=words):
            check("f", *values)


def test_a_frame_without_size_is_unreadable() -> None:
    with pytest.raises(UnreadableMediaError, match="0x5"):
        MediaLimits().check_size("f", 0, 5)


def test_limits_of_nothing_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="max_frames is 0"):
        MediaLimits(max_frames=0)
    with pytest.raises(ValueError, match="formats is empty"):
        MediaLimits(formats=())


def test_media_errors_are_errors_a_person_reads() -> None:
    assert issubclass(RefusedMediaError, MediaError)
    assert issubclass(MediaError, MovieGenError)
