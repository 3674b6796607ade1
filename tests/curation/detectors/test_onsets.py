import numpy as np
import pytest

from curation.detectors import load_detector
from curation.detectors.onsets import SAMPLE_RATE, find_onsets
from moviegen.media.audio import Sound, read_audio
from moviegen.testing.scene import bounce_times, sample_scene
from moviegen.testing.sound import render_audio

WITHIN_S = 0.02
"""An onset is found when it is this near."""


def clicks(times_s, seconds: float = 4.0, level: float = 0.5) -> np.ndarray:
    """(N,) of bursts of noise of 20 ms at these seconds."""
    samples = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    burst = np.random.default_rng(0).uniform(-level, level, SAMPLE_RATE // 50)
    for time_s in times_s:
        start = round(time_s * SAMPLE_RATE)
        samples[start : start + len(burst)] += burst[: len(samples) - start]
    return samples


@pytest.mark.parametrize("times_s", [[1.0], [0.1, 2.0], [0.5, 0.62, 3.0, 3.9]])
def test_bursts_are_found_where_they_are(times_s):
    np.testing.assert_allclose(find_onsets(clicks(times_s)), times_s, atol=WITHIN_S)


def test_bounces_of_the_toy_world():
    """Every bounce has a click, known to the sample, over a tone that fades in: no bounce missed, nothing else found."""
    for seed in range(30):
        scene = sample_scene(seed, action="bounces")
        found = find_onsets(render_audio(scene, SAMPLE_RATE)[0])
        np.testing.assert_allclose(found, bounce_times(scene), atol=WITHIN_S)


@pytest.mark.parametrize("kind", ["silence", "noise", "tone"])
def test_what_goes_on_has_no_onset_not_even_where_the_clip_begins(kind):
    time_s = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE
    noise = np.random.default_rng(0).normal(0, 0.05, len(time_s))
    samples = {"silence": 0 * time_s, "noise": noise, "tone": 0.3 * np.sin(2 * np.pi * 440 * time_s)}[kind]
    assert len(find_onsets(samples.astype(np.float32))) == 0


def test_a_delay_delays_them_all():
    sound = clicks([0.3, 1.1, 2.5])
    late = np.concatenate([np.zeros(round(0.4 * SAMPLE_RATE), np.float32), sound])
    np.testing.assert_allclose(find_onsets(late), find_onsets(sound) + 0.4, atol=WITHIN_S)


def test_sounds_shorter_than_a_window():
    for number in (0, 1, 100, 700):
        assert len(find_onsets(np.full(number, 0.5, np.float32))) <= 1


class TestScores:
    def score(self, clip_input, samples) -> dict[str, float]:
        return load_detector("onsets").score(clip_input(audio=Sound(samples[None], SAMPLE_RATE, "mono")))

    def test_rate_first_and_gap(self, clip_input):
        scores = self.score(clip_input, clicks([0.5, 1.0, 2.75]))
        assert scores["onsets.per_second"] == 0.75
        assert scores["onsets.first_s"] == pytest.approx(0.5, abs=WITHIN_S)
        assert scores["onsets.longest_gap_s"] == pytest.approx(1.75, abs=2 * WITHIN_S)

    def test_silence_has_no_first(self, clip_input):
        assert self.score(clip_input, clicks([])) == {"onsets.per_second": 0.0, "onsets.longest_gap_s": 4.0}

    def test_no_track_no_score(self, clip_input):
        assert load_detector("onsets").score(clip_input()) == {}


@pytest.mark.data
class TestRealSound:
    @pytest.fixture
    def onsets(self, media_dir):
        return lambda name: find_onsets(read_audio(media_dir / name, sample_rate=SAMPLE_RATE)[0])

    def test_dialogue_laid_400_ms_later(self, onsets, media_truth):
        """The same dialogue, its sound later by av_offset_s [truth.json]: every onset is, to 20 ms."""
        name = "composed/av_offset_plus400ms.mp4"
        plain, late = onsets("ai_ltx2_dialogue.mp4"), onsets(name)
        assert len(plain) > 10
        np.testing.assert_allclose(late, plain + media_truth[name]["av_offset_s"], atol=WITHIN_S)

    def test_silent_tracks_have_none(self, onsets):
        for name in ("composed/silent_audio.mp4", "sam2_dog.mp4", "sam2_blocks.mp4"):
            assert len(onsets(name)) == 0

    def test_barks_and_claps_begin_rain_goes_on(self, onsets, media_dir):
        seconds = {"dog.wav": 5.389, "applause.wav": 4.257, "rain.mp3": 60.5, "jfk_speech.flac": 11.0}
        rate = {name: len(onsets(f"audio/{name}")) / length for name, length in seconds.items()}
        assert rate["rain.mp3"] < 0.5 < rate["dog.wav"] < rate["jfk_speech.flac"] < rate["applause.wav"]
