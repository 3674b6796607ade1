"""Detectors that look at no frame: probe, motion, borders, jitter, still."""

import numpy as np
import pytest

from curation.detectors import load_detector
from curation.detectors.base import ClipInput


class TestProbe:
    def test_facts(self, clip_input):
        scores = load_detector("probe").score(clip_input(96, width=320, height=180, video={"duration": 30.0}))
        assert scores == {
            "probe.width": 320, "probe.height": 180, "probe.min_side": 180, "probe.aspect": 320 / 180,
            "probe.duration": 4.0, "probe.fps": 24.0, "probe.source_duration": 30.0,
        }  # fmt: skip

    def test_a_header_without_duration_gives_no_number(self, clip_input):
        assert "probe.source_duration" not in load_detector("probe").score(clip_input(video={"duration": None}))


class TestMotion:
    def test_means_of_the_clip_alone(self, clip_input):
        # the first frame's motion is against the frame before the clip: not the clip's
        scores = load_detector("motion").score(clip_input(4, motion=[90, 2, 0.01, 4], motion_vector=[np.nan, 1, 2, 3]))
        assert scores["motion.vmaf"] == pytest.approx(6.01 / 4)
        assert scores["motion.vector"] == pytest.approx(2.0)
        assert scores["motion.static_fraction"] == pytest.approx(1 / 3)

    @pytest.mark.parametrize("vectors", [[], [np.nan] * 4])
    def test_no_vectors_no_number(self, clip_input, vectors):
        assert "motion.vector" not in load_detector("motion").score(clip_input(4, motion_vector=vectors))

    def test_a_clip_of_one_frame(self, clip_input):
        scores = load_detector("motion").score(clip_input(1))
        assert scores == {"motion.vmaf": 0.0, "motion.vector": 0.0, "motion.px_per_frame": 0.0}

    def test_flow_stands_in_where_the_codec_has_no_vectors(self, clip_input):
        flow = [9, np.nan, 0.24, np.nan, 0.48, np.nan]
        scores = load_detector("motion").score(clip_input(6, flow=flow, flow_residual=flow, motion_vector=[]))
        assert scores["motion.flow"] == scores["motion.object"] == pytest.approx(0.36)
        assert scores["motion.px_per_frame"] == pytest.approx(0.36 * np.hypot(320, 180) / 24)
        assert "motion.vector" not in scores
        with_vectors = load_detector("motion").score(
            clip_input(6, flow=flow, flow_residual=flow, motion_vector=[2.0] * 6)
        )
        assert with_vectors["motion.px_per_frame"] == 2.0

    def test_nothing_seen_no_flow(self, clip_input):
        assert "motion.flow" not in load_detector("motion").score(clip_input(4, flow=[np.nan] * 4))


class TestBorders:
    def score(self, clip_input, **sides) -> dict[str, float]:
        return load_detector("borders").score(clip_input(10, **{f"border_{k}": v for k, v in sides.items()}))

    def test_widest_side_and_share(self, clip_input):
        scores = self.score(clip_input, top=[20] * 10, bottom=[25] * 10, left=[32] * 10)
        assert scores["borders.max_px"] == 32
        assert scores["borders.area_fraction"] == pytest.approx(1 - (288 * 135) / (320 * 180))

    def test_subtitles_flashes_and_dark_moments_do_not_move_it(self, clip_input):
        top = [20, 20, 20, np.nan, np.nan, 20, 180, 20, 20, 3]
        assert self.score(clip_input, top=top)["borders.max_px"] == 20

    def test_a_false_edge_now_and_then_in_a_night_scene_is_none(self, clip_input):
        scores = load_detector("borders").score(clip_input(30, border_top=[np.nan] * 28 + [40, 50]))
        assert scores["borders.max_px"] == 0

    def test_all_black_gives_no_number(self, clip_input):
        nothing = [np.nan] * 10
        assert self.score(clip_input, top=nothing, bottom=nothing, left=nothing, right=nothing) == {}


class TestJitter:
    def test_false_shots_a_second_without_the_clips_own_first_frame(self, clip_input):
        score = [99] + [0] * 20 + [27, 26.9, 60] + [0] * 24
        assert load_detector("jitter").score(clip_input(48, cut_score=score))["jitter.shots_per_second"] == 1.0

    def test_a_pan_is_no_shake(self, clip_input):
        rng = np.random.default_rng(0)
        noise = rng.normal(0, 0.1, 48)
        for speed in (0.0, 0.3):
            steady = load_detector("jitter").score(clip_input(48, camera_x=np.full(48, speed)))
            assert steady["jitter.shake"] == pytest.approx(0, abs=1e-6)
            shaken = load_detector("jitter").score(clip_input(48, camera_x=noise + speed))
            assert shaken["jitter.shake"] == pytest.approx(np.abs(noise).mean(), rel=0.2)

    def test_no_flow_no_shake(self, clip_input):
        assert "jitter.shake" not in load_detector("jitter").score(clip_input(8, flow=[np.nan] * 8))


class TestStill:
    def test_runs_of_equal_frames(self, clip_input):
        # frames 10..33 repeat frame 9, frame 40 alone repeats frame 39
        difference = np.full(48, 3.0)
        difference[10:34], difference[40] = 0.1, 0.0
        scores = load_detector("still").score(clip_input(48, difference=difference, flow=np.full(48, np.nan)))
        assert scores == {
            "still.freeze_fraction": pytest.approx(25 / 48), "still.longest_freeze_s": pytest.approx(25 / 24),
        }  # fmt: skip

    def test_one_picture_moved_is_a_still(self, clip_input):
        moving = {"flow": np.full(48, 0.1), "difference": np.full(48, 4.0)}
        scores = load_detector("still").score(
            clip_input(48, flow_residual=np.full(48, 0.005), camera_inliers=np.ones(48), **moving)
        )
        assert scores["still.picture_fraction"] == 1.0
        alive = load_detector("still").score(
            clip_input(48, flow_residual=np.full(48, 0.03), camera_inliers=np.full(48, 0.8), **moving)
        )
        assert alive["still.picture_fraction"] == 0.0

    @pytest.mark.data
    def test_the_composed_freeze(self, media_dir, media_truth):
        from curation.clips import SplitConfig, split_video
        from curation.signals.table import slice_signals
        from moviegen.contracts.clip import Clip

        name = "composed/freeze_middle.mp4"
        frozen = media_truth[name]["frozen"]
        result = split_video(str(media_dir / name), "v" * 32, SplitConfig(start_trim_s=0.0))
        [clip] = [Clip(**row) for row in result.clips]
        signals = slice_signals(result.signals, clip.start_frame, clip.num_frames)
        scores = load_detector("still").score(ClipInput(clip, {}, signals))
        length = frozen["end_s"] - frozen["start_s"]
        assert scores["still.longest_freeze_s"] == pytest.approx(length, abs=1 / 30 + 1e-6)
        assert scores["still.freeze_fraction"] == pytest.approx(length / clip.duration, abs=0.01)


@pytest.mark.parametrize("kind", ["letterbox", "pillarbox"])
def test_planted_borders_are_exact(film, kind):
    from curation.scoring import score_clip

    made = film(kind, 2)
    [(clip, signals)] = made.clips()
    top, bottom, left, right = made.footage.borders
    for side, wanted in (("top", top), ("bottom", bottom), ("left", left), ("right", right)):
        assert np.nanmedian(signals[f"border_{side}"]) == pytest.approx(wanted, abs=2)
    scores = score_clip(load_detector("borders"), clip, made.video, signals)
    assert scores["borders.max_px"] == pytest.approx(max(made.footage.borders), abs=2)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "borders"),
    [
        ("chaplin_pillarbox.mp4", (0, 0, 72, 72)),
        ("composed/letterbox_mpeg2.ts", (88, 88, 0, 0)),
        ("sam2_dog.mp4", (0, 0, 0, 0)),
        ("bbb_rotate90_fadein.mp4", (0, 0, 0, 0)),
        ("dog_vfr_rotate180.mp4", (0, 0, 0, 0)),
    ],
)
def test_real_borders_within_two_pixels(media_dir, name, borders):
    from curation.clips import SplitConfig, split_video

    rows = split_video(str(media_dir / name), "v" * 32, SplitConfig()).signals
    found = [
        np.nanmedian(np.concatenate([row[f"border_{side}"] for row in rows]))
        for side in ("top", "bottom", "left", "right")
    ]
    np.testing.assert_allclose(found, borders, atol=2)


def test_motion_tells_moving_from_still_and_shaken(film):
    from curation.scoring import score_clip

    def scores(kind: str) -> dict[str, float]:
        made = film(kind, 0)
        clip, signals = made.clips()[0]
        return score_clip(load_detector("motion"), clip, made.video, signals)

    good, still, shaken = scores("good"), scores("static"), scores("shake")
    assert still["motion.vmaf"] < 0.02 < good["motion.vmaf"] < shaken["motion.vmaf"]
    assert still["motion.static_fraction"] == 1
    assert good["motion.vector"] < 7 < shaken["motion.vector"]


class TestLight:
    def test_counts_flashes_and_black_frames(self, clip_input):
        flash, black = np.zeros(48), np.zeros(48)
        flash[[10, 11, 12, 30]], black[:12] = 90, 0.99
        scores = load_detector("light").score(clip_input(48, flash=flash, black=black, luma=np.full(48, 100.0)))
        assert scores == {"light.luma": 100.0, "light.black_fraction": 0.25, "light.flashes_per_second": 1.0}


def test_bars_that_change_are_told(clip_input):
    top = [20] * 30 + [0] * 10
    scores = load_detector("borders").score(clip_input(40, border_top=top))
    assert scores["borders.max_px"] == 20
    assert scores["borders.unsteady_fraction"] == 0.25
