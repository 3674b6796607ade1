"""Encoding: the same input gives the same bytes, pixels and sound come back, mistakes are told in words."""

import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from moviegen.media.probe import probe
from moviegen.media.read import read_audio, read_video
from moviegen.media.write import EncodeError, encode_clip, encode_image, find_ffmpeg, write_image, write_video


def tone(seconds: float, channels: int = 1) -> np.ndarray:
    time_s = np.arange(round(seconds * 48000)) / 48000
    return np.stack([0.5 * np.sin(2 * np.pi * 440 * (c + 1) * time_s) for c in range(channels)]).astype(np.float32)


def test_the_same_input_gives_the_same_bytes(moving: list[np.ndarray], clip_bytes: bytes) -> None:
    assert encode_clip(iter(moving), Fraction(24), width=128, height=96) == clip_bytes
    sounding = [encode_clip(moving, Fraction(24), width=128, height=96, audio=tone(2, 2)) for _ in range(2)]
    assert sounding[0] == sounding[1]


def test_no_date_and_no_version_of_the_writer_in_the_bytes(clip_bytes: bytes) -> None:
    assert re.search(rb"Lav[fc]\d", clip_bytes) is None
    header = clip_bytes.index(b"mvhd")
    assert clip_bytes[header + 8 : header + 16] == bytes(8)  # created and modified
    assert clip_bytes.index(b"moov") < clip_bytes.index(b"mdat")  # plays before it is whole


def test_colours_come_back(clip_bytes: bytes) -> None:
    patches = [
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
        (255, 255, 0),
        (0, 255, 255),
        (255, 0, 255),
        (0, 0, 0),
        (255, 255, 255),
    ]
    image = np.zeros((64, 32 * len(patches), 3), np.uint8)
    for number, colour in enumerate(patches):
        image[:, 32 * number : 32 * (number + 1)] = colour
    back = read_video(encode_clip([image] * 3, Fraction(10), width=image.shape[1], height=64, crf=10))[1].astype(int)
    for number, colour in enumerate(patches):
        assert np.abs(back[8:-8, 32 * number + 8 : 32 * (number + 1) - 8] - colour).max() <= 6, colour


def test_a_lower_crf_is_nearer(moving: list[np.ndarray]) -> None:
    errors = []
    for crf in (8, 30):
        back = read_video(encode_clip(moving, Fraction(24), width=128, height=96, crf=crf))
        errors.append(np.abs(back.astype(int) - np.stack(moving)).mean())
    assert errors[0] < errors[1]


@pytest.mark.parametrize(("width", "height"), [(65, 49), (64, 49), (65, 48), (1, 1), (16, 2)])
def test_odd_sizes(width: int, height: int) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (3, height, width, 3), dtype=np.uint8)
    assert read_video(encode_clip(frames, Fraction(10), width=width, height=height)).shape == frames.shape


def test_sound_comes_back(moving: list[np.ndarray]) -> None:
    clip = encode_clip(moving, Fraction(24), width=128, height=96, audio=tone(2, 2))
    error = (read_audio(clip, end_s=2.0, mono=False) - tone(2, 2))[:, 9600:-9600]
    assert np.sqrt((error**2).mean()) < 0.01  # tones of amplitude 0.5: 30 dB above what AAC adds


def test_write_video_appears_whole(moving: list[np.ndarray], tmp_path: Path) -> None:
    for name in ("a.mp4", "deep/er/a.mkv"):
        write_video(tmp_path / name, iter(moving), Fraction(24), audio=tone(2))
        facts = probe(tmp_path / name)
        assert (facts.width, facts.height, facts.has_audio, facts.fps) == (128, 96, True, Fraction(24))
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["a.mkv", "a.mp4"]


def test_an_error_in_the_frames_leaves_nothing_behind(moving: list[np.ndarray], tmp_path: Path) -> None:
    def failing() -> Iterator[np.ndarray]:
        yield from moving[:3]
        raise KeyError("the renderer broke")

    with pytest.raises(KeyError, match="renderer"):
        write_video(tmp_path / "a.mp4", failing(), Fraction(24))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ([], "no frame"),
        ([np.zeros((96, 128, 3), np.float32)], "frame 0 is float32"),
        (
            [np.zeros((96, 128, 3), np.uint8), np.zeros((96, 64, 3), np.uint8)],
            r"frame 1 is uint8 \(96, 64, 3\), wanted uint8",
        ),
    ],
)
def test_wrong_frames(frames: list[np.ndarray], words: str) -> None:
    with pytest.raises(EncodeError, match=words):
        encode_clip(frames, Fraction(24), width=128, height=96)


def test_wrong_settings(moving: list[np.ndarray], tmp_path: Path) -> None:
    with pytest.raises(EncodeError, match="fps is 0"):
        encode_clip(moving, Fraction(0), width=128, height=96)
    with pytest.raises(EncodeError, match="1 or 2 channels"):
        encode_clip(moving, Fraction(24), width=128, height=96, audio=np.zeros((3, 100)))
    with pytest.raises(EncodeError, match=r"ffmpeg ended with .*preset"):
        encode_clip(moving, Fraction(24), width=128, height=96, preset="hasty")
    with pytest.raises(EncodeError, match=r"\.mp4 or \.mkv"):
        write_video(tmp_path / "a.webm", moving, Fraction(24))
    with pytest.raises(EncodeError, match=r"no frame to write"):
        write_video(tmp_path / "a.mp4", [], Fraction(24))
    with pytest.raises(EncodeError, match="wanted uint8"):
        encode_image(np.zeros((4, 4)), "png")
    with pytest.raises(EncodeError, match="stills are written as"):
        write_image(tmp_path / "a.tiff", moving[0])


def test_the_same_still_gives_the_same_bytes(moving: list[np.ndarray]) -> None:
    for suffix in ("png", "jpg"):
        assert encode_image(moving[0], suffix) == encode_image(moving[0], suffix)


def test_where_ffmpeg_is_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("MOVIEGEN_FFMPEG", raising=False)
    assert find_ffmpeg()[1] == "imageio-ffmpeg"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_ffmpeg() == (program, "PATH")
    monkeypatch.setenv("MOVIEGEN_FFMPEG", str(program))
    assert find_ffmpeg() == (program, "MOVIEGEN_FFMPEG")
    monkeypatch.setenv("MOVIEGEN_FFMPEG", str(tmp_path / "nothing"))
    with pytest.raises(EncodeError, match=r"MOVIEGEN_FFMPEG=.*nothing: no such program"):
        find_ffmpeg()


def test_ffmpeg_agrees_that_the_matrix_is_bt709(clip_path: Path, rgb_by_ffmpeg: Callable) -> None:
    assert np.array_equal(read_video(clip_path, indices=[0, 1, 2]), rgb_by_ffmpeg(clip_path, 3, (128, 96)))
