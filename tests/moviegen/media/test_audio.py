"""Sound: on the video's clock, resampled, with silence where there is none."""

import wave
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from moviegen.media.audio import NoAudioError, read_audio, read_sound
from moviegen.media.limits import UnreadableMediaError
from moviegen.media.read import read_video
from moviegen.media.write import encode_clip

RATE = 48000


def clicks(seconds: float, every_s: float) -> np.ndarray:
    """(1, N): a loud burst of 5 ms at each multiple of `every_s`."""
    time_s = np.arange(round(seconds * RATE)) / RATE
    return (0.8 * np.sin(2 * np.pi * 1000 * time_s) * (time_s % every_s < 0.005)).astype(np.float32)[None]


def onsets(sound: np.ndarray) -> np.ndarray:
    """Seconds at which silence ends."""
    loud = np.abs(sound).max(0) > 0.2
    places = np.flatnonzero(loud)
    return places[np.insert(np.diff(places) > RATE // 20, 0, True)] / RATE


@pytest.fixture(scope="module")
def clicking(moving: list[np.ndarray]) -> bytes:
    """Two seconds of video with a click each half second."""
    return encode_clip(moving, Fraction(24), width=128, height=96, audio=clicks(2.0, 0.5), preset="ultrafast")


def test_clicks_come_back_when_they_were_sent(clicking: bytes) -> None:
    sound = read_audio(clicking, end_s=2.0)
    assert sound.shape == (1, 2 * RATE)
    assert sound.dtype == np.float32
    assert onsets(sound) == pytest.approx([0, 0.5, 1.0, 1.5], abs=0.002)


@pytest.mark.parametrize("start_s", [0.1, 0.4, 0.75, 1.2])
def test_a_span_is_a_slice(clicking: bytes, start_s: float) -> None:
    whole, span = read_audio(clicking, end_s=2.0), read_audio(clicking, start_s=start_s, end_s=start_s + 0.6)
    begin = round(start_s * RATE)
    assert span.shape == (1, round(0.6 * RATE))
    assert np.abs(span - whole[:, begin : begin + span.shape[1]]).max() < 1e-6


def test_a_late_span_reached_by_seeking_is_the_same(moving: list[np.ndarray], tmp_path: Path) -> None:
    path = tmp_path / "long.mp4"
    path.write_bytes(
        encode_clip(moving * 5, Fraction(24), width=128, height=96, audio=clicks(10.0, 0.7), preset="ultrafast")
    )
    whole, span = read_audio(path, end_s=10.0), read_audio(path, start_s=6.3, end_s=8.9)
    assert np.abs(span - whole[:, round(6.3 * RATE) : round(8.9 * RATE)]).max() < 1e-4


def test_past_the_end_is_silence(clicking: bytes) -> None:
    sound = read_audio(clicking, start_s=1.6, end_s=4.0)
    assert sound.shape == (1, round(2.4 * RATE))
    assert np.abs(sound[:, RATE:]).max() == 0


@pytest.mark.parametrize("suffix", ["mkv", "ts", "avi", "wav", "flac", "mp3"])
def test_other_containers(clicking: bytes, ffmpeg: Callable, tmp_path: Path, suffix: str) -> None:
    (tmp_path / "in.mp4").write_bytes(clicking)
    codec = {"avi": ["-c:v", "mpeg4", "-c:a", "mp3"]}.get(suffix, [])
    ffmpeg("-i", tmp_path / "in.mp4", *codec, tmp_path / f"out.{suffix}")
    sound = read_audio(tmp_path / f"out.{suffix}")
    first = onsets(sound)[0]
    assert np.diff(onsets(sound)[:4]) == pytest.approx(0.5, abs=0.005)
    assert first == pytest.approx(1.4 if suffix == "ts" else 0.0, abs=0.06)  # MPEG-TS starts at 1.4 s, its video too


def test_rate_and_channels(clicking: bytes) -> None:
    assert read_audio(clicking, end_s=2.0, sample_rate=16000).shape == (1, 32000)
    stereo = read_audio(clicking, end_s=2.0, mono=False)
    assert stereo.shape == (2, 2 * RATE)
    assert np.array_equal(stereo[0], stereo[1])


@pytest.mark.parametrize(
    ("layout", "rate", "name"), [("mono", 8000, "mono"), ("stereo", 44100, "stereo"), ("5.1", 48000, "5.1")]
)
def test_own_rate_and_channels_bit_for_bit(ffmpeg: Callable, tmp_path: Path, layout: str, rate: int, name: str) -> None:
    path = tmp_path / "noise.flac"
    ffmpeg("-f", "lavfi", "-i", f"anoisesrc=r={rate}:d=1,aformat=channel_layouts={layout}", path)
    expected = np.frombuffer(ffmpeg("-i", path, "-f", "f32le", "-"), "<f4")
    sound = read_sound(path)
    assert (sound.sample_rate, sound.layout) == (rate, name)
    assert np.array_equal(sound.samples, expected.reshape(rate, -1).T)


@pytest.mark.parametrize(("channels", "layout"), [(1, "mono"), (2, "stereo"), (16, "16 channels")])
def test_channels_that_are_only_counted(tmp_path: Path, channels: int, layout: str) -> None:
    with wave.open(str(tmp_path / "counted.wav"), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(np.tile(np.arange(channels, dtype="<i2") * 1024, 800).tobytes())
    sound = read_sound(tmp_path / "counted.wav")
    assert sound.layout in (layout, "hexadecagonal")  # FFmpeg's own name of 16 channels
    assert np.array_equal(sound.samples, np.tile(np.arange(channels)[:, None] / 32, 800))


def test_samples_that_are_no_numbers_are_damage(ffmpeg: Callable, tmp_path: Path) -> None:
    samples = np.zeros(4800, "<f4")
    samples[2400] = np.nan
    (tmp_path / "nan.raw").write_bytes(samples.tobytes())
    ffmpeg("-f", "f32le", "-ar", 48000, "-ac", 1, "-i", tmp_path / "nan.raw", "-c:a", "copy", tmp_path / "nan.wav")
    with pytest.raises(UnreadableMediaError, match="no finite numbers"):
        read_sound(tmp_path / "nan.wav")


def test_a_hole_is_silence(clicking: bytes, ffmpeg: Callable, tmp_path: Path) -> None:
    (tmp_path / "in.mp4").write_bytes(clicking)
    cut = "aselect='not(between(t,0.8,1.2))'"
    ffmpeg("-i", tmp_path / "in.mp4", "-vn", "-af", cut, "-c:a", "pcm_s16le", tmp_path / "hole.mkv")
    assert onsets(read_audio(tmp_path / "hole.mkv", end_s=2.0)) == pytest.approx([0, 0.5, 1.5], abs=0.03)


def test_no_sound(clip_bytes: bytes) -> None:
    with pytest.raises(NoAudioError, match="no audio stream"):
        read_audio(clip_bytes)


def test_a_span_that_ends_before_it_begins(clicking: bytes) -> None:
    with pytest.raises(ValueError, match=r"end_s 1\.0 is before start_s 2\.0"):
        read_audio(clicking, start_s=2.0, end_s=1.0)


def test_damage_is_told(clicking: bytes) -> None:
    content = bytearray(clicking)
    content[-4000:-1000] = bytes(3000)
    with pytest.raises(UnreadableMediaError, match="is damaged near"):
        read_audio(bytes(content))


@pytest.mark.data
def test_a_delay_of_400_ms_is_found(media_dir: Path) -> None:
    """The composed file is the other with its sound 0.400 s later [truth.json]."""
    original = read_audio(media_dir / "ai_ltx2_dialogue.mp4", end_s=4.0)[0]
    delayed = read_audio(media_dir / "composed" / "av_offset_plus400ms.mp4", end_s=4.4)[0]
    assert np.abs(delayed[: round(0.38 * RATE)]).max() < 1e-3
    spectrum = np.fft.rfft(delayed, 1 << 19) * np.conj(np.fft.rfft(original, 1 << 19))
    assert np.argmax(np.fft.irfft(spectrum)) / RATE == pytest.approx(0.4, abs=0.025)


@pytest.mark.data
def test_real_sound_agrees_with_ffmpeg(media_dir: Path, media_manifest: dict[str, dict], ffmpeg: Callable) -> None:
    """Level of each real file's first second against the ffmpeg program's decode: within 0.1 dB of full scale."""
    checked = 0
    for name, row in media_manifest.items():
        if not row.get("has_audio") or name.startswith("bad/"):
            continue
        path = media_dir / name
        sound = read_audio(path)[0]
        arguments = ["-i", f"file:{path}", "-map", "0:a:0", "-ac", 1, "-ar", RATE, "-f", "f32le", "-"]
        expected = np.frombuffer(ffmpeg(*arguments), np.float32)
        assert (
            abs(np.sqrt(np.mean(sound**2)) * len(sound) ** 0.5 - np.sqrt(np.sum(expected**2)))
            <= 0.012 * np.sqrt(np.sum(expected**2)) + 1e-3
        ), name
        checked += 1
    assert checked > 12


def test_video_and_sound_share_a_clip(clicking: bytes) -> None:
    assert len(read_video(clicking)) == 48
