"""The score by which the best of several sounds is kept: sound that begins when the picture jumps wins."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from moviegen.errors import UsageError
from moviegen.pipelines.sound_film import best_candidate, film_of_array
from moviegen.pipelines.sound_rank import QUALITY_MODEL, SYNC_MODEL, normalized, rank_scores
from moviegen.pipelines.sound_score import find_jumps, score_of, sync_score
from moviegen.testing.sound_models import Loudness, save_script

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


def test_models_rank_by_the_sum_of_what_each_says_over_its_spread(tmp_path):
    """Sound that swells with the picture points the same way as it."""
    quality = save_script(Loudness(), tmp_path / "quality.pt")
    sync = save_script(Swelling(), tmp_path / "sync.pt")
    bright = np.repeat(np.array([20, 120, 240], np.uint8), 32)[:, None, None, None] * np.ones((1, 24, 24, 3), np.uint8)
    film = film_of_array(bright, Fraction(24))
    time = np.arange(4 * RATE) / RATE
    tone = np.sin(2 * np.pi * 300 * time).astype(np.float32)
    swelling, fading = 0.2 * tone * time / 4, 0.2 * tone * (1 - time / 4)
    sounds = [swelling, fading, 4 * fading]
    synced = rank_scores(sounds, RATE, film, {SYNC_MODEL: sync})
    assert synced[0] > max(synced[1:])
    assert synced[1] == pytest.approx(synced[2], abs=1e-3)
    good = rank_scores(sounds, RATE, film, {QUALITY_MODEL: quality})
    assert np.argmax(good) == 2
    both = rank_scores(sounds, RATE, film, {SYNC_MODEL: sync, QUALITY_MODEL: quality})
    np.testing.assert_allclose(both, np.add(synced, good))
    assert normalized([3.0, 3.0]).tolist() == [0, 0]
    assert normalized([1.0, 3.0]).tolist() == [-1, 1]
    with pytest.raises(UsageError, match="wanted frames"):
        rank_scores(sounds, RATE, film, {SYNC_MODEL: save_script(Both(), tmp_path / "both.pt")})


class Swelling(torch.nn.Module):
    """How bright and how loud: in the first half, in the second."""

    def forward(self, frames: torch.Tensor, samples: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen, heard = frames.mean(dim=(2, 3, 4)), samples.abs()
        first, second = seen.shape[1] // 2, samples.shape[1] // 2
        halves = [part.mean(dim=1) for part in (seen[:, :first], seen[:, first:], heard[:, :second], heard[:, second:])]
        return torch.stack(halves[:2], dim=1), torch.stack(halves[2:], dim=1)


class Both(torch.nn.Module):
    """Takes what a sync model takes, and gives one number."""

    def forward(self, frames: torch.Tensor, samples: torch.Tensor) -> torch.Tensor:
        return frames.mean() + samples.mean()
