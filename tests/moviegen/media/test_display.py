"""Geometry: orientations against their matrices, covering crops by property, mirrored and turned files against ffmpeg."""

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviegen.media.display import TURNS, Orientation, cover, decode_display_matrix, displayed_size, orientation_of
from moviegen.media.probe import probe
from moviegen.media.read import read_image, read_video


def matrix_of(orientation: Orientation) -> bytes:
    """The display matrix of an orientation: where (1, 0) and (0, 1) go."""
    x, y = (-1 if orientation.flip_x else 1) << 16, (-1 if orientation.flip_y else 1) << 16
    a, b, c, d = (0, y, x, 0) if orientation.transpose else (x, 0, 0, y)
    return struct.pack("=9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)


@given(st.builds(Orientation, st.booleans(), st.booleans(), st.booleans()))
def test_matrix_there_and_back(orientation: Orientation) -> None:
    assert decode_display_matrix(matrix_of(orientation)) == orientation


def test_a_meaningless_matrix_leaves_the_picture_upright() -> None:
    for data in (bytes(36), b"", bytes(35)):
        assert decode_display_matrix(data) == Orientation()


def test_a_quarter_turn_clockwise_brings_the_left_column_to_the_top() -> None:
    image = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    turned = Orientation(transpose=True, flip_x=True).apply(image)
    assert np.array_equal(turned, np.rot90(image, -1))
    assert Orientation(transpose=True, flip_x=True).rotation == 90


def test_the_eight_orientations_are_four_turns_mirrored_or_not() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
    for transpose in (False, True):
        for flip_x in (False, True):
            for flip_y in (False, True):
                orientation = Orientation(transpose, flip_x, flip_y)
                mirrored = image[:, ::-1] if orientation.is_mirrored else image
                turns = [np.rot90(mirrored, -quarter) for quarter in range(4)]
                assert any(np.array_equal(orientation.apply(image), turn) for turn in turns)


def test_displayed_size() -> None:
    assert displayed_size(640, 360, Fraction(2), Orientation()) == (1280, 360)
    assert displayed_size(340, 256, Fraction(1024, 765), Orientation()) == (455, 256)
    assert displayed_size(1920, 1080, Fraction(1), Orientation(transpose=True)) == (1080, 1920)


sides = st.integers(1, 5000)


@given(sides, sides, st.tuples(sides, sides))
def test_cover_covers_tightly_and_keeps_the_aspect_within_a_pixel(
    width: int, height: int, size: tuple[int, int]
) -> None:
    scaled = cover(width, height, size).scaled
    assert scaled[0] >= size[0]
    assert scaled[1] >= size[1]
    assert scaled[0] == size[0] or scaled[1] == size[1]
    scale = max(Fraction(size[0], width), Fraction(size[1], height))
    assert abs(scaled[0] - width * scale) <= 1
    assert abs(scaled[1] - height * scale) <= 1


def test_cover_of_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least 1 px"):
        cover(10, 10, (0, 5))


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("flips", [(), ("h",), ("v",), ("h", "v")])
def test_turned_and_mirrored_files_look_as_ffmpeg_shows_them(
    clip_path: Path, ffmpeg: Callable, rgb_by_ffmpeg: Callable, tmp_path: Path, degrees: int, flips: tuple[str, ...]
) -> None:
    turned = tmp_path / "turned.mp4"
    flags = [f"-display_{flip}flip:v:0" for flip in flips]
    ffmpeg("-display_rotation:v:0", degrees, *flags, "-i", clip_path, "-c", "copy", turned)
    facts = probe(turned)
    assert facts.is_mirrored == (len(flips) == 1)
    assert (facts.coded_width, facts.coded_height) == (128, 96)
    frames = read_video(turned, indices=[0, 1])
    expected = rgb_by_ffmpeg(turned, 2, (facts.width, facts.height))
    assert frames.shape == expected.shape == ((2, 128, 96, 3) if degrees in (90, 270) else (2, 96, 128, 3))
    # ffmpeg turns before it makes RGB, we after: chroma rounds differently by one.
    assert np.abs(frames.astype(int) - expected).max() <= 1


def test_a_frame_with_side_data_unknown_to_pyav_keeps_its_turn():
    class Frame:
        rotation = -90

        @property
        def side_data(self):
            raise ValueError("31 is not a valid Type")

    assert orientation_of(Frame()).rotation == 90


def test_turns_are_named_by_their_degrees():
    assert all(turn.rotation == degrees and not turn.is_mirrored for degrees, turn in TURNS.items())


@pytest.mark.data
def test_a_jpeg_with_exif_is_read(media_dir):
    assert read_image(media_dir / "images" / "signs" / "chinese.jpg").shape[2] == 3
