import json
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.shots import Cut, CutConfig, CutFinder, picture_maker, shot_rows
from curation.signals.planes import ContentScore, frame_planes
from moviegen.contracts.tables import SHOTS
from moviegen.media.read import open_video

REAL = ("bikes_cuts.mp4", "nasa_multistream.mp4", "hamilton_stage.mp4", "pool_handheld.mp4", "carphone_distorted.mp4")
"""Cuts, a dissolve, a dark stage, an anamorphic shaking hand, 176 x 144: files that decode fast."""


def find(path, config: CutConfig) -> tuple[list[Cut], list[float]]:
    with open_video(path) as video:
        finder, pictures, content = CutFinder(config, video.stream.average_rate), picture_maker(config), ContentScore()
        scores = []
        for timed in video.frames():
            picture = pictures(timed.frame, frame_planes(timed.frame))
            scores.append(content.add(picture))
            finder.add(picture, scores[-1])
    return finder.cuts(), scores


def pyscenedetect(path, detector) -> tuple[list[int], list[float]]:
    """What PySceneDetect itself finds when it reads the file."""
    import scenedetect
    from scenedetect.stats_manager import StatsManager

    video = scenedetect.open_video(str(path), backend="pyav")
    stats = StatsManager()
    manager = scenedetect.SceneManager(stats)
    manager.add_detector(detector)
    manager.detect_scenes(video)
    rows = stats._frame_metrics
    scores = [rows[time].get("content_val", 0.0) for time in sorted(rows, key=lambda time: time.frame_num)]
    return [start.frame_num for start, _ in manager.get_scene_list()][1:], scores


def check_against_pyscenedetect(path):
    from scenedetect.detectors import AdaptiveDetector, ContentDetector, ThresholdDetector

    for name, detector in (
        ("adaptive", AdaptiveDetector(min_scene_len=4)),
        ("content", ContentDetector(min_scene_len=4)),
    ):
        theirs, their_scores = pyscenedetect(path, detector)
        ours, our_scores = find(path, CutConfig(detector=name, detect_fades=False))
        assert [cut.frame for cut in ours] == theirs
        np.testing.assert_allclose(our_scores[-len(their_scores) :], their_scores, rtol=1e-9)
    theirs, _ = pyscenedetect(path, ThresholdDetector(min_scene_len=4))
    finder = find(path, CutConfig(detector="adaptive"))[0]
    assert [cut.frame for cut in finder if cut.transition == "fade"] == theirs


def test_cuts_and_scores_are_pyscenedetects(film):
    check_against_pyscenedetect(film("cuts", 1).path)


@pytest.mark.data
@pytest.mark.parametrize("name", REAL)
def test_cuts_and_scores_are_pyscenedetects_on_real_media(media_dir, name):
    check_against_pyscenedetect(media_dir / name)


@pytest.mark.parametrize("seed", [1, 2])
def test_planted_cuts_are_found_to_the_frame(film, seed):
    made = film("cuts", seed)
    cuts, _ = find(made.path, CutConfig())
    assert [cut.frame for cut in cuts] == list(made.footage.cuts_frames)


@pytest.mark.data
def test_hard_cuts_of_real_media(media_dir, media_truth):
    """F1 over clips of the truth that decode fast; the whole set is in benchmarks."""
    right = false = missed = 0
    for name in ("bikes_cuts.mp4", "hamilton_stage.mp4", "psd_counter_frames.mp4", "composed/montage_cuts_68s.mp4"):
        left = set(media_truth[name]["cuts_frames"])
        for cut in find(media_dir / name, CutConfig())[0]:
            near = [frame for frame in left if abs(frame - cut.frame) <= 2]
            right, false = right + bool(near), false + (not near)
            left -= set(near[:1])
        missed += len(left)
    assert (right, false, missed) == (22, 0, 1), json.dumps([right, false, missed])


class TestWhichCutsAreKept:
    def finder(self, found, num_frames=200):
        finder = CutFinder(CutConfig(detector="adaptive", min_shot_frames=10), Fraction(24))
        finder._found, finder._scores = found, [float(i) for i in range(num_frames)]
        return [(cut.frame, cut.transition, cut.score) for cut in finder.cuts()]

    def test_a_hard_cut_wins_over_a_fade_beside_it(self):
        assert self.finder([(50, "fade"), (52, "cut")]) == [(52, "cut", 52.0)]
        assert self.finder([(50, "cut"), (52, "fade")]) == [(50, "cut", 50.0)]

    def test_near_cuts_are_one(self):
        assert self.finder([(50, "cut"), (55, "cut"), (80, "cut")]) == [(50, "cut", 50.0), (80, "cut", 80.0)]

    def test_the_first_frame_is_no_cut(self):
        assert self.finder([(0, "fade"), (30, "cut")]) == [(30, "cut", 30.0)]


@given(st.lists(st.integers(1, 99), unique=True), st.integers(1, 50))
def test_shots_cover_every_frame_once(frames, step):
    pts = [7 + step * i for i in range(100)]
    cuts = [Cut(frame, "cut", 30.0) for frame in sorted(frames)]
    rows = shot_rows("v" * 32, cuts, pts, pts[-1] + step)
    for row in rows:
        SHOTS.check_row(row)
        assert row["start_pts"] == pts[row["start_frame"]]
    assert [row["start_frame"] for row in rows] == [0, *sorted(frames)]
    assert sum(row["num_frames"] for row in rows) == 100
    assert [row["end_pts"] for row in rows] == [*(row["start_pts"] for row in rows[1:]), pts[-1] + step]


def test_a_gradual_transition_belongs_to_the_shot_it_leads_into():
    pts = list(range(0, 1000, 10))
    rows = shot_rows("v" * 32, [Cut(0, "fade", 0.0, 12), Cut(50, "dissolve", 9.0, 20), Cut(80, "cut", 30.0)], pts, 1000)
    assert [(row["start_frame"], row["num_frames"], row["transition"], row["transition_frames"]) for row in rows] == [
        (0, 50, "fade", 12), (50, 30, "dissolve", 20), (80, 20, "cut", 0),
    ]  # fmt: skip


@pytest.mark.parametrize("detector", ["transitions", "content"])
def test_a_frame_that_changes_its_size_is_looked_at_in_the_first_ones(detector):
    pictures = picture_maker(CutConfig(detector=detector))
    frames = [
        av.VideoFrame.from_ndarray(np.zeros((h, w, 3), np.uint8)) for h, w in ((360, 640), (720, 1280), (90, 160))
    ]
    shapes = {pictures(frame, frame_planes(frame)).shape for frame in frames}
    assert shapes == {(144, 256, 3)}


@pytest.mark.data
@pytest.mark.parametrize("name", ["sam2_dog.mp4", "hamilton_stage.mp4", "bikes_cuts.mp4", "letterbox_mpeg2.ts"])
def test_the_quick_picture_gives_the_content_scores_of_the_slow_one(media_dir, name):
    path = next(media_dir.rglob(name))
    quick, slow = (find(path, CutConfig(detector=detector))[1] for detector in ("transitions", "content"))
    assert np.corrcoef(quick, slow)[0, 1] > 0.99
    np.testing.assert_array_equal(np.array(quick) >= 27, np.array(slow) >= 27)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"detector": "contents"}, "'contents' is not one of transitions, adaptive, content"),
        ({"threshold": 0}, "cuts.threshold is 0"),
        ({"min_shot_frames": 0}, "cuts.min_shot_frames is 0"),
    ],
)
def test_refusals(config, message):
    with pytest.raises(ValueError, match=message):
        CutConfig(**config)
