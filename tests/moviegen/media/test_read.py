"""Frames: all, some, spans, from bytes; the same whichever way they are reached."""

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moviegen.media.limits import MediaError, MediaLimits, RefusedMediaError, UnreadableMediaError
from moviegen.media.read import iter_frames, open_video, read_frames_at, read_image, read_video
from moviegen.media.write import encode_clip, write_image


@pytest.fixture(scope="module")
def keyed(ffmpeg: Callable, clip_path: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """`moving` with a key frame every 10 frames and B-frames between, in containers with and without an index."""
    folder = tmp_path_factory.mktemp("keyed")
    files = {suffix: folder / f"keyed.{suffix}" for suffix in ("mp4", "mkv", "ts", "avi")}
    for path in files.values():
        ffmpeg("-i", clip_path, "-c:v", "libx264", "-g", 10, "-bf", 2, path)
    return files


def test_every_frame_in_order(clip_path: Path, moving: list[np.ndarray]) -> None:
    frames = list(iter_frames(clip_path))
    assert [frame.index for frame in frames] == list(range(48))
    assert [frame.pts for frame in frames] == [frames[1].pts * i for i in range(48)]
    # H.264 at crf 18 and 4:2:0 keep these gradients to about one level on average.
    assert np.abs(np.stack([f.image for f in frames]).astype(int) - np.stack(moving)).mean() < 2


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "avi"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_frames_by_timestamp_are_those_of_the_sequence(
    keyed: dict[str, Path], suffix: str, data: st.DataObject
) -> None:
    everything = list(iter_frames(keyed[suffix], size=(32, 24)))
    chosen = data.draw(st.lists(st.sampled_from(range(48)), min_size=1, max_size=6))
    found = read_frames_at(keyed[suffix], [everything[i].pts for i in chosen], size=(32, 24))
    assert [frame.pts for frame in found] == [everything[i].pts for i in chosen]
    assert all(np.array_equal(frame.image, everything[i].image) for frame, i in zip(found, chosen, strict=True))
    assert all(frame.index in (i, -1) for frame, i in zip(found, chosen, strict=True))


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "avi"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.integers(0, 47), length=st.integers(0, 48))
def test_a_span_is_a_slice_of_the_sequence(keyed: dict[str, Path], suffix: str, start: int, length: int) -> None:
    everything = list(iter_frames(keyed[suffix], size=(32, 24)))
    end = start + length
    end_pts = everything[end].pts if end < 48 else None
    span = list(iter_frames(keyed[suffix], start_pts=everything[start].pts, end_pts=end_pts, size=(32, 24)))
    assert [f.pts for f in span] == [f.pts for f in everything[start:end]]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(span, everything[start:end], strict=True))


def test_timestamps_always_grow(keyed: dict[str, Path]) -> None:
    for path in keyed.values():
        stamps = [frame.pts for frame in iter_frames(path, size=(16, 12))]
        assert all(after > before for before, after in pairwise(stamps))


def test_joined_recordings_go_on_where_the_first_ends(keyed: dict[str, Path], tmp_path: Path) -> None:
    joined = tmp_path / "joined.ts"
    joined.write_bytes(keyed["ts"].read_bytes() * 2)
    with open_video(joined) as video:
        seconds = [float(timed.pts * video.time_base) for timed in video.frames()]
    steps = np.diff(seconds)
    assert len(seconds) == 96
    assert (steps > 0.03).all()
    assert (steps < 0.2).all()


def test_a_timestamp_that_no_frame_has(keyed: dict[str, Path]) -> None:
    for path in keyed.values():
        with pytest.raises(UnreadableMediaError, match="no frame at timestamp -11, -7"):
            read_frames_at(path, [-7, -11])
    assert read_frames_at(keyed["mp4"], []) == []


def test_read_video_from_bytes_is_read_video_from_the_file(clip_path: Path, clip_bytes: bytes) -> None:
    assert np.array_equal(read_video(clip_bytes), read_video(clip_path))


def test_indices_may_repeat_and_go_back(clip_bytes: bytes) -> None:
    everything = read_video(clip_bytes)
    assert np.array_equal(read_video(clip_bytes, indices=[5, 0, 5, 47]), everything[[5, 0, 5, 47]])


def test_an_index_past_the_end_is_named(clip_bytes: bytes) -> None:
    with pytest.raises(UnreadableMediaError, match="has 48 frames, no frame 48"):
        read_video(clip_bytes, indices=[0, 48])


def test_a_size_is_covered_and_cropped_in_the_middle() -> None:
    """Left third red, middle green, right blue: a square from a 3:1 picture is all green."""
    stripes = np.zeros((64, 192, 3), np.uint8)
    for third in range(3):
        stripes[:, third * 64 : (third + 1) * 64, third] = 200
    clip = encode_clip([stripes] * 3, Fraction(10), width=192, height=64, crf=4)
    middle = read_video(clip, size=(32, 32))[0, :, 3:-3].astype(int)
    assert middle.shape == (32, 26, 3)
    assert np.abs(middle - [0, 200, 0]).max() < 12


def test_scaling_down_averages() -> None:
    """A fine chequerboard becomes grey, not noise: the filter is anti-aliased."""
    y, x = np.mgrid[:128, :128]
    board = np.repeat((((x + y) % 2) * 255).astype(np.uint8)[..., None], 3, 2)
    small = read_video(encode_clip([board] * 2, Fraction(10), width=128, height=128, crf=0), size=(16, 16))
    assert np.abs(small.astype(int) - 127).max() < 8


def test_frames_of_another_size_mid_stream_come_at_the_first_ones_size(ffmpeg: Callable, tmp_path: Path) -> None:
    for name, size in (("a.ts", "128x96"), ("b.ts", "64x64")):
        ffmpeg("-f", "lavfi", "-i", f"testsrc=s={size}:r=25:d=1", "-c:v", "mpeg2video", tmp_path / name)
    (tmp_path / "both.ts").write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())
    frames = read_video(tmp_path / "both.ts")
    assert frames.shape[1:] == (96, 128, 3)
    # ffmpeg, too, loses the last picture of the first recording at the seam.
    assert len(frames) == 49


def test_limits_hold_while_decoding(clip_path: Path) -> None:
    frames = iter_frames(clip_path, limits=MediaLimits(max_frames=10))
    with pytest.raises(RefusedMediaError, match="more than 10 frames"):
        list(frames)


def test_damage_may_be_allowed(hostile_dir: Path) -> None:
    with pytest.raises(UnreadableMediaError, match=r"flip0\.ts: is damaged near \d+\.\d+ s"):
        read_video(hostile_dir / "flip0.ts")
    assert len(read_video(hostile_dir / "flip0.ts", limits=MediaLimits(max_damaged=1000))) > 30


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_images_there_and_back(moving: list[np.ndarray], tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a%d.{suffix}"
    write_image(path, moving[3])
    image = read_image(path)
    assert image.shape == moving[3].shape
    assert np.abs(image.astype(int) - moving[3]).mean() < (0.001 if suffix == "png" else 2)
    assert np.array_equal(read_image(path.read_bytes()), image)


def test_a_video_is_no_still_and_a_still_is_no_video(clip_path: Path, hostile_dir: Path) -> None:
    with pytest.raises(RefusedMediaError, match="png_pipe"):
        read_image(clip_path)
    assert read_image(hostile_dir / "cover.png").shape == (64, 64, 3)


def test_a_damaged_still_is_not_told_to_be_no_video(tmp_path: Path) -> None:
    path = tmp_path / "face.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    with pytest.raises(MediaError) as caught:
        read_image(path)
    assert "no video; take it out" not in str(caught.value)


@pytest.mark.data
def test_an_independent_library_reads_the_same_stills(media_dir: Path) -> None:
    pillow = pytest.importorskip("PIL.Image")
    for path in sorted((media_dir / "images" / "faces").glob("*.jpg")):
        with pillow.open(path) as opened:
            expected = np.asarray(opened.convert("RGB")).astype(int)
        # Both decode the same coefficients; chroma is interpolated differently.
        assert np.abs(read_image(path) - expected).mean() < 1.5, path.name
