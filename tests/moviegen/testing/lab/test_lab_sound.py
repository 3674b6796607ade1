"""Bounces that are heard: found at their times and of their material, clean and noisy; other rhythms are not; seams that stand out."""

import numpy as np
import pytest

from moviegen.testing.lab.sound import (
    MATERIALS,
    SAMPLE_RATE,
    chance_onsets,
    hear,
    material_of,
    read_seams,
    render_bounces,
    sample_bounce,
)
from moviegen.testing.scene import bounce_times


@pytest.mark.parametrize("noise", [0.0, 0.01])
@pytest.mark.parametrize("material", MATERIALS)
def test_onsets_and_material(material, noise):
    for seed in range(5):
        scene = sample_bounce(np.random.default_rng([1, seed]), material).scene
        sound = render_bounces(scene)[0]
        sound = sound + np.random.default_rng(seed).normal(0, noise or 1e-9, sound.shape)
        heard = hear(sound, bounce_times(scene))
        assert (heard.onsets, heard.material) == (1.0, material_of(scene)), (seed, heard)


def test_a_sound_too_late_or_too_many_is_wrong():
    scene = sample_bounce(1).scene
    times, sound = bounce_times(scene), render_bounces(scene)[0]
    late = np.roll(sound, round(0.1 * SAMPLE_RATE))
    assert hear(late, times).num_matched == 0
    assert hear(np.roll(sound, round(0.06 * SAMPLE_RATE)), times).onsets == 1
    both = hear(sound + np.roll(sound, round(0.25 * SAMPLE_RATE)), times)
    assert both.num_matched == len(times)
    assert both.onsets <= 0.6
    silent = hear(np.zeros_like(sound), times)
    assert (silent.onsets, silent.material) == (0, None)


def test_another_films_sound_is_right_by_chance_alone():
    assert chance_onsets([sample_bounce(np.random.default_rng([1, i])) for i in range(60)]) < 0.4


def test_seams_that_are_heard_and_some_that_are_not():
    steady = np.random.default_rng(0).normal(0, 0.1, 20 * SAMPLE_RATE)
    seams = [2.0, 5.0, 8.0, 11.0, 14.0, 17.0]
    assert read_seams(steady, seams).p_value > 0.01
    cut = steady.copy()
    for seam in seams:
        cut[round(seam * SAMPLE_RATE) :][:8] += 0.9
    heard = read_seams(cut, seams)
    assert heard.p_value < 0.01
    assert heard.rank > 0.95
    with pytest.raises(ValueError, match="inside of a sound"):
        read_seams(steady, [25.0])
