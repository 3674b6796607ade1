"""All real media against what is known of it: frame counts, colours, timestamps, seeks."""

from collections.abc import Callable
from itertools import islice, pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from moviegen.media.probe import probe
from moviegen.media.read import iter_frames, open_video, read_frames_at

pytestmark = pytest.mark.data

MAX_MEAN_DIFFERENCE = 2.0
"""Levels of 255 that our colours may be off from ffmpeg's quick path on average: it repeats chroma, we interpolate it."""

SHARP_CHROMA = {"synthetic_hevc10.mp4": 4.0}
"""A test card of fine coloured lines in 200 x 200 px: the two ways with chroma differ more."""


@pytest.fixture(scope="module")
def real(media_dir: Path, media_manifest: dict[str, dict]) -> dict[str, tuple[Path, dict]]:
    """(path, facts) of every file that decodes, by name."""
    rows = media_manifest.items()
    return {
        name: (media_dir / name, row) for name, row in rows if row.get("frames_decoded") and not name.startswith("bad/")
    }


def is_long(row: dict) -> bool:
    """Whether decoding all of it takes a second or more of one core."""
    stream = row["video_streams"][0]
    return stream["width"] * stream["height"] * row["frames_decoded"] > 150e6


def check_counts_and_seeks(path: Path, num_frames: int) -> None:
    """As many frames as counted, timestamps that grow, and frames by seek equal to frames in sequence."""
    wanted = sorted({int(num_frames * share) for share in (0.02, 0.3, 0.33, 0.77, 0.999)})
    stamps, images = [], {}
    with open_video(path) as video:
        convert = video.converter((160, 96))
        for timed in video.frames():
            stamps.append(timed.pts)
            if timed.index in wanted:
                images[timed.pts] = convert(timed.frame)
    assert len(stamps) == num_frames, path.name
    assert all(after > before for before, after in pairwise(stamps)), path.name
    for frame in read_frames_at(path, list(reversed(images)), size=(160, 96)):
        assert np.array_equal(frame.image, images[frame.pts]), f"{path.name} at {frame.pts}"


def test_counts_and_seeks(real: dict[str, tuple[Path, dict]]) -> None:
    short = [(path, row) for path, row in real.values() if not is_long(row)]
    assert len(short) > 25
    for path, row in short:
        check_counts_and_seeks(path, row["frames_decoded"])


@pytest.mark.slow
def test_counts_and_seeks_of_long_files(real: dict[str, tuple[Path, dict]]) -> None:
    for path, row in real.values():
        if is_long(row):
            check_counts_and_seeks(path, row["frames_decoded"])


def test_seek_fragile_file(real: dict[str, tuple[Path, dict]]) -> None:
    """Its key frames decode to damage in a decoder that has not seen the file's first packet."""
    check_counts_and_seeks(real["cockatoo_444_seekfragile.mp4"][0], 280)


def test_colours_equal_ffmpeg(real: dict[str, tuple[Path, dict]], rgb_by_ffmpeg: Callable) -> None:
    """Exactly, when ffmpeg is told to interpolate chroma; off by one level where it turns first."""
    for name, (path, _) in real.items():
        facts = probe(path)
        exact = rgb_by_ffmpeg(path, 2, (facts.width, facts.height), facts.video_stream)
        assert np.abs(first_frames(path, 2) - exact).max() <= (1 if facts.rotation else 0), name


QUICK = (
    "bikes_cuts.mp4",
    "asl_book.mkv",
    "dog_vfr_rotate180.mp4",
    "nasa_multistream.mp4",
    "makeup_mpeg4.avi",
    "synthetic_hevc10.mp4",
)


@pytest.mark.parametrize("name", QUICK)
def test_colours_are_near_those_of_the_quick_path(
    real: dict[str, tuple[Path, dict]], rgb_by_ffmpeg: Callable, name: str
) -> None:
    path = real[name][0]
    facts = probe(path)
    quick = rgb_by_ffmpeg(path, 2, (facts.width, facts.height), facts.video_stream, is_quick=True)
    assert np.abs(first_frames(path, 2) - quick).mean() <= SHARP_CHROMA.get(name, MAX_MEAN_DIFFERENCE)


def first_frames(path: Path, num_frames: int) -> np.ndarray:
    """(T, H, W, 3) int, so that differences have a sign."""
    return np.stack([frame.image for frame in islice(iter_frames(path), num_frames)]).astype(int)


def test_opencv_sees_the_same_picture(real: dict[str, tuple[Path, dict]]) -> None:
    """A third decoder, on files without sample aspect or several streams: structure within 3 levels on average."""
    for name in ("bikes_cuts.mp4", "bbb_0_30.webm", "dog_vfr_rotate180.mp4", "bbb_rotate90_fadein.mp4", "asl_book.mkv"):
        path = real[name][0]
        capture = cv2.VideoCapture(str(path))
        for frame, _ in zip(iter_frames(path), range(5), strict=False):
            is_read, image = capture.read()
            assert is_read
            assert np.abs(frame.image.astype(int) - image[:, :, ::-1]).mean() < 3, name
        capture.release()


def test_the_counter_file_shows_its_frame_numbers(real: dict[str, tuple[Path, dict]]) -> None:
    """Frame i reads `Frame = i+1`: any two differ in the number, and a seek lands on the very frame."""
    path = real["psd_counter_frames.mp4"][0]
    frames = list(iter_frames(path, size=(480, 270)))
    for index in (29, 3, 17, 18):
        found = read_frames_at(path, [frames[index].pts], size=(480, 270))[0]
        differences = [np.abs(found.image.astype(int) - frame.image).max() for frame in frames]
        assert [i for i, difference in enumerate(differences) if difference == 0] == [index]


def test_a_name_that_begins_with_a_dash(media_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(media_dir / "dash-name")
    assert [frame.image.shape for frame in iter_frames("-video-with-dash-.mp4")] == [(1, 1, 3)] * 5
