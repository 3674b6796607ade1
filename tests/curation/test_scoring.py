from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.detectors import load_detector
from curation.detectors.base import AudioRequest, FrameRequest, adaptive_indices, rate_indices
from curation.scoring import clip_input, score_clip, score_clips, shrink
from moviegen.media.audio import read_audio
from moviegen.media.read import iter_frames


@dataclass(frozen=True)
class Brightness:
    """Means of the frames it is shown; keeps what it saw."""

    answer: str = "brightness.mean"
    name: ClassVar[str] = "brightness"
    version: ClassVar[int] = 1
    metrics: ClassVar[dict[str, str]] = {"brightness.mean": "0..255", "brightness.nan": ""}
    cost: ClassVar[float] = 5.0
    packages: ClassVar[tuple[str, ...]] = ()
    frames: ClassVar[FrameRequest] = FrameRequest("spread", 3, 64)

    def score(self, clip) -> dict[str, float]:
        value = float("nan") if self.answer.endswith("nan") else float(np.mean([f.mean() for f in clip.frames]))
        return {self.answer: value}


@pytest.mark.parametrize(
    ("request_", "num_frames", "indices"),
    [
        (FrameRequest(), 100, []),
        (FrameRequest("middle"), 100, [50]),
        (FrameRequest("middle"), 1, [0]),
        (FrameRequest("spread", 4), 100, [12, 37, 62, 87]),
        (FrameRequest("spread", 8), 3, [0, 1, 2]),
    ],
)
def test_which_frames(request_, num_frames, indices):
    assert request_.indices(num_frames) == indices


class TestRate:
    """Frames in equal steps of time."""

    @pytest.mark.parametrize(
        ("num_frames", "fps", "per_second", "indices"),
        [
            (48, 24, 4, [3, 9, 15, 21, 27, 33, 39, 45]),
            (48, 24, 1, [12, 36]),
            (47, 24, 1, [12]),  # a step that is not whole has no frame
            (3, 24, 1, [2]),
            (1, 24, 4, [0]),
            (3, 1, 2, [0, 1, 1, 2, 2, 2]),  # a place in the list is a place in time
        ],
    )
    def test_the_nearest_to_the_middle_of_each_step(self, num_frames, fps, per_second, indices):
        signals = {"pts_s": np.float32(7200 + np.arange(num_frames) / fps)}
        assert FrameRequest("rate", per_second=per_second).indices(num_frames, signals) == indices

    def test_uneven_frame_times_are_gone_by(self):
        pts_s = np.array([0.0, 0.1, 0.2, 1.4, 1.5, 1.6, 1.7, 2.9], np.float32)
        assert rate_indices(pts_s, 1.0) == [2, 4, 7]

    @given(st.integers(1, 400), st.sampled_from([12, 24, 30, 60]), st.sampled_from([1.0, 2.0, 4.0]))
    def test_places_are_in_order_and_one_step_apart(self, num_frames, fps, per_second):
        chosen = np.array(rate_indices(np.arange(num_frames) / fps, per_second))
        assert len(chosen) == max(1, int(num_frames / fps * per_second + 1e-3))
        assert (np.abs(np.diff(chosen) - fps / per_second) <= 1).all()


class TestAdaptive:
    """The frames that a clip's motion chooses."""

    def test_a_still_clip_is_sampled_evenly_with_both_ends(self):
        assert adaptive_indices(np.zeros(101, np.float32), 5) == [0, 25, 50, 75, 100]

    def test_denser_where_it_moves(self):
        motion = np.where(np.arange(100) < 50, 0, 8).astype(np.float32)
        chosen = np.array(adaptive_indices(motion, 8))
        assert (chosen >= 50).sum() > (chosen < 50).sum()

    def test_what_comes_up_at_once_is_seen_from_its_first_frame(self):
        motion = np.full(100, 0.5, np.float32)
        motion[60] = 5
        assert 60 in adaptive_indices(motion, 4)

    def test_the_first_frames_change_is_not_the_clips(self):
        motion = np.zeros(101, np.float32)
        motion[0] = 90
        assert adaptive_indices(motion, 5) == [0, 25, 50, 75, 100]

    @given(
        st.lists(st.floats(0, 60, width=32), min_size=1, max_size=300),
        st.integers(1, 12),
    )
    def test_distinct_places_in_order_never_far_apart(self, motion, count):
        chosen = adaptive_indices(np.array(motion, np.float32), count)
        assert len(chosen) == min(count, len(motion))
        assert chosen == sorted(set(chosen))
        assert 0 <= chosen[0] <= chosen[-1] < len(motion)
        if 2 <= count < len(motion):
            assert (chosen[0], chosen[-1]) == (0, len(motion) - 1)
            assert np.diff(chosen).max() <= 3 * (len(motion) - 1) / (count - 1) + 1

    def test_frames_come_by_the_clips_signals(self, film):
        made = film("cuts", 1)
        clip, signals = made.clips()[0]
        request = FrameRequest("adaptive", 3)
        seen = clip_input(request, clip, made.video, signals).frames
        every = list(iter_frames(made.path, start_pts=clip.start_pts, end_pts=clip.end_pts))
        for ours, index in zip(seen, adaptive_indices(signals["motion"], 3), strict=True):
            np.testing.assert_array_equal(ours, every[index].image)


def test_frames_are_those_of_the_clip(film):
    made = film("cuts", 1)
    clip, signals = made.clips()[1]
    seen = clip_input(FrameRequest("spread", 3), clip, made.video, signals).frames
    every = list(iter_frames(made.path, start_pts=clip.start_pts, end_pts=clip.end_pts))
    wanted = [every[i].image for i in FrameRequest("spread", 3).indices(clip.num_frames)]
    for ours, theirs in zip(seen, wanted, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_sharing_frames_changes_no_number(film, monkeypatch):
    made = film("cuts", 1)
    clip, signals = made.clips()[0]
    detectors = [Brightness(), load_detector("motion"), load_detector("borders")]
    alone = {}
    for detector in detectors:
        alone |= score_clip(detector, clip, made.video, signals)
    calls = []
    from curation import scoring

    read = scoring.read_frames_at
    monkeypatch.setattr(scoring, "read_frames_at", lambda path, pts, **k: calls.append(pts) or read(path, pts, **k))
    assert score_clips(detectors, clip, made.video, signals) == alone
    assert len(calls) == 1


@dataclass(frozen=True)
class Level(Brightness):
    """A user's own detector of sound."""

    name: ClassVar[str] = "level"
    metrics: ClassVar[dict[str, str]] = {"level.rms": ""}
    frames: ClassVar[FrameRequest] = FrameRequest(audio=AudioRequest(8000, is_mono=True))

    def score(self, clip) -> dict[str, float]:
        return {"level.rms": float(np.sqrt(np.mean(clip.audio.samples**2)))} if clip.audio else {}


def test_sound_is_that_of_the_clip(film):
    made = film("cuts", 1)
    clip, signals = made.clips()[1]
    sound = clip_input(FrameRequest(audio=AudioRequest(8000, is_mono=True)), clip, made.video, signals).audio
    span = {"start_s": clip.start_s, "end_s": clip.start_s + clip.duration}
    np.testing.assert_array_equal(sound.samples, read_audio(made.path, sample_rate=8000, **span))
    assert (sound.sample_rate, sound.layout, sound.samples.shape[1]) == (8000, "mono", round(clip.duration * 8000))
    as_it_is = clip_input(FrameRequest(audio=AudioRequest()), clip, made.video, signals).audio
    assert as_it_is.sample_rate == 16000
    assert clip_input(FrameRequest("middle"), clip, made.video, signals).audio is None


def test_sound_is_shared_and_a_silent_file_has_none(film, monkeypatch):
    from curation import scoring

    calls, read = [], scoring.read_sound
    monkeypatch.setattr(scoring, "read_sound", lambda *a, **k: calls.append(k) or read(*a, **k))
    for kind, is_heard in (("good", True), ("black", False)):
        made = film(kind, 0)
        clip, signals = made.clips()[0]
        scores = score_clips([Level(), Level(), load_detector("motion")], clip, made.video, signals)
        assert ("level.rms" in scores) == is_heard
        assert "motion.vmaf" in scores
    assert len(calls) == 2


def test_no_frame_wanted_no_file_opened(film):
    made = film("cuts", 1)
    clip, signals = made.clips()[0]
    scores = score_clip(load_detector("probe"), clip, {"uri": "gone.mp4", "duration": 9.0}, signals)
    assert scores["probe.source_duration"] == 9.0


def test_undeclared_and_unfinished_numbers_are_refused(film):
    made = film("cuts", 1)
    clip, signals = made.clips()[0]
    with pytest.raises(ValueError, match=r"brightness: yields \['other'\]"):
        score_clip(Brightness(answer="other"), clip, made.video, signals)
    with pytest.raises(ValueError, match=rf"brightness\.nan of clip {clip.clip_id} is nan"):
        score_clip(Brightness(answer="brightness.nan"), clip, made.video, signals)


def test_a_request_alone_gets_the_frames_that_a_shared_one_does(film):
    made = film("cuts", 1)
    clip, signals = made.clips()[1]
    request = FrameRequest("rate", per_second=4, max_side_px=64)
    alone = clip_input(request, clip, made.video, signals).frames
    stamps = signals["pts"][request.indices(clip.num_frames, signals)]
    full = {frame.pts: frame.image for frame in iter_frames(made.path)}
    for ours, stamp in zip(alone, stamps, strict=True):
        np.testing.assert_array_equal(ours, shrink(full[stamp], 64))


def test_shrink_averages_down_and_never_enlarges():
    image = np.zeros((100, 200, 3), np.uint8)
    image[:, 100:] = 200
    small = shrink(image, 50)
    assert small.shape == (25, 50, 3)
    assert small.mean() == pytest.approx(100)
    assert shrink(image, 200) is image
    assert shrink(image, None) is image
