import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.signals.flow import FlowMeter, fit_camera, flow_columns, places_of
from curation.signals.planes import SMALL_PX, halved, luma_plane
from moviegen.media.read import open_video

HEIGHT, WIDTH, FPS = 360, 640, 10.0
DIAGONAL = float(np.hypot(HEIGHT, WIDTH))


def texture(seed: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A picture with something to see everywhere, at several sizes."""
    rng = np.random.default_rng(seed)
    layers = [
        cv2.resize(rng.random((height // n, width // n)), (width, height), interpolation=cv2.INTER_CUBIC)
        for n in (8, 24, 64)
    ]
    return (np.clip(np.mean(layers, axis=0), 0, 1) * 255).astype(np.uint8)


def moved(image: np.ndarray, x: float, y: float, zoom: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """The image shifted by pixels, grown by a share and turned clockwise by degrees about its centre."""
    height, width = image.shape
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -roll, 1 + zoom)
    matrix[:, 2] += (x, y)
    return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)


def measure(frames: list[np.ndarray], fps: float = FPS) -> dict[str, np.ndarray]:
    meter = FlowMeter(fps)
    small = [halved(frame, SMALL_PX) for frame in frames]
    flows = [meter.add(luma) for luma in small]
    return flow_columns(flows, meter.places, np.arange(len(frames)) / fps, float(np.hypot(*small[0].shape)))


@settings(max_examples=25)
@given(
    x=st.floats(-12, 12), y=st.floats(-12, 12), zoom=st.floats(-0.03, 0.03), roll=st.floats(-1.5, 1.5),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_the_camera_is_found(x, y, zoom, roll, seed):
    """Bounds are a third above the largest errors of 600 random moves: 0.9 px, 0.0046, 0.24 degrees."""
    image = texture(seed)
    found = measure([image, moved(image, x, y, zoom, roll)])
    assert found["camera_x"][1] * DIAGONAL / FPS == pytest.approx(x, abs=1)
    assert found["camera_y"][1] * DIAGONAL / FPS == pytest.approx(y, abs=1)
    assert found["camera_zoom"][1] / FPS == pytest.approx(zoom, abs=0.006, rel=0.3), "a little low"
    assert found["camera_roll"][1] / FPS == pytest.approx(roll, abs=0.3, rel=0.3)
    assert found["camera_inliers"][1] > 0.8


def test_most_cameras_are_found_closely():
    """The bounds above are for the worst picture; these are for what one may expect, over 120 fixed moves."""
    rng = np.random.default_rng(17)
    to_move = {"camera_x": DIAGONAL / FPS, "camera_y": DIAGONAL / FPS, "camera_zoom": 1 / FPS, "camera_roll": 1 / FPS}
    errors = []
    for move in rng.uniform(-1, 1, (120, 4)) * (12, 12, 0.03, 1.5):
        image = texture(int(rng.integers(100)))
        found = measure([image, moved(image, *move)])
        errors.append([found[name][1] * scale for name, scale in to_move.items()] - move)
    errors = np.abs(errors)
    assert (np.median(errors, axis=0) < (0.2, 0.3, 0.003, 0.15)).all()
    assert (np.quantile(errors, 0.9, axis=0) < (0.5, 0.65, 0.006, 0.26)).all()


def test_a_thing_that_moves_is_no_camera():
    background, thing = texture(1), texture(2)[:180, :200]
    frames = []
    for step in range(6):
        frame = background.copy()
        frame[90:270, 100 + 12 * step : 300 + 12 * step] = thing
        frames.append(frame)
    found = {name: values[1:] for name, values in measure(frames).items()}
    assert np.abs(found["camera_x"]).max() * DIAGONAL / FPS < 1, "pixels; the thing moves by 12"
    share = 180 * 200 / (HEIGHT * WIDTH)
    expected = 12 * share / DIAGONAL * FPS
    assert found["flow_residual"].mean() == pytest.approx(expected, rel=0.35)
    assert found["flow"].mean() == pytest.approx(found["flow_residual"].mean(), rel=0.1)
    assert 0.6 < found["camera_inliers"].mean() < 0.95


def test_speed_does_not_depend_on_size_or_frame_rate():
    image = texture(3)
    slow = measure([moved(image, 8 * i, 0) for i in range(4)], 10.0)
    half = measure([cv2.resize(moved(image, 8 * i, 0), None, fx=0.5, fy=0.5) for i in range(4)], 10.0)
    fast = measure([moved(image, 2 * i, 0) for i in range(16)], 40.0)
    for found in (half, fast):
        assert np.nanmean(found["flow"]) == pytest.approx(np.nanmean(slow["flow"]), rel=0.08)
    assert np.isfinite(slow["flow"]).sum() == 3
    assert np.isfinite(fast["flow"]).sum() == 5, "of a fast video every third pair is looked at"


def test_nothing_to_see_is_no_motion():
    found = measure([np.full((HEIGHT, WIDTH), 90, np.uint8)] * 3)
    assert found["flow"][1:] == pytest.approx(0, abs=1e-6)


def test_too_small_a_picture_and_no_frames_give_no_numbers():
    assert np.isnan(measure([np.zeros((8, 8), np.uint8)] * 3)["flow"]).all()
    assert all(len(values) == 0 for values in flow_columns([], None, np.zeros(0), 1.0).values())


def test_fit_is_exact_on_exact_flow_with_a_third_of_outliers():
    rng = np.random.default_rng(0)
    places = places_of((45, 80))
    truth = np.stack(
        [0.02 + 0.01 * places[:, 0] - 0.03 * places[:, 1], -0.01 + 0.01 * places[:, 1] + 0.03 * places[:, 0]], 1
    )
    vectors = truth.copy()
    vectors[rng.permutation(len(places))[: len(places) // 3]] += 0.05
    path = fit_camera(places, vectors[None].astype(np.float32), np.ones((1, len(places)), np.float32), 0.001)
    assert path.x[0] == pytest.approx(0.02, abs=5e-4)
    assert path.y[0] == pytest.approx(-0.01, abs=5e-4)
    assert path.zoom[0] == pytest.approx(0.01, abs=2e-3)
    assert path.roll[0] == pytest.approx(0.03, abs=2e-3)
    assert path.inliers[0] == pytest.approx(2 / 3, abs=0.03)


@pytest.mark.data
def test_the_path_of_a_shaken_camera(media_dir, media_truth):
    truth = np.array(media_truth["composed/jitter_synth.mp4"]["jitter"]["trajectory"])
    with open_video(media_dir / "composed/jitter_synth.mp4") as video:
        frames = [luma_plane(timed.frame).copy() for timed in video.frames()]
    steps = np.diff(truth, axis=0)
    found = {name: values[1:] for name, values in measure(frames).items()}
    assert np.std(found["camera_x"] * DIAGONAL / FPS - steps[:, 0]) < 0.8, "pixels; they step by 7"
    assert np.std(found["camera_y"] * DIAGONAL / FPS - steps[:, 1]) < 0.8
    # the truth turns counter-clockwise
    assert np.corrcoef(found["camera_roll"], -steps[:, 2])[0, 1] > 0.97
