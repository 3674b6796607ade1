"""A file that ends before its header says so is told from a whole one, wherever the container tells."""

from pathlib import Path

import pytest

from moviegen.media.limits import UnreadableMediaError
from moviegen.media.probe import probe
from moviegen.media.read import read_video


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm"])
@pytest.mark.parametrize("lost", [1, 100, 1000])
def test_one_lost_byte_is_enough(hostile_dir: Path, suffix: str, lost: int) -> None:
    content = (hostile_dir / f"good.{suffix}").read_bytes()
    assert len(read_video(content)) == 48
    with pytest.raises(
        UnreadableMediaError, match=rf"cut off: its header tells of \d+ bytes, the file has {len(content) - lost}"
    ):
        read_video(content[:-lost])


def test_a_recording_of_unknown_length_is_whole(clip_path: Path, ffmpeg, tmp_path: Path) -> None:
    """A live Matroska writes the length `unknown`, and may end anywhere."""
    live = tmp_path / "live.mkv"
    live.write_bytes(ffmpeg("-i", clip_path, "-c", "copy", "-live", 1, "-f", "matroska", "-"))
    assert len(read_video(live)) == 48


@pytest.mark.data
def test_whole_real_files_are_not_suspected(media_dir: Path, media_manifest: dict[str, dict]) -> None:
    for name, row in media_manifest.items():
        if row.get("frames_decoded") and not name.startswith("bad/"):
            assert probe(media_dir / name).width > 0
