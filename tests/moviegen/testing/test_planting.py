"""A world on disk against its truth, measured through moviegen.media and OpenCV."""

import json
from collections import Counter
from contextlib import suppress
from fractions import Fraction

import numpy as np
import pytest

from moviegen.errors import UsageError
from moviegen.media.limits import MediaError
from moviegen.media.probe import probe
from moviegen.media.read import iter_frames, read_audio, read_video
from moviegen.testing.captions import parse_caption
from moviegen.testing.damage import DAMAGES
from moviegen.testing.footage import FAULTS, GOOD
from moviegen.testing.oracle import judge
from moviegen.testing.planting import KINDS, plan_world, write_world


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    return folder, write_world(folder, 3, 8)


def _of_kind(world, *kinds):
    folder, truth = world
    rows = [row for row in truth if row["kind"] in kinds]
    assert rows
    return [(folder / row["file"], row) for row in rows]


def test_truth_names_every_file_once_with_its_caption(world):
    folder, truth = world
    videos = {p.name for p in folder.iterdir() if p.suffix in (".mp4", ".mkv")}
    assert [row["file"] for row in truth] == sorted(videos)
    assert truth == json.loads((folder / "truth.json").read_text())
    for row in truth:
        assert (folder / row["file"]).with_suffix(".txt").read_text() == row["caption"] + "\n"
    assert set(Counter(row["kind"] for row in truth)) == set(KINDS)


def test_whole_files_are_as_long_and_large_as_the_truth_says(world):
    for path, row in _of_kind(world, *GOOD, *FAULTS, "near_duplicate", "duplicate"):
        found = probe(path)
        assert (found.width, found.height, found.has_audio) == (row["width"], row["height"], row["has_audio"])
        assert float(found.fps) == pytest.approx(row["fps_num"] / row["fps_den"], rel=1e-3)
        assert sum(1 for _ in iter_frames(path)) == row["num_frames"]


def test_good_videos_show_what_their_captions_say(world):
    judged = []
    for path, row in _of_kind(world, "good"):
        if parse_caption(row["caption"])["camera"] == "static":
            side = (64 * row["width"] // row["height"] // 2 * 2, 64)
            judged.append(judge(row["caption"], read_video(path, size=side)))
    assert len(judged) >= 3
    assert all(j.all_ok for j in judged)


def test_cuts_are_the_frames_where_the_background_jumps(world):
    for path, row in _of_kind(world, "cuts", "jitter", "slideshow"):
        corner = read_video(path)[:, :12, :12].astype(float).mean(axis=(1, 2, 3))
        assert np.flatnonzero(np.abs(np.diff(corner)) > 20).tolist() == [cut - 1 for cut in row["cuts_frames"]]
        if row["kind"] == "cuts":
            ends = [0, *row["cuts_frames"], row["num_frames"]]
            assert min(np.diff(ends)) * Fraction(row["fps_den"], row["fps_num"]) > 4


def test_borders_are_black_to_the_row(world):
    for path, row in _of_kind(world, "letterbox", "pillarbox"):
        top, bottom, left, right = row["borders"]
        assert max(row["borders"]) >= 20
        frame = read_video(path, indices=[10])[0].max(axis=-1).astype(int)
        inner = frame[top : frame.shape[0] - bottom, left : frame.shape[1] - right]
        assert inner.min() > 24
        outer = frame.copy()
        outer[max(0, top - 1) : frame.shape[0] - bottom + 1, max(0, left - 1) : frame.shape[1] - right + 1] = 0
        assert outer.max() <= 8


def test_stills_do_not_move_and_shakes_do(world):
    for path, row in _of_kind(world, "static", "black", "slideshow", "shake"):
        frames = read_video(path).astype(int)
        change = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))
        change = np.delete(change, [cut - 1 for cut in row["cuts_frames"]])
        if row["kind"] == "shake":
            assert change.mean() > 4
        else:
            assert change.max() < 0.3
        if row["kind"] == "black":
            assert frames.max() <= 8


def test_text_is_in_every_frame(world):
    for path, row in _of_kind(world, "text"):
        assert row["text"]
        white = (read_video(path).min(axis=-1) > 235).mean(axis=(1, 2))
        assert white.min() > 0.005


def test_small_and_short_are_below_what_is_asked(world):
    assert all(max(row["width"], row["height"]) <= 64 for _, row in _of_kind(world, "small"))
    assert all(row["num_frames"] * row["fps_den"] < 4 * row["fps_num"] for _, row in _of_kind(world, "short"))


def test_duplicates_are_copies_and_near_duplicates_the_same_film(world):
    folder, _ = world
    for path, row in _of_kind(world, "duplicate"):
        assert path.read_bytes() == (folder / row["duplicate_of"]).read_bytes()
        assert row["duplicate_of"] < row["file"]
    for path, row in _of_kind(world, "near_duplicate"):
        source = folder / row["duplicate_of"]
        assert path.read_bytes() != source.read_bytes()
        assert np.abs(read_video(path).astype(int) - read_video(source)).mean() < 4


def test_broken_files_end_as_errors(world):
    for path, row in _of_kind(world, *DAMAGES):
        if row["expected"] == "failed":
            with pytest.raises(MediaError, match=path.name):
                list(iter_frames(path))
        else:
            with suppress(MediaError):
                assert 0 < len(list(iter_frames(path))) <= row["num_frames"]


def test_sound_is_as_long_as_the_picture(world):
    for path, row in _of_kind(world, "good"):
        if row["has_audio"]:
            duration = row["num_frames"] * row["fps_den"] / row["fps_num"]
            assert read_audio(path).shape[1] / 48000 == pytest.approx(duration, abs=0.08)


def test_more_or_fewer_files_have_the_same_bytes_and_a_finished_world_is_left_alone(world, tmp_path):
    folder, truth = world
    again = tmp_path / "again"
    few = write_world(again, 3, 2, num_faults=0)
    assert [row["file"] for row in few] == ["good_0000.mp4", "good_0001.mp4"]
    for row in few:
        assert (again / row["file"]).read_bytes() == (folder / row["file"]).read_bytes()
    times = {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}
    assert write_world(folder, 3, 8) == truth
    assert {p.name: p.stat().st_mtime_ns for p in folder.iterdir()} == times


def test_other_arguments_or_a_foreign_folder_are_refused(world, tmp_path):
    with pytest.raises(UsageError, match="give another folder"):
        write_world(world[0], 4, 8)
    (tmp_path / "mine.mp4").write_bytes(b"")
    with pytest.raises(UsageError, match="holds no toy world"):
        write_world(tmp_path, 0, 1)


def test_an_interrupted_world_is_finished_by_the_same_call(world, tmp_path):
    truth = write_world(tmp_path, 3, 2, faults=False)
    (tmp_path / "truth.json").unlink()
    (tmp_path / "good_0000.mp4").write_bytes(b"half")
    assert write_world(tmp_path, 3, 2, faults=False) == truth
    assert (tmp_path / "good_0000.mp4").read_bytes() == (world[0] / "good_0000.mp4").read_bytes()


def test_plans_grow_without_changing_what_was_there():
    small, large = plan_world(0, 20), plan_world(0, 120)
    assert small[:20] == large[:20]
    assert Counter(plan.kind for plan in large)["letterbox"] == 3
    assert not [plan for plan in plan_world(0, 20, faults=False) if plan.kind not in GOOD]
    files = [plan.file for plan in plan_world(0, 1, num_faults=6)]
    assert len(files) == len(set(files))
    with pytest.raises(ValueError, match="wanted at least 1"):
        plan_world(0, 0)
