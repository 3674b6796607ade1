"""The laboratory's oracles of pictures against takes whose truth is known, at the size that models are trained at: clean, blurred, noisy,
compressed. `benchmarks/world_oracles.py` asks the same of hundreds."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from moviegen.media.read import read_video
from moviegen.media.write import encode_clip
from moviegen.testing.lab.edits import shrink
from moviegen.testing.lab.identity import read_identity
from moviegen.testing.lab.pictures import take_frames
from moviegen.testing.lab.sight import CHANCE, judge_take
from moviegen.testing.lab.takes import FAMILIES, NUM_FACES, sample_take
from moviegen.testing.lab.words import parse_take, take_caption, take_prompts


def as_trained(take, num_frames=8):
    return shrink(take_frames(take, num_frames), 32, 32)


def blurred(frames):
    return np.stack([cv2.GaussianBlur(frame, (0, 0), 0.7) for frame in frames])


def noisy(frames):
    return (frames + np.random.default_rng(0).normal(0, 12, frames.shape)).clip(0, 255).astype(np.uint8)


def compressed(frames):
    return read_video(encode_clip(list(frames), Fraction(4), width=32, height=32, crf=28))


@pytest.mark.parametrize(
    "worse", [lambda frames: frames, blurred, noisy, compressed], ids=["clean", "blur", "noise", "mp4"]
)
@pytest.mark.parametrize("family", FAMILIES)
def test_everything_a_caption_says_is_read(family, worse):
    for seed in range(4):
        take = sample_take(np.random.default_rng([1, seed]), family)
        verdict = judge_take(take_caption(take), worse(as_trained(take)))
        assert verdict.answers
        assert all(verdict.answers.values()), (seed, verdict)


def test_a_picture_is_not_asked_for_motion():
    take = sample_take(3, "move")
    assert set(judge_take(take_caption(take), as_trained(take, 1)).answers) == {"colour", "shape"}


def test_a_wrong_prompt_is_found_out():
    for family, name in (("count", "count"), ("background", "background"), ("word", "word"), ("camera", "camera")):
        take = sample_take(5, family)
        frames, truth = as_trained(take), getattr(parse_take(take_caption(take)), name)
        others = [text for text in take_prompts(0, 40, family) if getattr(parse_take(text), name) != truth]
        assert others
        assert not any(judge_take(text, frames).answers[name] for text in others[:4])


def test_nothing_is_found_in_grey():
    verdict = judge_take('a red circle above "CAT"', np.full((8, 32, 32, 3), 120, np.uint8))
    assert not any(verdict.answers.values())


@pytest.mark.parametrize("family", FAMILIES)
def test_prompts_ask_for_every_answer_as_often(family):
    texts = take_prompts(2000, 240, family)
    assert len(texts) == 240
    said = [parse_take(text) for text in texts]
    name = {"move": "direction", "face": "direction"}.get(family, family)
    counts = np.unique([str(getattr(each, name)) for each in said], return_counts=True)[1]
    assert len(counts) == round(1 / CHANCE[name])
    assert counts.max() - counts.min() <= 1


def test_each_face_is_told_from_all_others():
    for face in range(NUM_FACES):
        take = sample_take(np.random.default_rng([2, face]), "face", face=face)
        assert read_identity(as_trained(take, 2)).face == face
        assert read_identity(noisy(blurred(as_trained(take, 2)))).face == face


def test_no_face_in_grey():
    assert read_identity(np.full((2, 32, 32, 3), 120, np.uint8)).face is None
