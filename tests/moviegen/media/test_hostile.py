"""Every hostile file ends as frames or as an error of its own, in the worker, in time; none reads a file it was not given."""

import os
from pathlib import Path

import pytest

from moviegen.media.limits import (
    MediaError,
    MediaLimits,
    NoVideoError,
    RefusedMediaError,
    UnreadableMediaError,
)
from moviegen.media.probe import probe
from moviegen.media.read import read_video
from moviegen.media.worker import DecodeWorker

REFUSED = {
    "playlist.m3u8": "none of the formats", "concat.mp4": "none of the formats", "concat_absolute.mp4": "none of the formats",
    "session.sdp": "none of the formats", "cover.png": "none of the formats", "picture.mp4": "none of the formats",
    "fifo.mp4": "no regular file", "folder.mp4": "no regular file", "zero.mp4": "no regular file",
    "line.mkv": "px a side", "ribbon.mp4": "20 to 1", "streams.mkv": "17 streams, limit 16",
    "quick.mp4": "1000 frames per second, limit 240", "long.mp4": "8000 s, limit 7200", "long.ts": "lasts",
}  # fmt: skip

UNREADABLE = {
    "playlist.mp4": "cannot be opened", "playlist_absolute.mp4": "cannot be opened", "playlist_http.mp4": "cannot be opened",
    "page.mp4": "cannot be opened", "noise.mp4": "cannot be opened", "hundred.mp4": "no stream at all", "empty.mp4": "is empty",
    "dangling.mp4": "No such file", "loop.mp4": "symbolic links", "bomb.mkv": "pixels a frame",
}  # fmt: skip


def test_every_file_ends_as_frames_or_as_a_clear_error(hostile_dir: Path) -> None:
    ends: dict[str, str] = {}
    with DecodeWorker(timeout_s=30, memory_bytes=1 << 30) as worker:
        for path in sorted(hostile_dir.iterdir()):
            try:
                frames = worker.call("moviegen.media.read.read_video", path, size=(32, 24))
                ends[path.name] = f"{len(frames)} frames"
            except (UnreadableMediaError, RefusedMediaError, NoVideoError) as error:
                ends[path.name] = f"{type(error).__name__}: {error}"
    wrong = {
        name: end for name, end in ends.items() if name.startswith(("good", "flip", "cut")) and not _is_right(name, end)
    }
    assert not wrong
    assert all(end.endswith("frames") or str(hostile_dir / name) in end for name, end in ends.items())
    assert len(ends) > 70


def _is_right(name: str, end: str) -> bool:
    """Good files are whole; cut-off and damaged ones are told from good ones, except MPEG-TS cut off, which cannot know."""
    if name.startswith("good"):
        return end == "48 frames"
    if name.startswith("cut") and name.endswith(".ts"):
        return end.endswith("frames")
    return not end.endswith("frames")


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_reason(hostile_dir: Path, name: str) -> None:
    with pytest.raises(RefusedMediaError, match=REFUSED[name]):
        read_video(hostile_dir / name)


@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable_with_the_reason(hostile_dir: Path, name: str) -> None:
    with pytest.raises(UnreadableMediaError, match=UNREADABLE[name]):
        read_video(hostile_dir / name)


@pytest.mark.parametrize("name", ["sound.m4a", "cover.m4a"])
def test_sound_with_or_without_a_cover_is_no_video(hostile_dir: Path, name: str) -> None:
    with pytest.raises(NoVideoError, match="no video stream"):
        probe(hostile_dir / name)


def test_playlists_are_refused_where_their_neighbours_would_open(hostile_dir: Path) -> None:
    """The files that the playlists point at are good: only the allow-list stands between."""
    assert probe(hostile_dir / "good.ts").width == probe(hostile_dir / "good.mp4").width == 128
    everything = MediaLimits(formats=("hls", "concat", *MediaLimits().formats))
    with pytest.raises(MediaError, match=r"playlist\.m3u8"):
        probe(hostile_dir / "playlist.m3u8")
    assert probe(hostile_dir / "concat.mp4", everything).width == 128  # so the file itself is a working disguise


def test_odd_names_are_just_names(hostile_dir: Path, moving: list) -> None:
    odd = [
        p for p in hostile_dir.iterdir() if p.is_file() and p.read_bytes() == (hostile_dir / "good.mp4").read_bytes()
    ]
    assert len(odd) == 14
    for path in odd:
        assert probe(path).num_frames == len(moving)


def test_a_name_that_begins_with_a_dash_below_the_current_folder(
    hostile_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(hostile_dir)
    assert read_video(Path("-i.mp4"), indices=[0]).shape == (1, 96, 128, 3)
    assert read_video(Path(os.fsdecode(b"\xff\xfe.mp4")), indices=[0]).shape == (1, 96, 128, 3)


@pytest.mark.data
def test_bad_real_files_end_in_a_named_state(media_dir: Path) -> None:
    ends = {}
    with DecodeWorker(timeout_s=60, memory_bytes=1 << 30) as worker:
        for path in sorted((media_dir / "bad").iterdir()):
            try:
                ends[path.name] = len(worker.call("moviegen.media.read.read_video", path, size=(32, 24)))
            except MediaError as error:
                ends[path.name] = type(error)
    unreadable = set(ends) - {"audio_only.mp4", "png_named.mp4", "one_frame.mp4"}
    assert {ends[name] for name in unreadable} == {UnreadableMediaError}
    assert ends["audio_only.mp4"] is NoVideoError
    assert ends["png_named.mp4"] is RefusedMediaError
    assert ends["one_frame.mp4"] == 1
