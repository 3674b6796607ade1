"""The score by which the best of several sounds is kept: sound that begins when the picture jumps wins."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from moviegen.errors import UsageError
from moviegen.pipelines.sound_film import best_candidate, film_of_array
from moviegen.pipelines.sound_score import find_jumps, score_of, sync_score

RATE, FPS = 8000, Fraction(25)
MOMENTS = (0.8, 2.0, 3.2)


def blinking() -> np.ndarray:
    """Four seconds in which the picture changes at MOMENTS and shimmers a little all the time."""
    frames = np.random.default_rng(0).integers(0, 4, (100, 24, 24, 3)).astype(np.uint8)
    for moment in MOMENTS:
        frames[round(moment * FPS) :] += 60
    return frames


def clicks(moments) -> np.ndarray:
    """Bursts of noise that die away."""
    samples, rng = np.zeros(4 * RATE, np.float32), np.random.default_rng(1)
    for moment in moments:
        start = round(moment * RATE)
        samples[start : start + 800] = 0.5 * rng.standard_normal(800) * np.exp(-np.arange(800) / 150)
    return samples


def test_jumps_are_found_where_they_are():
    assert find_jumps(film_of_array(blinking(), FPS)) == pytest.approx(MOMENTS)
    assert len(find_jumps(film_of_array(np.full((50, 24, 24, 3), 7, np.uint8), FPS))) == 0


def test_sound_in_step_scores_higher_than_sound_out_of_step_and_silence():
    score = sync_score(np.array(MOMENTS))
    scores = [score(clicks(m), RATE) for m in (MOMENTS, (0.3, 1.4, 2.6), MOMENTS[:1])]
    assert scores[0] == 1
    assert scores[1] == 0
    assert 0 < scores[2] < 1
    assert score(np.zeros(RATE, np.float32), RATE) == 0


def test_the_best_is_the_first_of_the_highest_and_no_number_is_the_lowest():
    assert best_candidate([0.1, 0.7, 0.7]) == 1
    assert best_candidate([float("nan"), 0.0]) == 1
    assert best_candidate([float("nan")] * 2) == 0


def test_a_model_of_one_s_own_is_asked(tmp_path):
    class Loudness(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.square().mean()

    torch.jit.script(Loudness()).save(tmp_path / "loud.pt")
    score = score_of(str(tmp_path / "loud.pt"), None)
    assert score(clicks(MOMENTS), RATE) > score(0.1 * clicks(MOMENTS), RATE) > 0
    with pytest.raises(UsageError, match="compares sound and picture"):
        score_of("sync", None)
