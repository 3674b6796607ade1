"""Detectors that look at no frame: probe, motion, borders, jitter."""

import numpy as np
import pytest

from curation.detectors import load_detector


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
        assert load_detector("motion").score(clip_input(1)) == {"motion.vmaf": 0.0, "motion.vector": 0.0}


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
        assert load_detector("jitter").score(clip_input(48, cut_score=score)) == {"jitter.shots_per_second": 1.0}


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
