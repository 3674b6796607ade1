"""What is put in front of a prompt, and what is taken out of it."""

from fractions import Fraction

import pytest

from moviegen.prompts import quoted_text, with_fps


@pytest.mark.parametrize(
    ("fps", "camera", "expected"),
    [
        (16, None, "FPS-16. a cat"),
        (Fraction(24000, 1001), None, "FPS-24. a cat"),
        (24, "pan left.", "FPS-24. pan left. a cat"),
        (Fraction(16, 5), "", "FPS-3. a cat"),
    ],
)
def test_the_frame_rate_comes_first_then_the_camera(fps, camera, expected):
    assert with_fps(" a cat\n", fps, camera) == expected


def test_no_frame_rate_is_refused():
    with pytest.raises(ValueError, match="more than 0"):
        with_fps("a cat", 0)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ('a sign that says "open"', "open"),
        ('"HELLO" beside “World”, «été»', "HELLO\nWorld\nété"),
        ("it's a cat's hat", ""),
        ('an empty "" and an open "end', ""),
        ("", ""),
    ],
)
def test_only_quoted_strings_are_visible_text(prompt, expected):
    assert quoted_text(prompt) == expected
