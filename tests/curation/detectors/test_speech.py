import numpy as np
import pytest

from curation.detectors import load_detector
from curation.detectors.speech import CONTEXT, MAX_WINDOWS, SAMPLE_RATE, WINDOW, cut_windows
from moviegen.errors import UsageError
from moviegen.media.audio import Sound, read_audio

pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def speech():
    try:
        return load_detector("speech")
    except UsageError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def recording(media_dir):
    """`recording(name, seconds)`: (N,) of a file at the network's rate, repeated to that length."""

    def read(name: str, seconds: float | None = None) -> np.ndarray:
        samples = read_audio(media_dir / name, sample_rate=SAMPLE_RATE)[0]
        return samples if seconds is None else np.resize(samples, round(seconds * SAMPLE_RATE))

    return read


@pytest.fixture
def fraction(speech, clip_input):
    """`fraction(samples)`: share of speech in (N,) samples."""

    def measure(samples: np.ndarray) -> float:
        sound = Sound(samples[None].astype(np.float32), SAMPLE_RATE, "mono")
        return speech.score(clip_input(audio=sound))["speech.fraction"]

    return measure


def mix(speech: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """Speech with noise that many dB below it, at most 0.9."""
    scale = np.sqrt(np.mean(speech**2) / np.mean(noise**2)) * 10 ** (-snr_db / 20)
    mixed = speech + scale * noise
    return 0.9 * mixed / np.abs(mixed).max()


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("audio/jfk_speech.flac", 0.6, 0.8),  # a speech with long pauses
        ("ai_ltx2_dialogue.mp4", 0.6, 0.9),
        ("hamilton_stage.mp4", 0.9, 1.0),  # rap over a piano
        ("audio/rain.mp3", 0, 0.01),
        ("audio/applause.wav", 0, 0.01),
        ("audio/dog.wav", 0, 0.01),
        ("chaplin_pillarbox.mp4", 0, 0.01),  # piano
        ("bbb_0_30.webm", 0, 0.01),  # film score and birds
        ("composed/silent_audio.mp4", 0, 0),
        ("sam2_dog.mp4", 0, 0),
        ("realshort_1s.mp4", 0, 0.01),  # a quiet room
    ],
)
def test_real_sound(recording, fraction, name, low, high):
    assert low <= fraction(recording(name)) <= high


@pytest.mark.data
@pytest.mark.parametrize("snr_db", [10, 5, 0])
@pytest.mark.parametrize("noise", ["audio/rain.mp3", "audio/dog.wav"])
def test_speech_is_found_in_noise(recording, fraction, noise, snr_db):
    talk = recording("audio/jfk_speech.flac")
    mixed = mix(talk, recording(noise, 11)[: len(talk)], snr_db)
    assert fraction(mixed) == pytest.approx(fraction(talk), abs=0.05)


@pytest.mark.data
def test_applause_drowns_it_only_when_as_loud(recording, fraction):
    talk, noise = recording("audio/jfk_speech.flac"), recording("audio/applause.wav", 11)
    assert fraction(mix(talk, noise[: len(talk)], 5)) == pytest.approx(fraction(talk), abs=0.08)


@pytest.mark.data
def test_a_share_is_a_share(recording, fraction):
    """Eleven seconds of rain before and after the speech: a third of what the speech has alone."""
    talk, rain = recording("audio/jfk_speech.flac"), 0.1 * recording("audio/rain.mp3", 11)
    assert fraction(np.concatenate([rain, talk, rain])) == pytest.approx(fraction(talk) / 3, abs=0.02)


@pytest.mark.data
def test_every_window_as_silero_itself_says(recording, speech):
    """Against the package's own streaming network (TorchScript), a window at a time."""
    silero_vad, torch = pytest.importorskip("silero_vad"), pytest.importorskip("torch")
    samples = recording("audio/jfk_speech.flac")[: 200 * WINDOW]
    network = silero_vad.load_silero_vad()
    with torch.inference_mode():
        expected = [float(network(torch.from_numpy(w), SAMPLE_RATE)) for w in samples.reshape(-1, WINDOW)]
    np.testing.assert_allclose(speech.probabilities(samples), expected, atol=1e-3)


def test_what_is_no_speech_whatever_its_rhythm(fraction):
    time_s = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE
    syllables = 1 + np.sin(2 * np.pi * 4 * time_s)
    noise = np.random.default_rng(0).normal(0, 0.1, len(time_s))
    buzz = sum(np.sin(2 * np.pi * 150 * k * time_s) / k for k in range(1, 20))
    sounds = (0 * time_s, noise, noise * syllables, 0.1 * buzz * syllables, 0.3 * np.sin(2 * np.pi * 440 * time_s))
    assert [fraction(sound) for sound in sounds] == [0.0] * 5


def test_toy_world_beeps_are_no_speech(film, speech):
    from curation.scoring import score_clip

    made = film("good", 0)
    clip, signals = made.clips()[0]
    assert score_clip(speech, clip, made.video, signals) == {"speech.fraction": 0.0}


def test_no_track_no_number(speech, clip_input):
    assert speech.score(clip_input()) == {}


def test_long_sound_goes_in_pieces_and_gives_the_same(speech, monkeypatch):
    samples = np.random.default_rng(0).normal(0, 0.1, 40 * WINDOW + 7).astype(np.float32)
    whole = speech.probabilities(samples)
    monkeypatch.setattr("curation.detectors.speech.MAX_WINDOWS", 16)
    np.testing.assert_allclose(speech.probabilities(samples), whole, atol=1e-5)
    assert len(whole) == 41 < MAX_WINDOWS


def test_windows_follow_each_other_with_what_came_before():
    samples = np.arange(1, 2 * WINDOW + 2, dtype=np.float32)
    windows = cut_windows(samples)
    assert windows.shape == (3, CONTEXT + WINDOW)
    np.testing.assert_array_equal(windows[:, CONTEXT:].ravel()[: len(samples)], samples)
    np.testing.assert_array_equal(windows[1, :CONTEXT], windows[0, -CONTEXT:])
    assert not windows[0, :CONTEXT].any()
    assert not windows[2, CONTEXT + 1 :].any()


def test_without_the_package_it_says_how_to_get_it(monkeypatch):
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "silero_vad" else find(name))
    with pytest.raises(UsageError, match="speech needs the package silero_vad: pip install"):
        load_detector("speech")


def test_an_old_package_is_told(speech, monkeypatch):
    monkeypatch.setattr("curation.detectors.speech.WEIGHTS", "gone.onnx")
    with pytest.raises(UsageError, match=r"silero-vad [\d.]+ has no gone\.onnx: pip install"):
        load_detector("speech")
