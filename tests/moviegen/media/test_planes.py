"""Planes for the encoder show the same picture as the RGB frames do: turned, cropped, scaled, in the file's own matrix."""

import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from moviegen.media.display import MATRICES, FrameConverter, Orientation, PlanesConverter, displayed_size, matrix_of
from moviegen.media.read import iter_frames, iter_planes, open_video, read_video
from moviegen.media.write import EncodeError, encode_clip

TURNS = [Orientation(*flags) for flags in itertools.product((False, True), repeat=3)]


def picture(height: int, width: int) -> np.ndarray:
    """Smooth colours that differ in every corner."""
    y, x = np.mgrid[:height, :width] / [[[height]], [[width]]]
    return (np.stack([x, y, 1 - (x + y) / 2], -1) * 200 + 20).astype(np.uint8)


def rgb_of(planes: np.ndarray, matrix: str = "bt709") -> np.ndarray:
    """What a viewer sees of planes in the video range."""
    frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    colorspace = {"bt709": Colorspace.ITU709, "smpte170m": Colorspace.ITU601}[matrix]
    frame.colorspace, frame.color_range = colorspace, ColorRange.MPEG
    return FrameConverter((frame.width, frame.height), Orientation(), None)(frame)


def frame_of(image: np.ndarray, pix_fmt: str, colorspace: Colorspace, color_range: ColorRange) -> av.VideoFrame:
    source = av.VideoFrame.from_ndarray(image, format="rgb24")
    frame = source.reformat(format=pix_fmt, dst_colorspace=colorspace, dst_color_range=color_range)
    frame.colorspace, frame.color_range = colorspace, color_range
    return frame


def apart(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("aspect", [Fraction(1), Fraction(3, 2)])
def test_turned_stretched_and_cropped_as_the_frames_are(turn, aspect):
    frame = frame_of(picture(96, 128), "yuv420p", Colorspace.ITU709, ColorRange.MPEG)
    shown = displayed_size(128, 96, aspect, turn)
    whole = FrameConverter(shown, turn, None)(frame)
    assert apart(rgb_of(PlanesConverter(shown, turn, shown)(frame)), whole) < 1.5
    window = slice(10, shown[1] - 22), slice(14, shown[0] - 6)
    size = shown[0] - 20, shown[1] - 32
    assert apart(rgb_of(PlanesConverter(shown, turn, size, window)(frame)), whole[window]) < 1.5


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p10le", "rgb24"])
@pytest.mark.parametrize("colorspace", [Colorspace.ITU709, Colorspace.ITU601])
@pytest.mark.parametrize("color_range", [ColorRange.MPEG, ColorRange.JPEG])
def test_colours_are_those_of_the_file(pix_fmt, colorspace, color_range):
    image = picture(64, 80)
    source = av.VideoFrame.from_ndarray(image, format="rgb24")
    frame = source if pix_fmt == "rgb24" else frame_of(image, pix_fmt, colorspace, color_range)
    for matrix in MATRICES:
        found = rgb_of(PlanesConverter((80, 64), Orientation(), (80, 64), matrix=matrix)(frame), matrix)
        assert apart(found, image) < 2.5, "the matrices are 10 to 20 levels apart"
        assert apart(found, FrameConverter((80, 64), Orientation(), None)(frame)) < 2


@pytest.mark.parametrize(("colorspace", "matrix"), [(1, "bt709"), (2, "smpte170m"), (5, "smpte170m"), (6, "smpte170m")])
def test_a_source_is_kept_in_its_own_matrix_and_not_rounded_again(colorspace, matrix):
    planes = np.random.default_rng(0).integers(16, 236, (96, 64), np.uint8)
    frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    frame.colorspace, frame.color_range = colorspace, ColorRange.MPEG
    assert matrix_of(frame) == matrix
    assert (PlanesConverter((64, 64), Orientation(), (64, 64), matrix=matrix)(frame) == planes).all()


@pytest.mark.parametrize("pix_fmt", ["rgb24", "gbrp"])
def test_rgb_and_wide_gamut_go_to_bt709(pix_fmt):
    frame = av.VideoFrame.from_ndarray(picture(64, 80), format="rgb24").reformat(format=pix_fmt)
    assert matrix_of(frame) == "bt709"
    frame = frame_of(picture(64, 80), "yuv420p", Colorspace.BT2020, ColorRange.MPEG)
    assert matrix_of(frame) == "bt709"


def test_odd_sizes_are_refused():
    with pytest.raises(ValueError, match="even"):
        PlanesConverter((63, 64), Orientation(), (63, 64))
    with pytest.raises(EncodeError, match="even sides only"):
        encode_clip([], Fraction(10), width=63, height=64, matrix="bt709")
    with pytest.raises(ValueError, match="matrix is 'bt2020', wanted one of bt709, smpte170m"):
        PlanesConverter((64, 64), Orientation(), (64, 64), matrix="bt2020")


def test_the_encoder_takes_them_as_they_are(clip_path: Path):
    with open_video(clip_path) as video:
        frames = list(iter_planes(video, start_pts=0, end_pts=1 << 40, size=(128, 96)))
        matrix = video.matrix
    clip = encode_clip((frame.image for frame in frames), Fraction(24), width=128, height=96, crf=1, matrix=matrix)
    back = read_video(clip)
    assert len(back) == len(frames)
    assert apart(back, read_video(clip_path)) < 1
    with pytest.raises(EncodeError, match=r"frame 0 is uint8 \(144, 128\), wanted uint8 \(96, 128, 3\)"):
        encode_clip([frames[0].image], Fraction(24), width=128, height=96)


REAL = ["selfie_vertical.mp4", "bbb_0_30.webm", "composed/letterbox_mpeg2.ts", "sam2_dog.mp4"]


@pytest.mark.data
@pytest.mark.parametrize("name", REAL)
def test_real_files_look_the_same(media_dir, name):
    with open_video(media_dir / name) as video:
        width, height = (side // 2 * 2 for side in video.display_size)
        start = video.start_pts
    end = start + 1 + int(0.4 / float(video.time_base))
    frames = list(iter_frames(media_dir / name, start_pts=start, end_pts=end, size=(width, height)))
    with open_video(media_dir / name) as video:
        planes, matrix = list(iter_planes(video, start_pts=start, end_pts=end, size=(width, height))), video.matrix
    assert [frame.pts for frame in planes] == [frame.pts for frame in frames]
    assert max(apart(rgb_of(a.image, matrix), b.image) for a, b in zip(planes, frames, strict=True)) < 2
    clip = encode_clip(
        (frame.image for frame in planes), Fraction(24), width=width, height=height, crf=1, matrix=matrix
    )
    with open_video(clip) as back:
        assert back.matrix == matrix
    assert apart(read_video(clip), np.stack([frame.image for frame in frames])) < 2, "colours as before, and said so"
