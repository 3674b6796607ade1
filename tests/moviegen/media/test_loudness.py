"""Loudness: the standard's own test tones, and the ffmpeg program on real files."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from moviegen.media.audio import Sound, read_sound
from moviegen.media.loudness import integrated_loudness
from moviegen.media.write import find_ffmpeg

REAL = (
    "audio/jfk_speech.flac",
    "audio/applause.wav",
    "audio/dog.wav",
    "ai_ltx2_dialogue.mp4",
    "hamilton_stage.mp4",
    "chaplin_pillarbox.mp4",
    "makeup_mpeg4.avi",
    "pancake_opus.mkv",
    "nasa_multistream.mp4",
    "bbb_rotate90_fadein.mp4",
)
"""Speech, noise, music; mono, stereo and 5.1; 8 to 48 kHz; six codecs. All begin at the start of the file's clock."""


def tone(level_db: float, seconds: float, *, rate: int = 48000, channels: int = 1, layout: str = "mono") -> Sound:
    """A sine of 997 Hz, of that peak level, in every channel."""
    time_s = np.arange(round(seconds * rate)) / rate
    samples = (10 ** (level_db / 20) * np.sin(2 * np.pi * 997 * time_s)).astype(np.float32)
    return Sound(np.tile(samples, (channels, 1)), rate, layout)


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000, 96000])
def test_a_sine_at_full_scale_is_3_lu_below_it(rate: int) -> None:
    """997 Hz at 0 dBFS in one channel: -3.01 LUFS [ITU-R BS.1770-4, annex 1]."""
    assert integrated_loudness(tone(0, 3, rate=rate)) == pytest.approx(-3.01, abs=0.05)


@pytest.mark.parametrize(
    ("layout", "channels", "lufs"),
    [
        ("mono", 1, -23.01),
        ("stereo", 2, -20.0),
        ("5.1", 6, -20.0 + 10 * np.log10((3 + 2 * 1.41) / 2)),  # surrounds count 1.41, the LFE not at all
        ("7.1.4", 12, None),
    ],
)
def test_channels_add_up_by_their_weights(layout: str, channels: int, lufs: float | None) -> None:
    found = integrated_loudness(tone(-20, 3, channels=channels, layout=layout))
    assert found == pytest.approx(lufs, abs=0.05) if lufs else -20 < found < -10


def test_quiet_stretches_are_gated_out() -> None:
    """Half a minute at -33 LUFS before and after one at -23: the quiet does not count, -23 in all [EBU Tech 3341, case 3, shortened]."""
    quiet, loud = (tone(level, 10, channels=2, layout="stereo").samples for level in (-36, -23))
    found = integrated_loudness(Sound(np.concatenate([quiet, loud, loud, loud, quiet], axis=1), 48000, "stereo"))
    assert found == pytest.approx(-23, abs=0.1)


@pytest.mark.parametrize("sound", [tone(-200, 3), tone(-75, 3), tone(0, 0.3)], ids=["digital", "faint", "short"])
def test_silence_and_less_than_a_block_have_none(sound: Sound) -> None:
    assert integrated_loudness(sound) is None


@pytest.mark.data
@pytest.mark.parametrize("name", REAL)
def test_real_files_as_the_ffmpeg_program_says(media_dir: Path, name: str) -> None:
    path = media_dir / name
    command = [find_ffmpeg()[0], "-nostdin", "-i", path, "-map", "0:a:0", "-af", "ebur128", "-f", "null", "-"]
    said = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True).stderr
    expected = float(re.findall(r"I: +(-?[\d.]+) LUFS", said)[-1])
    assert integrated_loudness(read_sound(path)) == pytest.approx(expected, abs=0.1)  # it prints one decimal
