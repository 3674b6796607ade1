import subprocess
from pathlib import Path

import numpy as np
import pytest

from curation.clips import SplitConfig, split_video
from curation.detectors import load_detector
from curation.detectors.audio import window_levels
from curation.scoring import clip_input as fetch
from curation.scoring import score_clip
from moviegen.contracts.clip import Clip
from moviegen.media.audio import Sound, read_sound
from moviegen.media.write import find_ffmpeg

RATE = 48000


@pytest.fixture(scope="module")
def audio():
    return load_detector("audio")


@pytest.fixture
def score(audio, clip_input):
    """`score(samples, rate)`: the scores of (N,) or (C, N) samples."""

    def measure(samples: np.ndarray, rate: int = RATE) -> dict[str, float]:
        samples = np.atleast_2d(samples).astype(np.float32)
        return audio.score(clip_input(audio=Sound(samples, rate, {1: "mono", 2: "stereo"}[len(samples)])))

    return measure


def sine(level: float, seconds: float, hz: float = 997) -> np.ndarray:
    return level * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)


def clip_of(path: Path, start_s: float, end_s: float) -> Clip:
    """A clip of these seconds, of a time base of milliseconds."""
    pts = (round(start_s * 1000), round(end_s * 1000))
    return Clip("0" * 32, "1" * 32, 0, *pts, 1, 1000, 0, 48, 24, 1, 320, 180)


def score_file(audio, path: Path, start_s: float = 0.0, end_s: float = 4.0) -> dict[str, float]:
    return score_clip(audio, clip_of(path, start_s, end_s), {"uri": str(path)}, {})


class TestMeasures:
    def test_no_track(self, audio, clip_input):
        assert audio.score(clip_input()) == {"audio.present": 0.0}

    def test_digital_silence(self, score):
        assert score(np.zeros(RATE)) == {
            "audio.present": 1.0, "audio.silence_fraction": 1.0, "audio.clipped_fraction": 0.0,
        }  # fmt: skip

    def test_a_tone(self, score):
        scores = score(sine(0.1, 4))
        assert scores["audio.peak_dbfs"] == pytest.approx(-20, abs=0.01)
        assert scores["audio.loudness_lufs"] == pytest.approx(-23.01, abs=0.05)
        assert (scores["audio.silence_fraction"], scores["audio.clipped_fraction"]) == (0, 0)

    @pytest.mark.parametrize("silent_s", [0.5, 1, 3])
    def test_share_of_silence_is_exact(self, score, silent_s):
        samples = np.concatenate([sine(0.1, 4 - silent_s), np.zeros(round(silent_s * RATE))])
        assert score(samples)["audio.silence_fraction"] == pytest.approx(silent_s / 4)

    def test_silent_is_what_is_silent_in_every_channel(self, score):
        left, nothing = sine(0.1, 2), np.zeros(2 * RATE)
        assert score(np.stack([left, nothing]))["audio.silence_fraction"] == 0

    def test_the_level_of_silence_is_the_users(self, clip_input):
        hiss = Sound(sine(0.003, 1)[None].astype(np.float32), RATE, "mono")  # -53.5 dBFS RMS
        for level, share in ((-60.0, 0.0), (-50.0, 1.0)):
            found = load_detector("audio", {"silence_dbfs": level}).score(clip_input(audio=hiss))
            assert found["audio.silence_fraction"] == share

    @pytest.mark.parametrize("gain", [1.2, 2, 10])
    def test_share_of_clipped_samples_is_that_of_the_curve(self, score, gain):
        """A sine of amplitude g cut at 1 is at the limit for 1 - 2/pi asin(1/g) of the time."""
        scores = score(np.clip(sine(gain, 2, 441), -1, 1))
        assert scores["audio.clipped_fraction"] == pytest.approx(1 - 2 / np.pi * np.arcsin(1 / gain), abs=0.005)
        assert scores["audio.peak_dbfs"] == pytest.approx(0)

    def test_a_loud_tone_that_just_fits_is_not_clipped(self, score):
        assert score(sine(0.999, 2))["audio.clipped_fraction"] == 0

    def test_a_sound_shorter_than_a_window(self, score):
        scores = score(sine(0.1, 0.01))
        assert scores["audio.silence_fraction"] == 0
        assert "audio.loudness_lufs" not in scores

    def test_window_levels_are_rms_of_the_loudest_channel(self):
        samples = np.array([[3, 4, 0, 0, 9], [0, 0, 5, 5, 9]], np.float32)
        np.testing.assert_allclose(window_levels(samples, 2), [12.5**0.5, 5])


class TestFiles:
    def test_toy_world_films_have_sound_and_silent_ones_none(self, film, audio):
        for kind, present in (("good", 1.0), ("black", 0.0)):
            made = film(kind, 0)
            clip, signals = made.clips()[0]
            assert score_clip(audio, clip, made.video, signals)["audio.present"] == present

    def test_a_clip_is_its_span_alone(self, audio, tmp_path):
        """Two seconds of silence, two of a tone: the halves are the one and the other."""
        path = tmp_path / "half.wav"
        samples = np.concatenate([np.zeros(2 * RATE), sine(0.5, 2)])
        write_wav(path, samples)
        first, second = score_file(audio, path, 0, 2), score_file(audio, path, 2, 4)
        assert first["audio.silence_fraction"] == 1
        assert second["audio.silence_fraction"] == 0
        assert second["audio.peak_dbfs"] == pytest.approx(-6.02, abs=0.01)

    def test_peaks_are_those_of_the_files_own_rate_and_channels(self, audio, tmp_path):
        """One channel of two, at 44.1 kHz: mixing would halve it, resampling would move its peak."""
        path = tmp_path / "one_sided.wav"
        noise = np.random.default_rng(0).uniform(-1, 1, 44100 * 2)
        write_wav(path, np.stack([noise, np.zeros_like(noise)]), rate=44100)
        assert score_file(audio, path, 0, 2)["audio.peak_dbfs"] == pytest.approx(0, abs=0.001)

    @pytest.mark.data
    @pytest.mark.parametrize(
        "name", ["composed/silent_audio.mp4", "sam2_dog.mp4", "sam2_blocks.mp4", "screen_noduration.webm"]
    )
    def test_silent_tracks(self, media_dir, audio, name):
        scores = score_file(audio, media_dir / name)
        assert (scores["audio.present"], scores["audio.silence_fraction"]) == (1, 1)
        assert "audio.loudness_lufs" not in scores

    @pytest.mark.data
    def test_presence_is_the_manifests(self, media_dir, media_manifest, audio):
        others = ("bad/", "images/", "vmaf")  # no videos, or not to be opened
        names = [
            name
            for name, row in media_manifest.items()
            if row.get("has_audio") is not None and not name.startswith(others)
        ]
        found = {name: score_file(audio, media_dir / name, 0, 1)["audio.present"] for name in names}
        assert found == {name: float(media_manifest[name]["has_audio"]) for name in names}
        assert len(set(found.values())) == 2

    @pytest.mark.data
    def test_sound_that_begins_late_is_silence_before(self, media_dir, audio):
        """The same dialogue, its sound 0.400 s later [truth.json]: eight windows of 50 ms more are silent."""
        plain = score_file(audio, media_dir / "ai_ltx2_dialogue.mp4", 0, 0.4)
        late = score_file(audio, media_dir / "composed" / "av_offset_plus400ms.mp4", 0, 0.4)
        assert plain["audio.silence_fraction"] == 0
        assert late["audio.silence_fraction"] == 1

    @pytest.mark.data
    def test_peaks_are_ffmpegs_volumedetect(self, media_dir, media_manifest, audio):
        checked = 0
        for name, row in media_manifest.items():
            peak = row.get("audio_max_db")
            if peak is None or peak <= -90 or peak > -0.05 or name.startswith("bad/"):
                continue  # volumedetect counts in 16 bits: silence is -91 dB, all at full scale 0
            seconds = read_sound(media_dir / name).samples.shape[1] / read_sound(media_dir / name).sample_rate
            found = score_file(audio, media_dir / name, 0, seconds)["audio.peak_dbfs"]
            assert found == pytest.approx(peak, abs=0.2), name
            checked += 1
        assert checked >= 8

    @pytest.mark.data
    def test_clipped_speech_is_told_from_clean_even_after_a_lossy_codec(self, media_dir, audio, tmp_path):
        speech = read_sound(media_dir / "audio" / "jfk_speech.flac", layout="mono").samples[0]
        shares = {}
        for gain in (1, 4):
            write_wav(tmp_path / "in.wav", np.clip(speech / np.abs(speech).max() * gain, -1, 1), rate=44100)
            for codec, suffix in (("pcm_s16le", "wav"), ("aac", "m4a"), ("libmp3lame", "mp3"), ("libopus", "mkv")):
                path = tmp_path / f"out.{suffix}"
                ffmpeg("-i", tmp_path / "in.wav", "-c:a", codec, "-b:a", "96k", path)
                shares[gain, codec] = score_file(audio, path, 0, 11)["audio.clipped_fraction"]
        assert shares[4, "pcm_s16le"] == pytest.approx(0.138, abs=0.005)
        assert max(share for (gain, _), share in shares.items() if gain == 1) < 1e-4
        assert min(share for (gain, _), share in shares.items() if gain == 4) > 1e-3


@pytest.mark.data
def test_sound_comes_through_the_guarded_worker(media_dir, audio):
    from moviegen.media.worker import guarded_call

    path = media_dir / "ai_ltx2_dialogue.mp4"
    result = split_video(str(path), "v" * 32, SplitConfig(start_trim_s=0.0))
    clip = Clip(**result.clips[0])
    near = fetch(audio.frames, clip, {"uri": str(path)}, {}).audio
    far = guarded_call("curation.scoring.clip_input", audio.frames, clip, {"uri": str(path)}, {}).audio
    assert (far.sample_rate, far.layout, far.samples.shape) == (24000, "stereo", (2, round(clip.duration * 24000)))
    np.testing.assert_array_equal(far.samples, near.samples)


def write_wav(path: Path, samples: np.ndarray, rate: int = RATE) -> None:
    """16-bit PCM of (N,) or (C, N) samples."""
    import wave

    samples = np.atleast_2d(samples)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(samples))
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.round(samples.T * 32767).astype("<i2").tobytes())


def ffmpeg(*arguments: object) -> None:
    command = [find_ffmpeg()[0], "-v", "error", "-y", "-nostdin", *arguments]
    subprocess.run(list(map(str, command)), check=True)
