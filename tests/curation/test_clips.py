import json
from dataclasses import asdict
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.clips import SplitConfig, plan_clips, split_video, split_video_json, splitter_hash
from curation.shots import Cut, CutConfig, shot_rows
from moviegen.contracts.clip import Clip
from moviegen.contracts.tables import CLIPS, SHOTS, SIGNALS
from moviegen.media.limits import MediaError, UnreadableMediaError
from moviegen.media.read import iter_frames, open_video

TIME_BASE = Fraction(1, 1000)


@st.composite
def sources(draw):
    """A source of 5 to 200 s at a constant or varying rate, cut into shots."""
    gaps = draw(st.lists(st.sampled_from([33, 34, 40, 42, 100, 1000]), min_size=2, max_size=5))
    pts = [draw(st.integers(-500, 500))]
    while len(pts) < 40 or (pts[-1] - pts[0] < 5000):
        pts.append(pts[-1] + gaps[len(pts) % len(gaps)])
    for _ in range(draw(st.integers(0, 2000))):
        pts.append(pts[-1] + gaps[len(pts) % len(gaps)])
    frames = draw(st.lists(st.integers(1, len(pts) - 1), unique=True, max_size=8))
    end_pts = pts[-1] + gaps[0]
    return pts, end_pts, shot_rows("v" * 32, [Cut(f, "cut", 30.0) for f in sorted(frames)], pts, end_pts)


@settings(deadline=None)
@given(sources(), st.sampled_from(["one_per_shot", "tile"]), st.sampled_from([0.0, 2.0]), st.sampled_from([None, 0, 1]))
def test_clips_lie_in_one_shot_and_keep_their_lengths(source, policy, trim, most):
    pts, end_pts, shots = source
    config = SplitConfig(policy=policy, start_trim_s=trim, max_long_shots=most)
    clips = plan_clips(shots, pts, end_pts, TIME_BASE, "v" * 32, config)
    grid = [*pts, end_pts]
    by_number = {row["shot"]: row for row in shots}
    for clip in clips:
        shot = by_number[clip.shot]
        assert shot["start_frame"] <= clip.start < clip.end <= shot["start_frame"] + shot["num_frames"]
        assert 4000 <= grid[clip.end] - grid[clip.start] <= 16000
        assert grid[clip.start] >= grid[0] + trim * 1000
    assert all(a.end <= b.start for a, b in pairwise(clips)), "clips overlap"
    assert clips == plan_clips(shots, pts, end_pts, TIME_BASE, "v" * 32, config)
    if policy == "one_per_shot":
        assert len({clip.shot for clip in clips}) == len(clips)


def long_source(num_shots: int, seconds: int):
    pts = [40 * i for i in range(num_shots * seconds * 25)]
    cuts = [Cut(i * seconds * 25, "cut", 30.0) for i in range(1, num_shots)]
    return shot_rows("v" * 32, cuts, pts, pts[-1] + 40), pts, pts[-1] + 40


class TestPolicies:
    def plan(self, source, video_id="v" * 32, **config):
        shots, pts, end_pts = source
        return plan_clips(shots, pts, end_pts, TIME_BASE, video_id, SplitConfig(start_trim_s=0, **config))

    def test_a_shot_that_fits_is_taken_whole(self):
        [clip] = self.plan(long_source(1, 16))
        assert (clip.start, clip.end) == (0, 400)

    def test_a_long_shot_gives_one_clip_at_random_by_the_video(self):
        starts = {self.plan(long_source(1, 60), video_id=f"{i:032x}")[0].start for i in range(20)}
        assert len(starts) > 10
        assert all(0 <= start <= 44 * 25 for start in starts)
        [clip] = self.plan(long_source(1, 60))
        assert clip.end - clip.start == 400

    def test_at_most_so_many_long_shots(self):
        assert len(self.plan(long_source(6, 20), max_long_shots=2)) == 2
        assert len(self.plan(long_source(6, 20), max_long_shots=None)) == 6
        assert len(self.plan(long_source(6, 10), max_long_shots=2)) == 6

    def test_tiles_are_equal_and_leave_nothing(self):
        clips = self.plan(long_source(1, 40), policy="tile")
        assert [(clip.start, clip.end) for clip in clips] == [(0, 334), (334, 667), (667, 1000)]

    def test_the_start_of_the_video_is_trimmed_and_no_other(self):
        shots, pts, end_pts = long_source(2, 10)
        first, second = plan_clips(shots, pts, end_pts, TIME_BASE, "v", SplitConfig(start_trim_s=2))
        assert (first.start, first.end, second.start) == (50, 250, 250)

    def test_short_shots_give_nothing(self):
        assert self.plan(long_source(5, 3)) == []


class TestSplit:
    def test_rows_are_the_tables_and_belong_together(self, film):
        made = film("cuts", 1)
        result = made.split()
        for table, rows in ((SHOTS, result.shots), (SIGNALS, result.signals), (CLIPS, result.clips)):
            assert rows
            for row in rows:
                table.check_row(row)
        assert [row["start_frame"] for row in result.shots] == [0, *made.footage.cuts_frames]
        [signals] = result.signals
        assert {len(signals[name]) for name in ("pts", "motion", "luma", "border_top")} == {made.footage.num_frames}
        assert len(result.clips) == len(made.footage.scenes)

    def test_a_clips_frames_are_those_of_its_span(self, film):
        made = film("cuts", 1)
        for clip, signals in made.clips():
            frames = list(iter_frames(made.path, start_pts=clip.start_pts, end_pts=clip.end_pts))
            assert len(frames) == clip.num_frames
            assert [frame.pts for frame in frames] == signals["pts"].tolist()
            assert clip.duration == pytest.approx(clip.num_frames / clip.fps)

    def test_same_input_same_rows_and_other_settings_other_ids(self, film):
        made = film("good", 0)
        assert json.dumps(asdict(made.split())) == json.dumps(asdict(made.split()))
        one, other = made.split(), made.split(max_clip_s=15)
        assert [row["start_pts"] for row in one.clips] == [row["start_pts"] for row in other.clips]
        assert {row["clip_id"] for row in one.clips}.isdisjoint(row["clip_id"] for row in other.clips)

    def test_plain_values_in_and_out(self, film):
        made = film("good", 0)
        config = {"start_trim_s": 0.0, "cuts": {"detector": "content"}}
        answer = split_video_json(str(made.path), made.video["video_id"], config)
        expected = made.split(cuts=CutConfig(detector="content"))
        assert answer["clips"] == expected.clips
        assert set(json.loads(json.dumps(answer))) == {"shots", "signals", "clips"}

    def test_a_broken_file_says_which_and_why(self, tmp_path):
        path = tmp_path / "page.mp4"
        path.write_text("<html>not found</html>")
        with pytest.raises(MediaError, match=r"page\.mp4"):
            split_video(str(path), "v" * 32, SplitConfig())

    @pytest.mark.data
    def test_a_varying_rate_keeps_its_own_times(self, media_dir):
        path = media_dir / "dog_vfr_rotate180.mp4"
        [row] = split_video(str(path), "v" * 32, SplitConfig(start_trim_s=0, min_clip_s=1)).clips
        clip = Clip(**row)
        assert (clip.width, clip.height, clip.num_frames) == (1280, 720, 25)
        pts = [frame.pts for frame in iter_frames(path)]
        assert (clip.start_pts, clip.duration) == (pts[0], pytest.approx(2.38, abs=0.01))

    @pytest.mark.data
    def test_damage_in_the_middle_fails_the_video(self, media_dir):
        with pytest.raises(UnreadableMediaError, match="damaged"):
            split_video(str(media_dir / "bad" / "corrupted_packets.mp4"), "v" * 32, SplitConfig())


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"min_clip_s": 5, "max_clip_s": 4}, "min_clip_s <= max_clip_s"),
        ({"start_trim_s": -1}, "start_trim_s is -1"),
        ({"policy": "tiles"}, "'tiles' is not one of one_per_shot, tile"),
        ({"max_long_shots": -1}, "max_long_shots is -1"),
    ],
)
def test_refusals(config, message):
    with pytest.raises(ValueError, match=message):
        SplitConfig(**config)


def test_the_splitters_hash_changes_with_every_setting():
    configs = [SplitConfig(), SplitConfig(start_trim_s=0), SplitConfig(cuts=CutConfig(threshold=2.5))]
    assert len({splitter_hash(config) for config in configs}) == 3


class TestCrop:
    @pytest.mark.parametrize("kind", ["letterbox", "pillarbox"])
    def test_bars_are_cut_off_and_nobody_sees_them(self, film, kind):
        from curation.detectors import load_detector
        from curation.detectors.base import FrameRequest
        from curation.scoring import clip_input, score_clip
        from curation.shards import clip_frames

        made = film(kind, 2)
        [(whole, _)] = made.clips()
        [(clip, signals)] = made.clips(crop_borders=True)
        top, bottom, left, right = made.footage.borders
        cut = clip.crop_top, clip.crop_bottom, clip.crop_left, clip.crop_right
        assert cut == pytest.approx((top, bottom, left, right), abs=3)
        assert (clip.width, clip.height) == (whole.width - sum(cut[2:]), whole.height - sum(cut[:2]))
        assert clip.is_cropped
        assert not whole.is_cropped
        [image] = clip_input(FrameRequest("middle"), clip, made.video, signals).frames
        assert image.shape == (clip.height, clip.width, 3)
        assert (
            load_detector("borders").score(clip_input(FrameRequest(), clip, made.video, signals))["borders.max_px"] <= 2
        )
        assert score_clip(load_detector("borders"), clip, made.video, signals)["borders.area_fraction"] < 0.02
        size = (clip.width // 2 * 2, clip.height // 2 * 2)
        with open_video(made.path) as video:
            frame = next(clip_frames(video, clip, clip.fps, size))[: size[1]]
        edges = [frame[0], frame[-1], frame[:, 0], frame[:, -1]]
        assert min(edge.mean() for edge in edges) > 16 + 7, "no black edge is left; black is 16"

    def test_a_picture_without_bars_stays(self, film):
        [(clip, _), *_] = film("good", 1).clips(crop_borders=True)
        assert not clip.is_cropped
