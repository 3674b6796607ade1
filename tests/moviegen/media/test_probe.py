"""What probe says of files whose facts are known by construction."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from moviegen.media.limits import MediaLimits, RefusedMediaError, UnreadableMediaError
from moviegen.media.probe import probe
from moviegen.media.read import read_video
from moviegen.media.write import encode_clip


def test_a_clip_of_ours(clip_path: Path) -> None:
    facts = probe(clip_path)
    assert (facts.width, facts.height, facts.num_frames, facts.fps) == (128, 96, 48, Fraction(24))
    assert (facts.duration, facts.start_pts, facts.rotation, facts.sample_aspect) == (2.0, 0, 0, Fraction(1))
    assert (facts.video_codec, facts.audio_codec, facts.has_audio, facts.pix_fmt) == ("h264", None, False, "yuv420p")
    assert str(clip_path).startswith("/")
    assert probe(str(clip_path)) == facts


@pytest.mark.parametrize(
    "fps", [Fraction(24000, 1001), Fraction(25, 2), Fraction(60), Fraction(750000, 71393), Fraction(1, 3)]
)
def test_frame_rates_come_back_exactly(moving: list[np.ndarray], tmp_path: Path, fps: Fraction) -> None:
    path = tmp_path / "rate.mp4"
    path.write_bytes(encode_clip(moving[:4], fps, width=128, height=96, preset="ultrafast"))
    assert probe(path).fps == fps


def test_sample_aspect_is_displayed(clip_path: Path, ffmpeg: Callable, tmp_path: Path) -> None:
    ffmpeg("-i", clip_path, "-c", "copy", "-aspect", "8:3", tmp_path / "wide.mp4")
    facts = probe(tmp_path / "wide.mp4")
    assert (facts.width, facts.height, facts.coded_width, facts.sample_aspect) == (256, 96, 128, Fraction(2))


def test_an_absurd_sample_aspect_is_refused(clip_path: Path, ffmpeg: Callable, tmp_path: Path) -> None:
    ffmpeg("-i", clip_path, "-c", "copy", "-aspect", "64:1", tmp_path / "absurd.mp4")
    with pytest.raises(RefusedMediaError, match="6144x96"):
        probe(tmp_path / "absurd.mp4")


def test_the_default_stream_of_several_is_taken(clip_path: Path, ffmpeg: Callable, tmp_path: Path) -> None:
    second = ["-disposition:v:0", "0", "-disposition:v:1", "default"]
    ffmpeg(
        "-i", clip_path, "-f", "lavfi", "-i", "testsrc=s=64x48:r=10:d=1", "-map", "0:v", "-map", "1:v",
        "-c:v:0", "copy", "-c:v:1", "libx264", *second, tmp_path / "two.mkv",
    )  # fmt: skip
    facts = probe(tmp_path / "two.mkv")
    assert (facts.video_stream, facts.width, facts.fps) == (1, 64, Fraction(10))


def test_limits_given_are_limits_kept(clip_path: Path) -> None:
    with pytest.raises(RefusedMediaError, match="limit of 100 px a side"):
        probe(clip_path, MediaLimits(max_side_px=100))
    with pytest.raises(RefusedMediaError, match="none of the formats"):
        probe(clip_path, MediaLimits(formats=("avi",)))


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(UnreadableMediaError, match=r"nowhere\.mp4: cannot be opened: No such file"):
        probe("nowhere.mp4")
    with pytest.raises(UnreadableMediaError, match="cannot be opened"):
        probe("a\0b.mp4")
    with pytest.raises(UnreadableMediaError, match="<0 bytes>"):
        read_video(b"")


@pytest.mark.data
def test_real_files_against_ffprobe(media_dir: Path, media_manifest: dict[str, dict]) -> None:
    """Codec, stored size, rate, sample aspect, turn and sound, as ffprobe wrote them into the manifest."""
    checked = 0
    for name, row in media_manifest.items():
        if name.startswith("bad/") or not row.get("frames_decoded"):
            continue
        facts = probe(media_dir / name)
        stream = row["video_streams"][facts.video_stream]
        assert facts.video_codec == stream["codec"], name
        assert (facts.coded_width, facts.coded_height) == (stream["width"], stream["height"]), name
        assert facts.pix_fmt == stream["pix_fmt"], name
        assert facts.has_audio == row["has_audio"], name
        assert facts.rotation == -int(stream["rotation"] or 0) % 360, name
        if stream["sar"]:
            assert facts.sample_aspect == Fraction(stream["sar"].replace(":", "/")), name
        # ffprobe 5.1 and FFmpeg 8 estimate the rate of a Matroska file without durations differently.
        if name != "screenrec_annexb.mkv":
            assert float(facts.fps) == pytest.approx(float(Fraction(stream["fps"])), rel=1e-3), name
        checked += 1
    assert checked > 35
