"""Camera moves against clips whose camera is known, and real ones."""

import cv2
import numpy as np
import pytest

from curation.detectors import load_detector
from curation.detectors.base import ClipInput
from curation.detectors.camera import CLASSES, classify
from curation.signals.flow import FlowMeter, flow_columns
from curation.signals.planes import SMALL_PX, halved
from moviegen.testing.camera_drive import Drive
from moviegen.testing.camera_moves import FPS, MOVES, make_clip
from moviegen.testing.camera_stage import film


def flow_of(frames: np.ndarray) -> dict[str, np.ndarray]:
    meter = FlowMeter(float(FPS))
    small = [halved(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), SMALL_PX) for frame in frames]
    flows = [meter.add(luma) for luma in small]
    return flow_columns(flows, meter.places, np.arange(len(frames)) / float(FPS), float(np.hypot(*small[0].shape)))


@pytest.mark.parametrize("move", MOVES)
def test_each_class(clip_input, move):
    made = make_clip(move, 0.0 if move == "static" else 0.1, 5, num_frames=24)
    scores = load_detector("camera").score(clip_input(24, **flow_of(made.frames)))
    confidence = {name: scores[f"camera.{name}"] for name in CLASSES}
    assert max(confidence, key=confidence.get) == move
    assert confidence[move] > 0.4
    assert 0 <= sum(confidence.values()) <= 1 + 1e-9
    if move != "handheld":
        assert scores["camera.speed"] == pytest.approx(made.flow, rel=0.5, abs=0.02)


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    """Blotches of all sizes and colours."""
    rng = np.random.default_rng(4)
    sizes = [(270 // cell + 2, 480 // cell + 2, 3) for cell in (6, 20, 60)]
    return [
        np.clip(sum(cv2.resize(rng.normal(128, 60, size), (480, 270)) for size in sizes) / 2 - 64, 0, 255).astype(
            np.uint8
        )
        for _ in range(5)
    ]


@pytest.mark.parametrize(
    "move", ["pan_left", "truck_left", "tilt_up", "pedestal_up", "zoom_in", "push_in", "arc", "tracking", "static"]
)
def test_classes_in_true_perspective(clip_input, pictures, move):
    speed = 0.0 if move == "static" else 0.06 if move in ("zoom_in", "push_in") else 0.1
    frames = film(pictures, Drive(move, speed), 2, num_frames=30)
    scores = load_detector("camera").score(clip_input(30, **flow_of(frames)))
    confidence = {name: scores[f"camera.{name}"] for name in CLASSES}
    assert max(confidence, key=confidence.get) == move
    assert confidence[move] > 0.5


@pytest.mark.parametrize("parallax", [np.nan, 0.075])
def test_what_cannot_be_told_is_not_said(parallax):
    """A move to the left that is plain to see, by a camera that may turn or be carried: neither reaches a half."""
    steady = dict.fromkeys(("camera_y", "camera_zoom", "camera_roll", "camera_opposite"), np.zeros(30))
    path = steady | {
        "camera_x": np.full(30, 0.1),
        "camera_parallax": np.full(30, parallax),
        "camera_centre": np.ones(30),
    }
    scores = classify(path, np.arange(30) / 24)
    assert max(scores[f"camera.{name}"] for name in CLASSES) < 0.5
    assert scores["camera.pan_left"] > 0.1
    assert scores["camera.truck_left"] > 0.1
    sure = classify(path | {"camera_parallax": np.zeros(30)}, np.arange(30) / 24)
    assert sure["camera.pan_left"] > 0.9


def test_a_hand_is_not_a_tripod_and_a_slow_zoom_is_neither():
    seconds = np.arange(96) / 24
    still = {f"camera_{name}": np.zeros(96) for name in ("x", "y", "zoom", "roll", "parallax", "opposite")}
    still["camera_centre"] = np.ones(96)
    hand = still | {"camera_x": 0.05 * np.sin(2 * np.pi * 4 * seconds)}
    slow = still | {"camera_zoom": np.full(96, 0.05)}
    said = [classify(path, seconds) for path in (still, hand, slow)]
    best = [max(CLASSES, key=lambda name, scores=scores: scores[f"camera.{name}"]) for scores in said]
    assert best == ["static", "handheld", "zoom_in"]


def test_flow_tells_the_camera_from_a_thing(clip_input):
    detector = load_detector("motion")
    thing, pan = (
        make_clip("static", 0.0, 8, num_frames=24, object_speed=0.4),
        make_clip("pan_left", 0.02, 9, num_frames=24),
    )
    for made in (thing, pan):
        scores = detector.score(clip_input(24, **flow_of(made.frames)))
        assert scores["motion.flow"] == pytest.approx(made.flow, rel=0.5)
        assert scores["motion.object"] == pytest.approx(made.object_flow, rel=0.5, abs=0.005)


def test_too_few_frames_give_no_numbers(clip_input):
    assert load_detector("camera").score(clip_input(3)) == {}
    assert load_detector("camera").score(clip_input(9, flow=[np.nan] * 9)) == {}


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "move"),
    [("bottles_static_40s.mp4", "static"), ("sam2_blocks.mp4", "static"), ("pool_handheld.mp4", "handheld")],
)
def test_real_cameras(media_dir, name, move):
    from curation.clips import SplitConfig, split_video
    from curation.signals.table import slice_signals
    from moviegen.contracts.clip import Clip

    result = split_video(str(media_dir / name), "v" * 32, SplitConfig(start_trim_s=0.0, max_clip_s=10.0))
    clip = Clip(**result.clips[0])
    signals = slice_signals(result.signals, clip.start_frame, clip.num_frames)
    scores = load_detector("camera").score(ClipInput(clip, {}, signals))
    assert max(CLASSES, key=lambda each: scores[f"camera.{each}"]) == move
