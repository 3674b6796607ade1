"""The odd videos are what they claim, by another reader: the ffmpeg program, which turns pictures and hides frames by itself."""

import re
import subprocess
from itertools import pairwise

import numpy as np
import pytest

from moviegen.media.write import find_ffmpeg
from moviegen.testing.frame_code import DARK, MAX_NUMBER, paint_number, read_number
from moviegen.testing.odd_kinds import ODDITIES
from moviegen.testing.odd_media import draw_frame, make_odd_media


def test_numbers_read_back_and_only_upright():
    for number in range(0, MAX_NUMBER + 1, 7):
        image = paint_number(np.full((96, 160, 3), 90, np.uint8), number)
        assert read_number(image) == number
        assert read_number(np.ascontiguousarray(image[::2, ::2])) == number
        for turned in (image[:, ::-1], image[::-1], image[::-1, ::-1], image.swapaxes(0, 1)):
            assert read_number(np.ascontiguousarray(turned)) != number
    assert read_number(np.full((96, 160, 3), DARK, np.uint8)) is None
    with pytest.raises(ValueError, match=r"number is 1024, wanted 0\.\.1023"):
        paint_number(image, 1024)


KINDS = (
    "constant",
    "vfr_drift",
    "vfr_jitter",
    "mirrored_90",
    "rotate_270",
    "sar_rotate_90",
    "edit_trim",
    "edit_late",
    "ts_wrap",
)


@pytest.mark.parametrize("name", KINDS)
def test_ffmpeg_shows_the_same_frames_at_the_same_times(name, tmp_path):
    media = make_odd_media(name, ODDITIES[name], tmp_path)
    width, height = media.size
    picture = ["-map", "0:v:0", "-vf", f"scale={width}:{height},showinfo", "-fps_mode", "passthrough"]
    command = [str(find_ffmpeg()[0]), "-hide_banner", "-copyts", "-i", str(media.path), *picture]
    done = subprocess.run([*command, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True, check=True)
    images = np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width, 3)
    assert [read_number(image) for image in images] == list(media.numbers)
    times_s = np.array([float(time) for time in re.findall(rb"pts_time:\s*(-?[\d.]+)", done.stderr)])
    expected = np.array([float(time) for time in media.times_s])
    shift = 0 if media.has_own_clock else times_s[0]
    assert np.abs(times_s - shift - expected).max() < 1e-3


def test_the_same_seed_gives_the_same_video(tmp_path):
    one, two, other = (
        make_odd_media("vfr_jitter", ODDITIES["vfr_jitter"], tmp_path / folder, seed)
        for folder, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert one.times_s == two.times_s != other.times_s
    assert one.path.read_bytes() == two.path.read_bytes()


def test_shots_differ_and_frames_of_a_shot_hardly_do():
    frames = [draw_frame((160, 96), number, [0, 10, 20], seed=3).astype(int) for number in range(20)]
    changes = [np.abs(a - b).mean() for a, b in pairwise(frames)]
    assert changes[9] > 10 * max(changes[:9] + changes[10:])
