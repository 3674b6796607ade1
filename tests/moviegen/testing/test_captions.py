"""Captions say what is shown and can be read back; prompts are evenly spread."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviegen.testing.captions import caption, parse_caption, prompts
from moviegen.testing.scene import sample_scene


@given(st.integers(0, 10**6))
def test_parse_is_the_inverse_of_caption(seed):
    scene = sample_scene(seed)
    words = parse_caption(caption(scene))
    assert words == {name: getattr(scene, name) for name in ("colour", "shape", "action", "direction", "camera")}


def test_captions_read_like_english():
    scene = sample_scene(0, colour="red", shape="circle", direction="left", camera="static")
    assert caption(scene) == "a red circle moves left"
    panned = sample_scene(0, colour="blue", shape="star", direction="up", camera="pan right")
    assert caption(panned) == "a blue star moves up while the camera pans right"
    still = sample_scene(0, colour="cyan", shape="square", action="stays still", camera="zoom in")
    assert caption(still) == "a cyan square stays still while the camera zooms in"


@pytest.mark.parametrize(
    "text", ["", "a dog runs", "a red circle moves", "a red circle bounces left", "a pink star appears"]
)
def test_other_texts_are_refused(text):
    with pytest.raises(ValueError, match="is no caption"):
        parse_caption(text)


@pytest.mark.parametrize("num_prompts", [4, 24, 64, 96, 200])
def test_prompts_are_evenly_spread_over_colours_shapes_and_directions(num_prompts):
    words = [parse_caption(text) for text in prompts(7, num_prompts)]
    assert len(words) == num_prompts
    for name, choices in (("colour", 6), ("shape", 4), ("direction", 4)):
        counts = Counter(w[name] for w in words)
        every = [counts[value] for value in counts] + [0] * (choices - len(counts))
        assert max(every) - min(every) <= 1, (name, counts)


def test_no_prompt_twice_before_all_have_come():
    assert len(set(prompts(0, 96))) == 96
    assert prompts(0, 96) == prompts(0, 96) != prompts(1, 96)
    assert prompts(0, 8) == prompts(0, 96)[:8]
